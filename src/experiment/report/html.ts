import type { ExperimentSummary } from "./summary.ts";

/** One self-contained page: no script, nothing fetched. */
export function renderExperimentHtml(summary: ExperimentSummary): string {
  return `<!doctype html><html lang="en"><title>${summary.info.name}</title></html>`;
}
