import type { ExperimentResults } from "../results.ts";
import type { ExperimentInfo } from "./info.ts";

/** Everything that a report says, as data: this is `report.json`. */
export interface ExperimentSummary {
  readonly info: ExperimentInfo;
  readonly seeds: readonly number[];
  readonly heldOutTasks: number;
}

export function summarizeExperiment(results: ExperimentResults, info: ExperimentInfo): ExperimentSummary {
  return { info, seeds: results.seeds, heldOutTasks: results.heldOut.length };
}
