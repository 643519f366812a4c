/**
 * The contract of a language model that can be sampled and trained. An engine computes; it knows nothing of tasks,
 * programs or the method. One loss is enough for all of it: Σ w_t · (−log p(token_t | before)) with a signed weight
 * per token.
 */
import type { Conversation } from "../tasks/prompt.ts";

/** One sequence with a weight per token. */
export interface Datum {
  /** [T] token ids, 2 ≤ T ≤ contextLength. */
  readonly tokens: Int32Array;
  /** [T] weight of −log p(tokens[t] | tokens[<t]); `weights[0]` must be 0, as nothing predicts the first token. */
  readonly weights: Float32Array;
}

export interface SampleRequest {
  /** [P] prompt tokens, 1 ≤ P < contextLength. */
  readonly tokens: Int32Array;
  /** One sample per seed (unsigned 32-bit). A sample depends on the weights, the prompt and its own seed alone. */
  readonly seeds: readonly number[];
  /** 0 is greedy. */
  readonly temperature: number;
  /** Most new tokens per sample; also cut where the context ends. */
  readonly maxTokens: number;
}

export interface Sample {
  /** New tokens, without the end token. */
  readonly tokens: Int32Array;
  /** [tokens.length, + 1 if ended] log p of each sampled token (end token included) under the distribution at temperature 1, nats. */
  readonly logprobs: Float32Array;
  readonly stopReason: "end" | "length";
}

export interface AdamWOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled; applied to matrices only, not to norm weights. */
  readonly weightDecay: number;
  /** Gradients are scaled down to this global L2 norm. */
  readonly maxGradientNorm: number;
}

export interface Tokenizer {
  readonly vocabularySize: number;
  /** The token that ends an assistant message. */
  readonly endToken: number;
  encode(text: string): Int32Array;
  decode(tokens: Iterable<number>): string;
  /** The conversation under the chat template; with the header of an assistant message at the end if asked for. */
  encodeChat(conversation: Conversation, options: { readonly addGenerationPrompt: boolean }): Int32Array;
}

/** The four calls, and the checkpoint. Calls may overlap; they take effect in the order made. */
export interface TrainableModel {
  readonly tokenizer: Tokenizer;
  readonly contextLength: number;
  readonly parameterCount: number;
  /** `samples[i]` belongs to `request.seeds[i]`. Requests of concurrent callers are computed in common batches. */
  sample(request: SampleRequest, signal?: AbortSignal): Promise<Sample[]>;
  /** `logprobs[i][t]` = log p(tokens[t] | tokens[<t]) of `batch[i]`, nats; 0 at t = 0 and wherever the weight is 0. */
  forward(batch: readonly Datum[], signal?: AbortSignal): Promise<Float32Array[]>;
  /** Adds the gradient of Σ over the batch of Σ_t w_t·(−log p_t) to the accumulated gradient. */
  forwardBackward(
    batch: readonly Datum[],
    signal?: AbortSignal,
  ): Promise<{ readonly loss: number; readonly logprobs: Float32Array[] }>;
  /** One AdamW step with the accumulated gradient, which is then cleared. */
  optimizerStep(options: AdamWOptions): Promise<{ readonly gradientNorm: number }>;
  /** Writes a checkpoint in Hugging Face layout: config.json, model.safetensors, tokenizer.json, tokenizer_config.json. */
  save(directory: string): Promise<void>;
  /** Writes or reads weights, optimizer moments and step count, so that 50 steps, save, load, 50 steps equals 100. */
  saveTrainingState(file: string): Promise<void>;
  loadTrainingState(file: string): Promise<void>;
  close(): Promise<void>;
}
