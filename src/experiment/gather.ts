/** From what stages left behind to the rows of {@link ExperimentResults}. */
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import type { Iteration } from "../training/expert-iteration.ts";
import type { ExaminedTrainingTask } from "./examine-training.ts";
import type {
  ArmName,
  ExaminedAttempt,
  ExaminedPrograms,
  FirstCandidates,
  LearningCurve,
  Protocol,
  ProtocolOutcomes,
  Recoverability,
  StageCost,
  VerifierName,
} from "./results.ts";
import type { ExaminedProgram, TaskRecord } from "./solve-task.ts";
import { protocolKey } from "./solve-task.ts";

/** Whose results they are. */
export interface Origin {
  readonly arm: ArmName;
  readonly seed: number;
}

export const VERIFIERS: readonly VerifierName[] = ["bradley-terry", "bce", "bradley-terry-base-data"];

/** `records[i]` belongs to the i-th held-out task. */
export function outcomesOf(
  origin: Origin,
  protocols: readonly Protocol[],
  records: readonly (TaskRecord | null)[],
): ProtocolOutcomes[] {
  return protocols.map((protocol) => ({
    ...origin,
    protocol,
    solvedWithin: records.map((record) => record?.solved[protocolKey(protocol)] ?? null),
  }));
}

export function firstCandidatesOf(origin: Origin, records: readonly (TaskRecord | null)[]): FirstCandidates {
  return {
    ...origin,
    showPublicTests: false,
    candidates: records.map((record) => record && record.firstCandidates),
  };
}

export function examinedHeldOut(origin: Origin, records: readonly (TaskRecord | null)[]): ExaminedPrograms[] {
  const programs = records.flatMap((record) =>
    record === null ? [] : record.examined.map((program) => ({ taskId: record.taskId, program })),
  );
  return VERIFIERS.map((verifier) => ({
    ...origin,
    verifier,
    split: "held-out",
    attempts: attemptsOf(verifier, programs),
  }));
}

export function examinedTraining(seed: number, records: readonly ExaminedTrainingTask[]): ExaminedPrograms[] {
  const arms = [...new Set(records.flatMap(({ programs }) => Object.keys(programs) as ArmName[]))];
  return arms.flatMap((arm) => {
    const programs = records.flatMap(({ taskId, programs: byArm }) =>
      (byArm[arm] ?? []).map((program) => ({ taskId, program })),
    );
    return VERIFIERS.map((verifier): ExaminedPrograms => ({
      arm,
      seed,
      verifier,
      split: "train",
      attempts: attemptsOf(verifier, programs),
    }));
  });
}

/** Programs that the verifier cannot read have no score and are left out. */
function attemptsOf(
  verifier: VerifierName,
  programs: readonly { readonly taskId: string; readonly program: ExaminedProgram }[],
): ExaminedAttempt[] {
  return programs.flatMap(({ taskId, program: { turnIndex, outcome, passesPublicTests, scores } }) => {
    const score = scores[verifier];
    return typeof score === "number" ? [{ taskId, turnIndex, score, outcome, passesPublicTests }] : [];
  });
}

export function learningCurvesOf(origin: Origin, iterations: readonly Iteration[]): LearningCurve[] {
  return iterations.flatMap(({ generatorFit, verifierFit }, index) =>
    (
      [
        ["verifier", verifierFit],
        ["generator", generatorFit],
      ] as const
    ).flatMap(([of, fit]): LearningCurve[] =>
      fit === undefined ? [] : [{ ...origin, iteration: index + 1, of, steps: fit.steps, points: fit.curve ?? [] }],
    ),
  );
}

export function recoverabilityOf(origin: Origin, trajectories: readonly GradedTrajectory[]): Recoverability[] {
  const longest = Math.max(0, ...trajectories.map(({ turns }) => turns.length));
  return Array.from({ length: longest }, (_, turnIndex) => {
    const visited = trajectories.filter(({ turns }) => turns.length > turnIndex);
    const solved = visited.filter(({ outcomes }) => outcomes[turnIndex]).length;
    return { ...origin, turnIndex, states: visited.length, solved };
  });
}

type Cost = Omit<StageCost, "arm" | "seed" | "shared" | "seconds">;

export function rolloutCost(stage: string, trajectories: readonly GradedTrajectory[]): Cost {
  const turns = trajectories.flatMap((trajectory) => trajectory.turns);
  const tokens = turns.reduce((sum, { tokenCount }) => sum + (tokenCount ?? 0), 0);
  return { stage, kind: "rollouts", tokens, programs: turns.length };
}

export function evaluationCost(stage: string, records: readonly (TaskRecord | null)[]): Cost {
  const sum = (count: (record: TaskRecord) => number): number =>
    records.reduce((total, record) => total + (record === null ? 0 : count(record)), 0);
  return {
    stage,
    kind: "evaluation",
    tokens: sum(({ tokens }) => tokens),
    programs: sum(({ programs }) => programs),
  };
}

export function fitCost(
  stage: string,
  kind: "generator training" | "verifier training",
  fit: { readonly tokens: number },
): Cost {
  return { stage, kind, tokens: fit.tokens, programs: 0 };
}
