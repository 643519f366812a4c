/** Verdicts on the paper's claims, by rules that were fixed before the experiment was run. */
import type { Estimate } from "../../evaluation/statistics.ts";
import type { ExperimentResults } from "../results.ts";
import { describeClaims, type DescribedComparison } from "./claims-of-the-paper.ts";
import { adjustByHolm, estimateContrast, type ContrastEstimate } from "./contrasts.ts";
import type { ExperimentInfo } from "./info.ts";

export type Verdict = "holds" | "does not hold" | "cannot be told" | "not run";

/**
 * The smallest gain worth having, as a share: about the smallest difference that the paper itself reports as an
 * advantage (1.7 points, PT to PT+LV). Fixed before the experiment was run.
 */
export const SMALLEST_GAIN = 0.015;

export interface Comparison extends DescribedComparison {
  /** `null` when the results lack one of its sides. */
  readonly measured: ContrastEstimate | null;
}

export interface DecidingComparison extends Comparison {
  readonly verdict: Verdict;
  /** Holm's, over the deciding comparisons that were run. */
  readonly adjustedPValue: number | null;
}

export interface Claim {
  readonly number: number;
  readonly statement: string;
  /** Of all parts together. */
  readonly verdict: Verdict;
  /** The claim holds when each of them does. */
  readonly deciding: readonly DecidingComparison[];
  /** Beside the claim: they decide nothing and are adjusted for nothing. */
  readonly exploratory: readonly Comparison[];
}

/**
 * `holds`: the interval lies above 0. `does not hold`: it lies below {@link SMALLEST_GAIN} (and so, too, when it lies
 * below 0). A bootstrap of n equal differences is a point, whatever n; up to 3/n may then hide (the rule of three).
 */
export function verdictOf({ low, high, taskCount }: Estimate): Verdict {
  if (low > 0) return "holds";
  const upper = low === high ? high + 3 / taskCount : high;
  return upper < SMALLEST_GAIN ? "does not hold" : "cannot be told";
}

/** Of a claim, from its parts. */
export function combineVerdicts(parts: readonly Verdict[]): Verdict {
  const decisive = (["does not hold", "not run", "cannot be told"] as const).find((verdict) => parts.includes(verdict));
  return decisive ?? "holds";
}

export function judgeClaims(results: ExperimentResults, info: ExperimentInfo): Claim[] {
  const claims = describeClaims(info).map(({ deciding, exploratory, ...facts }) => {
    const measure = (one: DescribedComparison): Comparison => ({ ...one, measured: estimateContrast(results, one) });
    return { ...facts, deciding: deciding.map(measure), exploratory: exploratory.map(measure) };
  });
  const run = claims.flatMap(({ deciding }) => deciding.flatMap(({ measured }) => measured ?? []));
  const adjusted = adjustByHolm(run.map(({ pValue }) => pValue));
  const adjustedOf = new Map(run.map((measured, index) => [measured, adjusted[index] as number]));
  return claims.map((claim) => {
    const deciding = claim.deciding.map((one): DecidingComparison => ({
      ...one,
      verdict: one.measured === null ? "not run" : verdictOf(one.measured.estimate),
      adjustedPValue: one.measured === null ? null : (adjustedOf.get(one.measured) ?? null),
    }));
    return { ...claim, verdict: combineVerdicts(deciding.map(({ verdict }) => verdict)), deciding };
  });
}
