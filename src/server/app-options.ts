/** What a server serves, to whom, and within which limits. */
import type { Clock } from "../clock.ts";
import type { Tokenizer, TrainableModel } from "../engine/engine.ts";
import type { Admission } from "./admission.ts";

export interface ServedModel {
  readonly model: TrainableModel;
  /** What the model gives: text, or one number per sequence. */
  readonly output: "text" | "score";
  /** What clients call it. */
  readonly name: string;
  /** Of its weights: equal fingerprints, seeds and prompts give equal texts. */
  readonly fingerprint: string;
}

export interface AppOptions extends ServedModel {
  readonly admission: Admission;
  /** For text that came by a parameter. */
  readonly boundedTokenizer: (param: string) => Tokenizer;
  /** `undefined`: everybody who reaches the server by a loopback address may use it. */
  readonly apiKey: string | undefined;
  readonly maxBodyBytes: number;
  /** New tokens per choice, at most. */
  readonly maxTokens: number;
  readonly requestTimeoutMs: number;
  readonly clock: Pick<Clock, "limit">;
  /** Gives up what is under way. */
  readonly signal: AbortSignal;
  /** Told of failures that are the server's fault. */
  readonly onError: (error: unknown) => void;
}
