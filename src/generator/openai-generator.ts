/** A generator on a model server. */
import { ModelServerError } from "../openai/errors.ts";
import type { ModelServer } from "../openai/server.ts";
import { GeneratorError } from "../errors.ts";
import type { Generator } from "./generator.ts";

/**
 * `close()` leaves the server open: a verifier may share it. Besides GeneratorError and
 * RefusedError, which cost one item, `propose` throws StopRunError (a limit is reached, the server stays away) and
 * ConfigError (everything is refused: the key, the model, the address).
 */
export function createOpenAIGenerator(server: ModelServer): Generator {
  return {
    async propose(request, signal) {
      try {
        return await server.complete(request, signal);
      } catch (error) {
        if (!(error instanceof ModelServerError)) throw error;
        throw new GeneratorError(error.message, error.fields, { cause: error.cause });
      }
    },
    close: async () => {},
  };
}
