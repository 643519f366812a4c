import type { ExperimentSummary } from "./summary.ts";

/** Claims and tables for a terminal. */
export function renderExperimentText(summary: ExperimentSummary): string {
  return `${summary.info.name}: ${summary.heldOutTasks} held-out tasks, ${summary.seeds.length} seeds`;
}
