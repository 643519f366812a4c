/** A generator that is asked only once for the same sample. */
import { allSettled } from "../concurrency.ts";
import type { Completion, Generator } from "../generator/generator.ts";

/**
 * A sample depends on its state and its seed, never on who asks or for how many: remembering it changes nothing but the
 * cost, and five candidates are the first five of eleven. Keeps everything it was asked for, so it is meant to live as
 * long as one task is searched.
 */
export function rememberProposals(generator: Generator): Generator {
  const known = new Map<string, Promise<Completion>>();
  return {
    async propose(request, signal) {
      const contents = request.conversation.map((message) => message.content);
      const state = JSON.stringify([contents, request.temperature, request.maxTokens]);
      const keyOf = (seed: number): string => `${seed} ${state}`;
      const missing = [...new Set(request.seeds)].filter((seed) => !known.has(keyOf(seed)));
      if (missing.length > 0) {
        const proposal = generator.propose({ ...request, seeds: missing }, signal);
        for (const [index, seed] of missing.entries()) {
          known.set(
            keyOf(seed),
            proposal.then((completions) => completions[index]!),
          );
        }
      }
      return allSettled(request.seeds.map((seed) => known.get(keyOf(seed))!));
    },
    close: () => generator.close(),
  };
}
