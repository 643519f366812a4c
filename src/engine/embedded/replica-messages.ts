/** What is said between the thread of a model's user and the threads of its replicas. */
import * as errors from "../../errors.ts";
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
  /** Tells how many more sequences are done. */
  forward(given: readonly Datum[]): Float32Array[];
  /** Tells how many more sequences are done. */
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

/** What a call under way tells: a line for people, a token, or how many more sequences are computed. */
export type Told = string | SampledToken | number;

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
  /** Names of its class and of those that it extends, the nearest first. */
  readonly kinds: readonly string[];
  readonly message: string;
  readonly stack: string | undefined;
  readonly fields: string;
  readonly cause: SentError | undefined;
}

export function sendError(error: unknown): SentError {
  const { name, message, stack, fields, cause } = asError(error);
  return {
    name,
    kinds: kindsOf(error),
    message,
    stack,
    fields: JSON.stringify(fields ?? {}),
    cause: cause === undefined ? undefined : sendError(cause),
  };
}

function asError(thrown: unknown): Error & { readonly fields?: object } {
  return thrown instanceof Error ? thrown : new Error(typeof thrown === "string" ? thrown : JSON.stringify(thrown));
}

function kindsOf(error: unknown): string[] {
  const kinds: string[] = [];
  for (let kind = error; kind instanceof Error; kind = Object.getPrototypeOf(kind)) kinds.push(kind.constructor.name);
  return kinds;
}

type ErrorKind = new (message: string, fields: errors.ErrorFields, options: ErrorOptions) => Error;
const errorKinds: ReadonlyMap<string, ErrorKind> = new Map(Object.entries(errors));

/** Of the nearest of its classes that `errors.ts` has; others are plain errors with their name. */
export function receiveError({ name, kinds, message, stack, fields, cause }: SentError): Error {
  const options = cause === undefined ? {} : { cause: receiveError(cause) };
  const known = kinds.map((kind) => errorKinds.get(kind)).find((kind) => kind !== undefined);
  const error = known
    ? new known(message, JSON.parse(fields) as errors.ErrorFields, options)
    : new Error(message, options);
  return Object.assign(error, { name, ...(stack !== undefined && { stack }) });
}
