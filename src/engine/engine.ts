/**
 * The contract of a language model that can be sampled and trained. An engine computes; it knows nothing of tasks,
 * programs or the method. One loss is enough for all of it: Σ w_t · (−log p(token_t | before)) with a signed weight
 * per token.
 */

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
  /**
   * Draws only from the likeliest tokens whose probabilities (at `temperature`) add up to at least this, 0 < topP ≤ 1.
   * Left out or 1: from all.
   */
  readonly topP?: number;
  /**
   * Draws only from this many of the likeliest tokens, 1 or more; `topP` then counts among them, in proportion. Left out:
   * from all.
   */
  readonly topK?: number;
  /** With every token `onToken` also gets this many of the likeliest. */
  readonly topLogprobs?: number;
  /**
   * Called with every token as it is sampled, those of one sample in order; changes no number. "stop" ends the sample
   * with this token, with stop reason `length`. What it throws rejects the request.
   */
  readonly onToken?: (token: SampledToken) => "stop" | void;
}

/** A token and its log p at temperature 1, nats. */
export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

/** One step of one sample. */
export interface SampledToken extends TokenLogprob {
  /** Into the request's seeds. */
  readonly sampleIndex: number;
  /** The likeliest tokens, best first and the lower id first among equals, when `topLogprobs` were asked for. */
  readonly top?: readonly TokenLogprob[];
  /** With a sample's last token, unless `onToken` ends it there: why it ended. The end token comes with `end`. */
  readonly stopReason?: Sample["stopReason"];
}

export interface Sample {
  /** New tokens, without the end token. */
  readonly tokens: Int32Array;
  /** [tokens.length, + 1 if ended] log p of each sampled token (end token included) under the distribution at temperature 1, nats. */
  readonly logprobs: Float32Array;
  readonly stopReason: "end" | "length";
}

/** A message of any role that a chat template may know. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
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
  /** The bytes that a token stands for; of a control token those of its name. */
  bytesOf(token: number): Uint8Array;
  /** Whether a token means something to the model and is no part of a text. */
  isControl(token: number): boolean;
  /**
   * The conversation under the chat template, with the header of an assistant message at the end if asked for. What an
   * assistant wrote is put in whole even where the template trims contents; it is encoded apart from the template's text around it, as it was sampled apart from it; an assistant
   * message at the end, without a header after it, ends with the end token: the header's tokens, what was sampled, and
   * nothing else follow the conversation before it, whatever the template.
   */
  encodeChat(conversation: readonly ChatMessage[], options: { readonly addGenerationPrompt: boolean }): Int32Array;
}

/** The four calls, and the checkpoint. Calls may overlap; they take effect in the order made. */
export interface TrainableModel {
  readonly tokenizer: Tokenizer;
  readonly contextLength: number;
  readonly parameterCount: number;
  /** `samples[i]` belongs to `request.seeds[i]`. Requests of concurrent callers are computed in common batches. */
  sample(request: SampleRequest, signal?: AbortSignal): Promise<Sample[]>;
  /**
   * `logprobs[i][t]` = log p(tokens[t] | tokens[<t]) of `batch[i]`, nats; 0 at t = 0 and wherever the weight is 0. Of a
   * model of scores: the score of tokens[≤ t] in its place, here and in the loss. `onSequences` is called as sequences of
   * the batch are done, with how many.
   */
  forward(
    batch: readonly Datum[],
    signal?: AbortSignal,
    onSequences?: (count: number) => void,
  ): Promise<Float32Array[]>;
  /** Adds the gradient of Σ over the batch of Σ_t w_t·(−log p_t) to the accumulated gradient. */
  forwardBackward(
    batch: readonly Datum[],
    signal?: AbortSignal,
    onSequences?: (count: number) => void,
  ): Promise<{ readonly loss: number; readonly logprobs: Float32Array[] }>;
  /** One AdamW step with the accumulated gradient, which is then cleared. */
  optimizerStep(options: AdamWOptions): Promise<{ readonly gradientNorm: number }>;
  /**
   * Writes a checkpoint in Hugging Face layout: config.json, model.safetensors, tokenizer.json, tokenizer_config.json; of a
   * model whose low-rank adapter is trained the adapter, in PEFT's format.
   */
  save(directory: string): Promise<void>;
  /** Writes or reads weights, optimizer moments and step count, so that 50 steps, save, load, 50 steps equals 100. */
  saveTrainingState(file: string): Promise<void>;
  loadTrainingState(file: string): Promise<void>;
  close(): Promise<void>;
}
