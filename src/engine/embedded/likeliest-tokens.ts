/** What needs the tokens of one step in order of their probability. */
import type { TokenLogprob } from "../engine.ts";

/** The `count` tokens of greatest log-probability, best first; of equals the lower id first. */
export function likeliest(logProbabilities: Float32Array, count: number): TokenLogprob[] {
  const best: TokenLogprob[] = [];
  if (count === 0) return best;
  for (let token = 0; token < logProbabilities.length; token++) {
    const logprob = logProbabilities[token]!;
    if (best.length === count && logprob <= best.at(-1)!.logprob) continue;
    if (best.length === count) best.pop();
    let place = best.length;
    while (place > 0 && best[place - 1]!.logprob < logprob) place--;
    best.splice(place, 0, { token, logprob });
  }
  return best;
}

/**
 * One of the `topK` likeliest tokens (Fan et al. 2018), and of the smallest set of the likeliest of them that holds at
 * least the share `topP` of their probability (nucleus sampling, Holtzman et al. 2020), in proportion. Ties are broken by
 * the lower id.
 */
export function drawFromLikeliest(
  probabilities: Float32Array,
  { topK, topP = 1 }: { readonly topK?: number | undefined; readonly topP?: number | undefined },
  uniform: number,
): number {
  const order = Array.from(probabilities.keys()).toSorted((a, b) => probabilities[b]! - probabilities[a]! || a - b);
  if (topK !== undefined) order.length = Math.min(order.length, topK);
  const total = topK === undefined ? 1 : order.reduce((sum, token) => sum + probabilities[token]!, 0);
  let mass = 0;
  let size = 0;
  while (size < order.length && mass < topP * total) mass += probabilities[order[size++]!]!;
  let sum = 0;
  for (let i = 0; i < size; i++) {
    sum += probabilities[order[i]!]!;
    if (sum > uniform * mass) return order[i]!;
  }
  return order[size - 1]!;
}
