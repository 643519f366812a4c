/** How often a verifier puts a right program above a wrong one of the same task. */
import { auc } from "../../evaluation/ranking.ts";
import { averagePerTask, estimateMean, type Estimate, type PerTask } from "../../evaluation/statistics.ts";
import type { ExaminedPrograms } from "../results.ts";
import { taskIdsOf, valuesPerTask } from "./by-task.ts";

export interface RankingExamination {
  readonly programs: number;
  readonly right: number;
  /**
   * Over all programs of a seed, whatever their task; the mean over seeds. It also rewards knowing which tasks are
   * easy. `null` where no seed has both right and wrong programs.
   */
  readonly auc: number | null;
  /**
   * Share of the (right, wrong) pairs of a task that the scores order right, ties one half: the mean over a task's
   * seeds, then over the tasks that have such pairs.
   */
  readonly withinTasks: Estimate | null;
  /** The same among programs that pass the public tests: what a verifier adds to them. */
  readonly amongPublicPassing: Estimate | null;
}

/** Ranks whatever programs it is given of a task together. */
export function examineRanking(
  seeds: readonly ExaminedPrograms[],
  options: { readonly seed: number },
): RankingExamination {
  const all = seeds.flatMap(({ attempts }) => attempts);
  const aucs = seeds.map(({ attempts }) => auc(attempts)).filter((value) => value !== undefined);
  const taskIds = taskIdsOf(seeds);
  return {
    programs: all.length,
    right: all.filter(({ outcome }) => outcome).length,
    auc: aucs.length === 0 ? null : aucs.reduce((sum, value) => sum + value, 0) / aucs.length,
    withinTasks: estimate(rankingPerTask(seeds, taskIds), options.seed),
    amongPublicPassing: estimate(rankingPerTask(publicPassing(seeds), taskIds), options.seed),
  };
}

/** A task's ranking accuracy, the mean over seeds; `undefined` where no seed has a pair. */
export function rankingPerTask(seeds: readonly ExaminedPrograms[], taskIds: readonly string[]): (number | undefined)[] {
  return averagePerTask(valuesPerTask(seeds, taskIds, auc));
}

export function publicPassing(seeds: readonly ExaminedPrograms[]): ExaminedPrograms[] {
  return seeds.map((programs) => ({
    ...programs,
    attempts: programs.attempts.filter(({ passesPublicTests }) => passesPublicTests),
  }));
}

function estimate(values: PerTask, seed: number): Estimate | null {
  return values.some((value) => value !== undefined) ? estimateMean(values, { seed }) : null;
}
