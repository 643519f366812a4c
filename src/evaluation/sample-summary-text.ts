/** The summary of graded samples as a person reads it. */
import type { PassAtK, SampleSummary } from "./sample-summary.ts";
import { renderTable } from "./table.ts";

const MAX_NAMED_TASKS = 5;

/** What each verdict means, in the order in which they are listed. */
const MEANINGS = {
  passed: "passes every public and private test",
  failed: "wrong answer",
  error: "raises an exception or ends early",
  "timed-out": "over the limit of time",
  "out-of-memory": "over the limit of memory",
} as const satisfies Partial<Record<keyof SampleSummary["verdicts"], string>>;

export interface RenderSummaryOptions {
  /** Names the tasks beside every score: `humaneval 1, test (164 tasks, sha256 0123456789ab)`. */
  readonly tasks: string;
  /** Places of a line, at most. Default: as many as it takes. */
  readonly width?: number;
}

/** Two tables and, where there are any, the tasks without samples; no final newline. */
export function renderSampleSummary(summary: SampleSummary, { tasks, width }: RenderSummaryOptions): string {
  const parts = [
    renderTable({
      columns: ["score", "value", "95 % interval", "over", "of"],
      rows: summary.passAtK.map((entry) => scoreRow(entry, summary.tasks, tasks)),
      width,
    }),
    ...summary.passAtK.flatMap((entry) => missingNote(entry, summary.tasks)),
    "",
    renderTable({ columns: ["verdict", "samples", ""], rows: verdictRows(summary), width }),
  ];
  const { tasksWithoutSamples: without } = summary;
  if (without.length > 0) {
    const more = without.length > MAX_NAMED_TASKS ? ", …" : "";
    const named = `${without.slice(0, MAX_NAMED_TASKS).join(", ")}${more}`;
    parts.push("", `${without.length} of ${summary.tasks} tasks have no sample: ${named}`);
  }
  return parts.join("\n");
}

function scoreRow({ k, estimate, undefinedTasks }: PassAtK, taskCount: number, tasks: string): string[] {
  const over = `${taskCount - undefinedTasks}/${taskCount} tasks`;
  if (estimate === null) return [`pass@${k}`, "undefined", "", over, tasks];
  const { mean, low, high } = estimate;
  return [`pass@${k}`, `${percent(mean)} %`, `${percent(low)}–${percent(high)} %`, over, tasks];
}

function missingNote({ k, undefinedTasks }: PassAtK, taskCount: number): string[] {
  if (undefinedTasks === 0) return [];
  const who = undefinedTasks === taskCount ? "no task has" : `${undefinedTasks} of ${taskCount} tasks do not have`;
  return [`pass@${k}: ${who} ${k === 1 ? "a graded sample" : `${k} graded samples`}`];
}

function verdictRows({ verdicts, ungradable }: SampleSummary): (string | number)[][] {
  const ran = Object.entries(MEANINGS).map(([verdict, meaning]) => [
    verdict,
    verdicts[verdict as keyof typeof MEANINGS],
    meaning,
  ]);
  return [
    ...ran,
    ["no program", verdicts["no-program"], "extraction failed: the text holds nothing to run"],
    ["ungradable", ungradable, "the infrastructure failed; left out of every score"],
  ];
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}
