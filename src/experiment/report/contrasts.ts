/** Paired contrasts between conditions, and what several of them at once do to the chance of a false alarm. */
import {
  averagePerTask,
  estimateDifference,
  intervalOverRuns,
  resampledMeans,
  type Estimate,
  type PerTask,
} from "../../evaluation/statistics.ts";
import type { ExperimentResults } from "../results.ts";
import { isKnown, meansBySeed, runsUnder, type Condition, type SeedRun, type SeedValue } from "./solve-rates.ts";

/** The sum of the solve rates under `plus` less the sum of those under `minus`; one of each is a plain difference. */
export interface Contrast {
  readonly label: string;
  readonly plus: readonly Condition[];
  readonly minus: readonly Condition[];
}

export interface ContrastEstimate {
  /** Over tasks, each task's value being its mean over seeds: what makes a task hard for both sides cancels. */
  readonly estimate: Estimate;
  readonly perSeed: readonly SeedValue[];
  /** 95 %, for other seeds as well, which would draw other training tasks; `null` for one seed. */
  readonly overSeeds: { readonly low: number; readonly high: number } | null;
  readonly pValue: number;
}

/** `null` when the results lack one of the conditions, or no task is known on both sides. */
export function estimateContrast(results: ExperimentResults, contrast: Contrast): ContrastEstimate | null {
  const plus = contrast.plus.map((condition) => runsUnder(results, condition));
  const minus = contrast.minus.map((condition) => runsUnder(results, condition));
  if (![...plus, ...minus].every(isKnown)) return null;
  const overSeeds = (sides: readonly (readonly SeedRun[])[]): PerTask =>
    sumPerTask(sides.map((runs) => averagePerTask(runs.map(({ solved }) => solved))));
  const [before, after] = [overSeeds(minus), overSeeds(plus)];
  const differences = subtractPerTask(after, before).filter((value) => value !== undefined);
  if (differences.length === 0) return null;
  const bySeed = results.seeds.flatMap((seed): SeedRun[] => {
    const ofSeed = (sides: readonly (readonly SeedRun[])[]): PerTask[] =>
      sides.flatMap((runs) => runs.filter((run) => run.seed === seed).map(({ solved }) => solved));
    const [seedPlus, seedMinus] = [ofSeed(plus), ofSeed(minus)];
    if (seedPlus.length < plus.length || seedMinus.length < minus.length) return [];
    return [{ seed, solved: subtractPerTask(sumPerTask(seedPlus), sumPerTask(seedMinus)) }];
  });
  return {
    estimate: estimateDifference({ before, after }),
    perSeed: meansBySeed(bySeed),
    overSeeds: intervalOverRuns(bySeed.map(({ solved }) => solved)) ?? null,
    pValue: bootstrapPValue(differences),
  };
}

/**
 * Two-sided p-value of a mean of 0, from the same bootstrap as the interval: twice the smaller of the shares of
 * resampled means at or below 0 and at or above 0, each counted with one more resample so that it is never 0.
 */
export function bootstrapPValue(differences: readonly number[]): number {
  const means = resampledMeans(differences);
  // Sums of thirds: what should cancel to 0 may miss it by rounding.
  const tolerance = 1e-12;
  const atMost = means.filter((mean) => mean <= tolerance).length;
  const atLeast = means.filter((mean) => mean >= -tolerance).length;
  return Math.min(1, (2 * (Math.min(atMost, atLeast) + 1)) / (means.length + 1));
}

/** Holm's step-down adjustment (Holm 1979), in the order given: compare each with the level wanted of the whole family. */
export function adjustByHolm(pValues: readonly number[]): number[] {
  const ascending = pValues.map((_, index) => index).toSorted((a, b) => (pValues[a] ?? 0) - (pValues[b] ?? 0));
  const adjusted: number[] = [];
  let largest = 0;
  ascending.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * (pValues[index] ?? 0)));
    adjusted[index] = largest;
  });
  return adjusted;
}

/** `undefined` where one of the terms is. */
function sumPerTask(terms: readonly PerTask[]): PerTask {
  const [first = [], ...rest] = terms;
  return rest.reduce<PerTask>(
    (sum, term) =>
      sum.map((value, task) => {
        const more = term[task];
        return value === undefined || more === undefined ? undefined : value + more;
      }),
    first,
  );
}

/** `undefined` where one side is. */
function subtractPerTask(after: PerTask, before: PerTask): PerTask {
  return after.map((value, task) => {
    const earlier = before[task];
    return value === undefined || earlier === undefined ? undefined : value - earlier;
  });
}
