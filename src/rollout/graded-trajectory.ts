/** Trajectories with outcomes: what evaluation counts, and what training aggregates as D (step 2 of the method). */
import type { Verdict } from "../grading/grade.ts";
import type { Trajectory } from "./trajectory.ts";

/** A trajectory with the outcome of every turn: whether its program passes all tests, public and private. */
export interface GradedTrajectory extends Trajectory {
  /** `outcomes[turnIndex]` */
  readonly outcomes: readonly boolean[];
}

/** A distinct program of a task, with where it was first found. */
export interface Attempt {
  readonly program: string;
  /** Raw text that the program was taken from. */
  readonly completion: string;
  /** On the public tests. */
  readonly verdict: Verdict;
  readonly outcome: boolean;
}

/** A trajectory is successful when its last program is right. */
export function isSuccessful(trajectory: GradedTrajectory): boolean {
  return trajectory.outcomes.at(-1) === true;
}

/** What the rollout would have been under a limit of `count` turns: a turn depends on those before it alone. */
export function firstTurns(trajectory: GradedTrajectory, count: number): GradedTrajectory {
  if (trajectory.turns.length <= count) return trajectory;
  const { turns, outcomes } = trajectory;
  return { ...trajectory, turns: turns.slice(0, count), outcomes: outcomes.slice(0, count), stopReason: "turn-limit" };
}

/** Trajectories of each task, in the order of `trajectories`. */
export function groupByTask(trajectories: readonly GradedTrajectory[]): Map<string, GradedTrajectory[]> {
  const groups = new Map<string, GradedTrajectory[]>();
  for (const trajectory of trajectories) {
    const group = groups.get(trajectory.taskId);
    if (group) group.push(trajectory);
    else groups.set(trajectory.taskId, [trajectory]);
  }
  return groups;
}

/** D(x): the distinct programs of one task over all its trajectories and turns, in order of discovery. */
export function distinctAttempts(trajectories: readonly GradedTrajectory[]): Attempt[] {
  const attempts = new Map<string, Attempt>();
  for (const { turns, outcomes } of trajectories) {
    for (const { program, completion, verdict, turnIndex } of turns) {
      if (program === null || attempts.has(program)) continue;
      attempts.set(program, { program, completion, verdict, outcome: outcomes[turnIndex]! });
    }
  }
  return [...attempts.values()];
}
