/**
 * What the loop asks of whoever trains: stages with a data set in and a checkpoint out. The loop does not know how a
 * stage is computed.
 */
import type { Generator } from "../generator/generator.ts";
import type { Verifier } from "../verifier/verifier.ts";
import type { GeneratorExample } from "./relabel.ts";
import type { VerifierLabel, VerifierPair } from "./verifier-data.ts";

/** A directory in Hugging Face layout. */
export interface Checkpoint {
  readonly directory: string;
}

export interface TrainingRequest {
  /** Where to start; the stage trains a copy. */
  readonly from: Checkpoint;
  /** Where the result goes; complete once the stage resolves. */
  readonly to: Checkpoint;
  readonly seed: number;
  /** Exactly so many optimizer steps, going round the examples as often as needed. Default: the settings' epochs. */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  /** Called after each optimizer step. */
  readonly onStep?: (step: { readonly done: number; readonly total: number; readonly loss: number }) => void;
  /** Called within a step, from none done on: `share` of it is computed, in [0, 1). Not every trainer tells. */
  readonly onPart?: (part: { readonly total: number; readonly share: number }) => void;
}

export type VerifierData =
  | { readonly loss: "bradley-terry"; readonly pairs: readonly VerifierPair[] }
  | { readonly loss: "bce"; readonly labels: readonly VerifierLabel[] };

/** What a stage reports: mean losses of the first and the last tenth of the steps, and what was computed. */
export interface TrainingSummary {
  readonly steps: number;
  readonly examples: number;
  /** Left out because they do not fit the context. */
  readonly tooLong: number;
  readonly tokens: number;
  readonly firstLoss: number | null;
  readonly lastLoss: number | null;
  /** Mean losses of at most 40 even stretches of the steps, each with its last step, from 1. Not every trainer tells. */
  readonly curve?: readonly { readonly step: number; readonly loss: number }[];
}

export interface Trainer {
  trainGenerator(examples: readonly GeneratorExample[], request: TrainingRequest): Promise<TrainingSummary>;
  trainVerifier(data: VerifierData, request: TrainingRequest): Promise<TrainingSummary>;
  openGenerator(checkpoint: Checkpoint): Promise<Generator>;
  openVerifier(checkpoint: Checkpoint): Promise<Verifier>;
}
