/** A generator on an engine's model. */
import type { TrainableModel } from "../engine/engine.ts";
import { splitReasoning } from "../tasks/completion/reasoning.ts";
import type { Completion, Generator } from "./generator.ts";

/** Takes over the model: `close()` closes it. */
export function createEngineGenerator(model: TrainableModel): Generator {
  return {
    async propose(request, signal) {
      const tokens = model.tokenizer.encodeChat(request.conversation, { addGenerationPrompt: true });
      if (tokens.length >= model.contextLength) {
        return request.seeds.map((): Completion => ({ text: "", stopReason: "no-room", tokenCount: 0 }));
      }
      const samples = await model.sample(
        { tokens, seeds: request.seeds, temperature: request.temperature, maxTokens: request.maxTokens },
        signal,
      );
      return samples.map((sample): Completion => ({
        ...splitReasoning(model.tokenizer.decode(sample.tokens)),
        stopReason: sample.stopReason,
        tokenCount: sample.logprobs.length,
      }));
    },
    close: () => model.close(),
  };
}
