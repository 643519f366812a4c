/** How data of different lengths are cut into micro-batches. */

/** Sequences computed together, padded to a common length. */
export interface MicroBatch {
  /** Indices into the data. */
  readonly items: readonly number[];
  /** Common length, a multiple of the plan's granularity. */
  readonly length: number;
}

/** Tokens whose computation takes as long as what every micro-batch costs anyway. */
const FIXED_COST_TOKENS = 256;

/**
 * Cuts sequences of the given lengths into micro-batches of at most `maxTokens` padded tokens (a longer sequence gets
 * one of its own) so that padding plus a fixed cost per micro-batch is least. Deterministic; sorted by length,
 * longest first, equal lengths in their order.
 */
export function planMicroBatches(
  lengths: readonly number[],
  options: { readonly maxTokens: number; readonly granularity: number },
): MicroBatch[] {
  const { maxTokens, granularity } = options;
  const order = lengths.map((_, i) => i).toSorted((a, b) => lengths[b]! - lengths[a]! || a - b);
  const padded = order.map((item) => Math.ceil(lengths[item]! / granularity) * granularity);
  // best[i]: the least cost of everything from place i on; cut[i]: where the micro-batch that starts at i ends.
  const best = new Float64Array(order.length + 1);
  const cut = new Int32Array(order.length);
  for (let start = order.length - 1; start >= 0; start--) {
    const length = padded[start]!;
    const most = Math.max(1, Math.floor(maxTokens / length));
    best[start] = Number.POSITIVE_INFINITY;
    for (let end = start + 1; end <= Math.min(order.length, start + most); end++) {
      const cost = FIXED_COST_TOKENS + length * (end - start) + best[end]!;
      // Among equal costs the fullest.
      if (cost <= best[start]!) {
        best[start] = cost;
        cut[start] = end;
      }
    }
  }
  const batches: MicroBatch[] = [];
  for (let start = 0; start < order.length; start = cut[start]!) {
    batches.push({ items: order.slice(start, cut[start]), length: padded[start]! });
  }
  return batches;
}
