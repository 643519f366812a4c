/** What a verifier does with the programs that public tests cannot tell from right ones. */
import { estimateRatio, type RatioPart } from "../../evaluation/ratio.ts";
import type { Estimate } from "../../evaluation/statistics.ts";
import type { ExaminedAttempt, ExaminedPrograms } from "../results.ts";
import { taskIdsOf, valuesPerTask } from "./by-task.ts";

/**
 * A *deceptive* program passes the public tests and is wrong. Looked at are the turns of a task, seed by seed, that
 * have both a deceptive program and a right one; elsewhere there is nothing to demote, or nothing to prefer. A
 * deceptive program is *demoted* when its score is strictly below the highest score of a right program of its turn.
 */
export interface Demotion {
  /** Deceptive programs of the turns looked at, over all seeds, and how many of them are demoted. */
  readonly deceptive: number;
  readonly demoted: number;
  /** `demoted / deceptive`; tasks are resampled. */
  readonly share: Estimate | null;
  /**
   * The turns looked at, and those in which every deceptive program is demoted: there
   * `public-tests-then-verifier` picks a right program, as no wrong program that passes the public tests is above it.
   */
  readonly turns: number;
  readonly turnsAllDemoted: number;
  /** `turnsAllDemoted / turns`; tasks are resampled. */
  readonly shareOfTurns: Estimate | null;
}

export function examineDemotion(seeds: readonly ExaminedPrograms[], options: { readonly seed: number }): Demotion {
  const counts = demotionPerTask(seeds, taskIdsOf(seeds));
  const total = counts.reduce(add, nothing);
  return {
    ...total,
    share: estimateRatio(counts.map(programRatio), options),
    shareOfTurns: estimateRatio(
      counts.map(({ turns, turnsAllDemoted }) => ({ numerator: turnsAllDemoted, denominator: turns })),
      options,
    ),
  };
}

export type DemotionCounts = Pick<Demotion, "deceptive" | "demoted" | "turns" | "turnsAllDemoted">;

/** `result[taskIndex]`: summed over turns and seeds. */
export function demotionPerTask(seeds: readonly ExaminedPrograms[], taskIds: readonly string[]): DemotionCounts[] {
  const bySeed = valuesPerTask(seeds, taskIds, countDemotions);
  return taskIds.map((_, task) => bySeed.reduce((sum, counts) => add(sum, counts[task] ?? nothing), nothing));
}

export function programRatio({ demoted, deceptive }: DemotionCounts): RatioPart {
  return { numerator: demoted, denominator: deceptive };
}

const nothing: DemotionCounts = { deceptive: 0, demoted: 0, turns: 0, turnsAllDemoted: 0 };

/** Of one task and one seed. */
function countDemotions(attempts: readonly ExaminedAttempt[]): DemotionCounts {
  const turns = new Set(attempts.map(({ turnIndex }) => turnIndex));
  return [...turns]
    .map((turn) => countTurn(attempts.filter(({ turnIndex }) => turnIndex === turn)))
    .reduce(add, nothing);
}

function countTurn(attempts: readonly ExaminedAttempt[]): DemotionCounts {
  const deceptive = attempts.filter(({ outcome, passesPublicTests }) => passesPublicTests && !outcome);
  const right = attempts.filter(({ outcome }) => outcome);
  if (deceptive.length === 0 || right.length === 0) return nothing;
  const best = Math.max(...right.map(({ score }) => score));
  const demoted = deceptive.filter(({ score }) => score < best).length;
  return {
    deceptive: deceptive.length,
    demoted,
    turns: 1,
    turnsAllDemoted: demoted === deceptive.length ? 1 : 0,
  };
}

function add(a: DemotionCounts, b: DemotionCounts): DemotionCounts {
  return {
    deceptive: a.deceptive + b.deceptive,
    demoted: a.demoted + b.demoted,
    turns: a.turns + b.turns,
    turnsAllDemoted: a.turnsAllDemoted + b.turnsAllDemoted,
  };
}
