/**
 * What samples are decoded with, and what it has to do with: prompts whose keys and values are computed once, sequences
 * that go on after them, and steps that give every sequence under way the probabilities of its next token. Which tokens
 * are taken is not decided here. What a sequence is given depends, in its last bit, on the weights and its own tokens
 * alone, whatever is decoded beside it.
 */
import type { ParameterStore } from "./parameter-store.ts";

/** Models up to this size are sampled with a copy of their weights in the order in which products read them. */
export const MOST_PACKED_BYTES = 2 ** 29;

/** Most sequences under way. */
export const MOST_SEQUENCES = 128;

/** What is sampled from: a model's weights, or those of a base and an adapter in one. */
export type SampledWeights = Pick<ParameterStore, "layout" | "weights" | "version" | "view">;

/** A prompt whose keys and values are there. */
export interface PrefilledPrompt {
  /** A sequence that goes on after it, with the token that comes next. */
  start(options: { readonly token: number; readonly inverseTemperature: number }): DecodedSequence;
  /** No other sequence is to be started. */
  release(): void;
}

/** A sequence under way. */
export interface DecodedSequence {
  /** What the next step puts at its end. */
  token: number;
  /** Its row in the results of the latest step. */
  readonly row: number;
  /** The next steps are without it. */
  end(): void;
}

/** What one step gives, until the next step or prefill; by row, then by token. */
export interface StepResult {
  /** log p at temperature 1, nats. */
  readonly logProbabilities: readonly Float32Array[];
  /** p at each row's temperature. */
  readonly probabilities: readonly Float32Array[];
}

export interface Decoder {
  /** The first of the waiting prompts, and those that are best computed with it; nothing for the others. */
  prefill(waiting: readonly Int32Array[]): Promise<readonly (PrefilledPrompt | undefined)[]>;
  /** One token of every sequence under way: 1 to `MOST_SEQUENCES`. */
  step(): Promise<StepResult>;
  /** Forgets all prompts and sequences; to be called when the weights have changed or a call has failed. */
  reset(): void;
  close(): Promise<void>;
}
