/** Programs in the groups that scores may be compared within: one verifier's (one seed's), by task. */
import type { ExaminedAttempt, ExaminedPrograms } from "../results.ts";

export interface TaskPrograms {
  readonly taskId: string;
  readonly attempts: readonly ExaminedAttempt[];
}

/** The tasks of one seed, in the order in which they are first seen. */
export function byTask({ attempts }: Pick<ExaminedPrograms, "attempts">): TaskPrograms[] {
  const tasks = new Map<string, ExaminedAttempt[]>();
  for (const attempt of attempts) {
    const known = tasks.get(attempt.taskId);
    if (known) known.push(attempt);
    else tasks.set(attempt.taskId, [attempt]);
  }
  return [...tasks].map(([taskId, ofTask]) => ({ taskId, attempts: ofTask }));
}

/** The same programs, those of one turn alone. */
export function ofTurn(programs: ExaminedPrograms, turnIndex: number): ExaminedPrograms {
  return { ...programs, attempts: programs.attempts.filter((attempt) => attempt.turnIndex === turnIndex) };
}

/** Turns that have programs, ascending. */
export function turnsOf(programs: readonly ExaminedPrograms[]): number[] {
  const turns = new Set(programs.flatMap(({ attempts }) => attempts.map(({ turnIndex }) => turnIndex)));
  return [...turns].toSorted((a, b) => a - b);
}

/**
 * One value of each task from each seed: `result[seedIndex][taskIndex]`, `undefined` where `valueOf` is or where the
 * seed has no program of the task. Tasks stand in the same order for every seed.
 */
export function valuesPerTask<T>(
  seeds: readonly ExaminedPrograms[],
  taskIds: readonly string[],
  valueOf: (attempts: readonly ExaminedAttempt[]) => T | undefined,
): (T | undefined)[][] {
  return seeds.map((programs) => {
    const values = new Map(byTask(programs).map(({ taskId, attempts }) => [taskId, valueOf(attempts)]));
    return taskIds.map((taskId) => values.get(taskId));
  });
}

/** Every task that any seed has programs of. */
export function taskIdsOf(seeds: readonly ExaminedPrograms[]): string[] {
  return [...new Set(seeds.flatMap(({ attempts }) => attempts.map(({ taskId }) => taskId)))];
}
