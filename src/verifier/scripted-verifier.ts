/** A verifier that scores by a function: for tests, and for trying the method without a model. */
import type { ScoreRequest, Verifier } from "./verifier.ts";

export function createScriptedVerifier(score: (request: ScoreRequest) => number): Verifier {
  return { score: async (request) => score(request), close: async () => {} };
}
