/** How the work of a call is shared among the replicas of a model. */
import type { Datum } from "../engine.ts";
import { memoryLimitBytes } from "./memory-needs.ts";

/** Fewer samples of one prompt are not worth computing the prompt once more. */
const LEAST_SAMPLES = 8;
/** Weights of all replicas together stay below this, and below this share of the memory, where there can be more than one. */
const MOST_REPLICATED_BYTES = 2 ** 31;
const MOST_REPLICATED_SHARE = 1 / 4;

/**
 * Replicas and threads of each, for replicas that have so many bytes of weights each for itself (0 if they share them): one
 * replica per thread, as that is fastest, but fewer where copies would take too much memory. A product of large matrices
 * shares threads well by itself.
 */
export function replicasFor(
  threads: number,
  copiedBytes: number,
  memoryBytes = memoryLimitBytes(),
): { readonly replicas: number; readonly threadsEach: number } {
  const most = Math.min(MOST_REPLICATED_BYTES, MOST_REPLICATED_SHARE * memoryBytes);
  let replicas = threads;
  while (replicas > 1 && (threads % replicas !== 0 || replicas * copiedBytes > most)) replicas--;
  return { replicas, threadsEach: threads / replicas };
}

/**
 * Deals data out by length, longest first and back and forth, so that all shares take about as long. Indices into the
 * data, a list per share; depends on the lengths alone.
 */
export function dealData(data: readonly Datum[], shares: number): number[][] {
  const order = data.map((_, i) => i).toSorted((a, b) => data[b]!.tokens.length - data[a]!.tokens.length || a - b);
  const dealt: number[][] = Array.from({ length: shares }, () => []);
  order.forEach((item, place) => {
    const turn = place % (2 * shares);
    dealt[turn < shares ? turn : 2 * shares - 1 - turn]!.push(item);
  });
  return dealt;
}

/** Cuts the samples of one prompt into at most `shares` runs: where each begins, and after the last the end. */
export function cutSamples(count: number, shares: number): number[] {
  const parts = Math.max(1, Math.min(shares, Math.floor(count / LEAST_SAMPLES)));
  return Array.from({ length: parts + 1 }, (_, part) => Math.round((count * part) / parts));
}

/** The same values in memory of their own: what is sent to a thread is copied with all of the memory that it views. */
export const compact = <T extends Int32Array | Float32Array>(values: T): T =>
  values.byteLength === values.buffer.byteLength ? values : (values.slice() as T);
