/** The report of an experiment: statistics and verdicts as data (`report.json`), as text and as one HTML file. */
export type { ExperimentInfo } from "./info.ts";
export { summarizeExperiment, type ExperimentSummary } from "./summary.ts";
export { renderExperimentText } from "./text.ts";
export { renderExperimentHtml } from "./html.ts";
