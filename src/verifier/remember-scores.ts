/** A verifier that is asked only once for the same program. */
import type { Verifier } from "./verifier.ts";

/** A score depends on task and program alone. Keeps everything it was asked for: meant to live as long as one task is searched. */
export function rememberScores(verifier: Verifier): Verifier {
  const known = new Map<string, Promise<number>>();
  return {
    score: (request, signal) => {
      const key = `${request.task.id}\u0000${request.program}`;
      let score = known.get(key);
      if (score === undefined) {
        score = verifier.score(request, signal);
        known.set(key, score);
      }
      return score;
    },
    close: () => verifier.close(),
  };
}
