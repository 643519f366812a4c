/** How many tokens are computed at once, so that the activations of a wide model with a large vocabulary fit too. */
import { headSize, type LlamaConfig } from "./llama-parameters.ts";

/** A micro-batch has at most so many tokens (ONNX Runtime's with padding): more is not faster. */
const MOST_TOKENS = { kernels: 2048, runtime: 4096 } as const;
/** And at most as many as are estimated to take so much memory. */
const MOST_BYTES = 2 ** 31;
/** Sequences of so many tokens are assumed where a model allows longer ones. */
export const ASSUMED_LENGTH = 1024;

/** What is to be computed, and by what. */
export interface Computation {
  readonly withGradients: boolean;
  /** Whether the engine's own kernels compute, which keep less than ONNX Runtime. */
  readonly byKernels: boolean;
}

/**
 * Activations per token that are alive at once: what enters and leaves each product; the backward pass needs them of all
 * layers. ONNX Runtime keeps the attention's probabilities as well, and at the output the logits, their logarithms and their
 * gradient.
 */
export function activationBytesPerToken(config: LlamaConfig, { withGradients, byKernels }: Computation): number {
  const { layerCount, headCount, keyValueHeadCount, hiddenSize, intermediateSize, vocabularySize } = config;
  const heads = (2 * headCount + 2 * keyValueHeadCount) * headSize(config);
  if (byKernels) {
    // The stream, its norm and what is between, twice; gate, up and what they give.
    const perLayer = 4 * hiddenSize + heads + 3 * intermediateSize;
    return 4 * ((withGradients ? layerCount : 1) * perLayer + 4 * hiddenSize + heads);
  }
  const length = Math.min(config.contextLength, ASSUMED_LENGTH);
  const perLayer = 8 * hiddenSize + 2 * heads + 7 * intermediateSize + headCount * length;
  return 4 * (withGradients ? layerCount * perLayer + 4 * vocabularySize : perLayer + 2 * vocabularySize);
}

/** A longer sequence is computed alone. */
export function microBatchTokens(config: LlamaConfig, computation: Computation): number {
  const most = computation.byKernels ? MOST_TOKENS.kernels : MOST_TOKENS.runtime;
  return Math.min(most, Math.max(1, Math.floor(MOST_BYTES / activationBytesPerToken(config, computation))));
}
