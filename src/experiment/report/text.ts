/** The report for a terminal: verdicts, then tables. */
import { renderTable } from "../../evaluation/table.ts";
import { decidingTable, exploratoryTable, verdictTable } from "./claim-tables.ts";
import { SMALLEST_GAIN } from "./claims.ts";
import { KEY } from "./names.ts";
import type { ExperimentSummary } from "./summary.ts";
import { solveRateTables, type ReportTable } from "./tables.ts";
import { costTables, recoverabilityTable, verifierTables } from "./verifier-tables.ts";

/** Tables are made for `width`; sentences are not broken. */
export function renderExperimentText(summary: ExperimentSummary, width?: number): string {
  const { info, claims } = summary;
  const tables = [
    verdictTable(claims),
    decidingTable(claims),
    exploratoryTable(claims),
    ...solveRateTables(summary),
    ...verifierTables(summary),
    recoverabilityTable(summary),
    ...costTables(summary),
  ].filter(({ rows }) => rows.length > 0);
  return [
    `${info.name}: ${describeScope(summary)}`,
    KEY.map(([term, meaning]) => `${term.padEnd(14)}  ${meaning}`).join("\n"),
    ...tables.map((table) => renderTableText(table, width)),
    VERDICT_RULE,
  ].join("\n\n");
}

export function describeScope({ seeds, heldOutTasks, info }: ExperimentSummary): string {
  const number = (count: number): string => count.toLocaleString("en-US");
  return `${number(info.trainingTasks)} training tasks, ${number(heldOutTasks)} held-out tasks, ${seeds.length} ${
    seeds.length === 1 ? "seed" : "seeds"
  } (${seeds.join(", ")}); tests ${info.search.showPublicTests ? "shown" : "hidden"} unless said otherwise`;
}

export const VERDICT_RULE = `A claim holds when the interval of each deciding comparison lies above 0. It does not hold when one of them lies below ${(
  100 * SMALLEST_GAIN
).toFixed(
  1,
)} points, the smallest gain worth having, fixed before the experiment was run as about the smallest that the paper reports as an advantage (1.7 points, PT to PT+LV). Otherwise it cannot be told from these results.`;

function renderTableText({ title, columns, rows, note }: ReportTable, width?: number): string {
  return [title, renderTable({ columns, rows, width }), ...(note === undefined ? [] : [note])].join("\n");
}
