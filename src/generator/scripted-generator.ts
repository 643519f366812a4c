/** A generator that answers from a function: for tests, and for trying the method without a model. */
import type { ProposeRequest, Generator } from "./generator.ts";

/** `answer` gives the text for the seed at `seedIndex` of a request. */
export function createScriptedGenerator(answer: (request: ProposeRequest, seedIndex: number) => string): Generator {
  return {
    propose: async (request) =>
      request.seeds.map((_, seedIndex) => ({ text: answer(request, seedIndex), stopReason: "end", tokenCount: 1 })),
    close: async () => {},
  };
}
