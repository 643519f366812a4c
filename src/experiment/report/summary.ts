/** Everything that a report says, computed from the results alone. */
import type { ExperimentResults, LearningCurve } from "../results.ts";
import { judgeClaims, type Claim } from "./claims.ts";
import { computeClosedForms, type ClosedForm } from "./closed-forms.ts";
import { sumCosts, summarizeRecoverability, type CostTable, type RecoverabilityRow } from "./costs.ts";
import type { ExperimentInfo } from "./info.ts";
import { estimateSolveRates, type SolveRate } from "./solve-rates.ts";
import { compareExamined, examineVerifiers, type ComparedVerifiers, type ExaminedVerifier } from "./verifiers.ts";

/** This is `report.json`. Shares are in 0…1, differences of shares in −1…1. */
export interface ExperimentSummary {
  readonly info: ExperimentInfo;
  readonly seeds: readonly number[];
  readonly heldOutTasks: number;
  readonly claims: readonly Claim[];
  readonly solveRates: readonly SolveRate[];
  readonly closedForms: readonly ClosedForm[];
  readonly verifiers: readonly ExaminedVerifier[];
  readonly verifierDifferences: readonly ComparedVerifiers[];
  readonly recoverability: readonly RecoverabilityRow[];
  readonly costs: CostTable;
  readonly learningCurves: readonly LearningCurve[];
}

/** Deterministic: equal results give equal reports. */
export function summarizeExperiment(results: ExperimentResults, info: ExperimentInfo): ExperimentSummary {
  return {
    info,
    seeds: results.seeds,
    heldOutTasks: results.heldOut.length,
    claims: judgeClaims(results, info),
    solveRates: estimateSolveRates(results),
    closedForms: computeClosedForms(results),
    verifiers: examineVerifiers(results, info),
    verifierDifferences: compareExamined(results),
    recoverability: summarizeRecoverability(results),
    costs: sumCosts(results),
    learningCurves: results.learningCurves,
  };
}
