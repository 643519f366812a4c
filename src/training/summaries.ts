/** What a stage tells of itself once it is finished. */
import type { Failure } from "../rollout/collect.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";

export interface RolloutSummary {
  readonly rollouts: number;
  readonly failures: readonly Failure[];
  /** Share of rollouts whose program at turn t (or their last one before) is right: `solvedByTurn[t]`. */
  readonly solvedByTurn: readonly number[];
  /** Among first programs that pass the public tests, the share that fails a private one; null without any. */
  readonly publicPassingWrong: number | null;
  /** Among rollouts whose first program fails its public tests, the share right at turn 2; null without any. */
  readonly repairedAtTurn2: number | null;
}

export function summarizeRollouts(
  trajectories: readonly GradedTrajectory[],
  failures: readonly Failure[],
): RolloutSummary {
  return { rollouts: trajectories.length, failures, ...describeTurns(trajectories) };
}

export function describeTurns(
  trajectories: readonly GradedTrajectory[],
): Pick<RolloutSummary, "solvedByTurn" | "publicPassingWrong" | "repairedAtTurn2"> {
  const longest = Math.max(0, ...trajectories.map(({ turns }) => turns.length));
  const solvedByTurn = Array.from({ length: longest }, (_, turn) =>
    share(trajectories, ({ outcomes }) => outcomes[Math.min(turn, outcomes.length - 1)]!),
  ).map((value) => value ?? 0);
  const passing = trajectories.filter(({ turns }) => turns[0]!.verdict === "passed");
  const repairable = trajectories.filter(({ turns }) => turns.length > 1);
  return {
    solvedByTurn,
    publicPassingWrong: share(passing, ({ outcomes }) => !outcomes[0]),
    repairedAtTurn2: share(repairable, ({ outcomes }) => outcomes[1]!),
  };
}

function share<T>(items: readonly T[], holds: (item: T) => boolean): number | null {
  return items.length === 0 ? null : items.filter(holds).length / items.length;
}
