/** What is said between the thread of a model's user and the threads of its replicas. */
import { ConfigError, EngineError } from "../../errors.ts";
import type { AdamWOptions, Datum, Sample, SampledToken, SampleRequest } from "../engine.ts";
import type { SharedModel } from "./checkpoint.ts";
import type { Joining, ReplicaDescription, ReplicaSource } from "./replica.ts";

/** The calls, by name: what they are given and what they answer. */
export interface ReplicaCalls {
  /** Tells notices while it is under way. */
  open(given: {
    readonly source: ReplicaSource;
    readonly threads: number;
    readonly shared?: SharedModel | undefined;
  }): ReplicaDescription;
  gradient(): Float32Array;
  join(given: Joining): void;
  /** Tells every token as it is sampled if `streams`; told the index of a sample, ends that sample. */
  sample(given: { readonly request: Omit<SampleRequest, "onToken">; readonly streams: boolean }): Sample[];
  forward(given: readonly Datum[]): Float32Array[];
  forwardBackward(given: { readonly batch: readonly Datum[]; readonly undoable: boolean }): {
    readonly loss: number;
    readonly logprobs: Float32Array[];
  };
  undo(): void;
  step(given: AdamWOptions): { readonly gradientNorm: number };
  settleGradient(): void;
  sumGradients(): number;
  updateShared(given: { readonly adamW: AdamWOptions; readonly gradientNorm: number }): void;
  publishGradient(round: number): void;
  addGradient(): number;
  update(given: { readonly adamW: AdamWOptions; readonly gradientNorm: number }): void;
  publish(vector: "weights" | "moment1" | "moment2"): void;
  adopt(vector: "weights" | "moment1" | "moment2"): void;
  save(directory: string): void;
  saveTrainingState(file: string): void;
  loadTrainingState(file: string): void;
  requireTrainable(): void;
  close(): void;
}

export type CallName = keyof ReplicaCalls;
export type Given<N extends CallName> = Parameters<ReplicaCalls[N]>[0];
export type Answer<N extends CallName> = ReturnType<ReplicaCalls[N]>;

/** What a call under way tells: a line for people, or a token. */
export type Told = string | SampledToken;

/** To a replica: a call, or a word to one under way, to end it or one of its samples. */
export type ToReplica =
  | { readonly id: number; readonly call: CallName; readonly given: unknown }
  | { readonly id: number; readonly abort: true }
  | { readonly id: number; readonly endSample: number };

export type FromReplica =
  | { readonly id: number; readonly told: Told }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: SentError };

/** An error as it crosses between threads, which keep no classes. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly fields: string;
  readonly cause: string | undefined;
}

export function sendError(error: unknown): SentError {
  const { name, message, fields, cause } = error as Error & { fields?: object };
  return {
    name,
    message,
    fields: JSON.stringify(fields ?? {}),
    cause: cause === undefined ? undefined : cause instanceof Error ? cause.message : JSON.stringify(cause),
  };
}

/** Of the class it had, if that is one that callers tell apart. */
export function receiveError({ name, message, fields: encoded, cause }: SentError): Error {
  const fields = JSON.parse(encoded) as Record<string, unknown>;
  const options = cause === undefined ? {} : { cause: new Error(cause) };
  if (name === "ConfigError") return new ConfigError(message, fields, options);
  if (name === "EngineError") return new EngineError(message, fields, options);
  return Object.assign(new Error(message, options), { name });
}
