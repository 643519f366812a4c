/** Shuffled batches of sequences of similar length, so that little is spent on padding. */
import { createRandom, shuffled } from "../random.ts";

export interface BatchOptions {
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
  /** Exactly so many batches, from as many epochs as that takes; `epochs` does not count then. */
  readonly steps?: number | undefined;
}

/** Sequences are sorted by length within chunks of this many batches: long enough to pad little, short enough to mix. */
const CHUNK_BATCHES = 64;

/** Every item once per epoch, the last one cut off where `steps` are given. The order depends on the seed and the epoch alone. */
export function planBatches<T>(items: readonly T[], lengthOf: (item: T) => number, options: BatchOptions): T[][] {
  if (items.length === 0) return [];
  const batches: T[][] = [];
  const { steps } = options;
  for (let epoch = 0; steps === undefined ? epoch < options.epochs : batches.length < steps; epoch++) {
    const random = createRandom(options.seed, "batches", epoch);
    const order = shuffled(random, items);
    const chunkSize = options.batchSize * CHUNK_BATCHES;
    for (let start = 0; start < order.length; start += chunkSize) {
      const chunk = order.slice(start, start + chunkSize).toSorted((a, b) => lengthOf(a) - lengthOf(b));
      const slices: T[][] = [];
      for (let i = 0; i < chunk.length; i += options.batchSize) slices.push(chunk.slice(i, i + options.batchSize));
      batches.push(...shuffled(random, slices));
    }
  }
  return batches.slice(0, steps);
}
