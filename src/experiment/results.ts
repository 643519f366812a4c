/**
 * What an experiment's runs leave behind for its report: per-task outcomes, examined programs, learning curves and
 * costs. Whoever runs arms writes these; statistics, claims, tables and plots read nothing else.
 */
import type { SelectionRule } from "../search/selection-rules.ts";

/** An arm trains one generator per seed. `base` trains nothing. */
export type ArmName =
  | "base"
  | "rft-single-turn"
  | "rft"
  | "rft-equal-steps"
  | "mucode-1"
  | "mucode"
  | "mucode-outcome"
  | "mucode-verifier"
  | "mucode-bce";

/** A verifier of one seed; all are fitted from the base model. `base-data` saw the base model's programs alone. */
export type VerifierName = "bradley-terry" | "bce" | "bradley-terry-base-data";

/** How held-out tasks were solved. */
export interface Protocol {
  /** `greedy` is one candidate per turn at temperature 0. */
  readonly rule: "greedy" | SelectionRule;
  /** N; 1 for `greedy`. */
  readonly candidates: number;
  /** Most turns. */
  readonly turns: number;
  readonly showPublicTests: boolean;
  /** Whose scores the rule ranks by; `null` for rules without scores. */
  readonly verifier: VerifierName | null;
}

export interface ProtocolOutcomes {
  readonly arm: ArmName;
  readonly seed: number;
  readonly protocol: Protocol;
  /**
   * [held-out tasks][protocol.turns] whether the final program passes all tests when at most t + 1 turns are allowed:
   * a search of T turns holds all shorter ones. `null` where the infrastructure failed.
   */
  readonly solvedWithin: readonly (readonly boolean[] | null)[];
}

/** One program of one task as a verifier sees it, with what it does not see. */
export interface ExaminedAttempt {
  readonly taskId: string;
  /** The turn at which it was written. */
  readonly turnIndex: number;
  /** A logit; finite. */
  readonly score: number;
  readonly outcome: boolean;
  readonly passesPublicTests: boolean;
}

/** Distinct programs of each (task, turn), all candidates and not only chosen ones. */
export interface ExaminedPrograms {
  readonly verifier: VerifierName;
  /** Who wrote the programs. */
  readonly arm: ArmName;
  readonly seed: number;
  /** `train`: programs of the tasks that the verifier was fitted on. */
  readonly split: "train" | "held-out";
  readonly attempts: readonly ExaminedAttempt[];
}

/** N first-turn candidates of each held-out task, duplicates kept: what closed forms over k of N are computed from. */
export interface FirstCandidates {
  readonly arm: ArmName;
  readonly seed: number;
  readonly showPublicTests: boolean;
  /** [held-out tasks][N]; `null` where the infrastructure failed. */
  readonly candidates: readonly (readonly FirstCandidate[] | null)[];
}

export interface FirstCandidate {
  readonly outcome: boolean;
  readonly passesPublicTests: boolean;
  /** −∞ is written as `null`: a completion without a program. */
  readonly scores: Readonly<Partial<Record<VerifierName, number | null>>>;
}

/** Mean losses of one fit, at most 40 points evenly over its steps. */
export interface LearningCurve {
  readonly arm: ArmName;
  readonly seed: number;
  /** From 1. */
  readonly iteration: number;
  readonly of: "generator" | "verifier";
  readonly steps: number;
  readonly points: readonly { readonly step: number; readonly loss: number }[];
}

/** What was computed for an arm. A stage that several arms use is charged in full to each, and says that it is shared. */
export interface StageCost {
  readonly arm: ArmName;
  readonly seed: number;
  /** The stage's name in the run directory. */
  readonly stage: string;
  readonly kind: "rollouts" | "verifier training" | "generator training" | "evaluation";
  readonly shared: boolean;
  /** Wall-clock. */
  readonly seconds: number;
  /** Tokens sampled, or trained on. */
  readonly tokens: number;
  /** Programs written. */
  readonly programs: number;
}

/** How far one-step recoverability holds: of the states visited before turn t, how many were solved in that turn. */
export interface Recoverability {
  readonly arm: ArmName;
  readonly seed: number;
  /** From 0: the turn that was to be written. State 0 is the prompt alone. */
  readonly turnIndex: number;
  readonly states: number;
  readonly solved: number;
}

export interface ExperimentResults {
  readonly seeds: readonly number[];
  /** Ids of the held-out tasks, in the order of every array over tasks. */
  readonly heldOut: readonly string[];
  readonly outcomes: readonly ProtocolOutcomes[];
  readonly examined: readonly ExaminedPrograms[];
  readonly firstCandidates: readonly FirstCandidates[];
  readonly learningCurves: readonly LearningCurve[];
  readonly costs: readonly StageCost[];
  /** Sampled rollouts of the training tasks (temperature of training), by generator. */
  readonly recoverability: readonly Recoverability[];
}
