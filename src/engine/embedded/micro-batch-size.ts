/** How many tokens are computed at once, so that the activations of a wide model with a large vocabulary fit too. */
import { headSize, type LlamaConfig } from "./llama-parameters.ts";

/** A micro-batch has at most so many padded tokens: more is not faster. */
const MOST_TOKENS = 4096;
/** And at most as many as are estimated to take so much memory. */
const MOST_BYTES = 2 ** 31;
/** Sequences of so many tokens are assumed where a model allows longer ones. */
export const ASSUMED_LENGTH = 1024;

/**
 * Activations per token that are alive at once: what enters and leaves each product, the attention's probabilities, and
 * at the output the logits, their logarithms and their gradient. The backward pass needs them of all layers.
 */
export function activationBytesPerToken(config: LlamaConfig, options: { readonly withGradients: boolean }): number {
  const { layerCount, headCount, keyValueHeadCount, hiddenSize, intermediateSize, vocabularySize } = config;
  const heads = (2 * headCount + 2 * keyValueHeadCount) * headSize(config);
  const length = Math.min(config.contextLength, ASSUMED_LENGTH);
  const perLayer = 8 * hiddenSize + 2 * heads + 7 * intermediateSize + headCount * length;
  return 4 * (options.withGradients ? layerCount * perLayer + 4 * vocabularySize : perLayer + 2 * vocabularySize);
}

/** A longer sequence is computed alone. */
export function microBatchTokens(config: LlamaConfig, options: { readonly withGradients: boolean }): number {
  return Math.min(MOST_TOKENS, Math.max(1, Math.floor(MOST_BYTES / activationBytesPerToken(config, options))));
}
