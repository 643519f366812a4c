/** `mucode grade`: recorded samples in, verdicts and pass@k out. */
import { Option } from "commander";
import { gradeSamples, type GradeSamplesReport } from "../api/grade.ts";
import { renderSampleSummary } from "../evaluation/sample-summary-text.ts";
import { SUITE_NAMES } from "../tasks/suites.ts";
import type { RegisterCommand } from "./context.ts";
import { exitCodes } from "./errors.ts";
import { parsePositive, timeLimitOption } from "./flag-values.ts";
import { createProgress } from "./progress.ts";
import { stopOption } from "./stop-option.ts";
import { print, widthOf } from "./text-output.ts";

interface GradeFlags {
  readonly suite: string;
  readonly data?: string;
  readonly split: string;
  readonly limit?: number;
  readonly sandbox: "auto" | "native" | "pyodide";
  readonly workers?: number;
  readonly timeLimit?: number;
  readonly k: readonly number[];
  readonly stop?: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

export const registerGradeCommand: RegisterCommand = (program, context) => {
  program
    .command("grade")
    .description("Grade recorded samples and estimate pass@k; running it again goes on where it stopped.")
    .argument("<samples>", 'JSON Lines, plain or gzipped: {"task_id", "completion"} or {"task_id", "solution"}')
    .requiredOption("--suite <name>", SUITE_NAMES.join(" | "))
    .option("--data <dir>", "directory of the suite's files")
    .option("--split <name>", "which tasks", "test")
    .option("--limit <n>", "the first n tasks; suites without end need it", parsePositive)
    .addOption(
      new Option("--sandbox <name>", "what runs the programs").choices(["auto", "native", "pyodide"]).default("auto"),
    )
    .addOption(timeLimitOption())
    .option("--workers <n>", "processes that run programs (default: one per core)", parsePositive)
    .option("--k <list>", "estimate pass@k for these, separated by commas", parseKs, [1, 10, 100])
    .addOption(stopOption())
    .option("--out <file>", "results, one line per sample (default: SAMPLES.results.jsonl)")
    .option("--json", "print the summary as JSON")
    .action(async (samples: string, { k, json, ...flags }: GradeFlags) => {
      context.setResumeHint("What is graded is kept; the same command goes on from there.");
      const progress = createProgress({ stream: context.stderr });
      try {
        const report = await gradeSamples({ samples, ...flags, ks: k, progress, signal: context.signal });
        if (json) context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
        else print(context, describeReport(report, widthOf(context.stdout)));
        const failed = report.ungradable - report.notGradable;
        if (failed > 0) {
          const count = `${failed} of ${report.samples} samples`;
          context.stderr.write(`${count} could not be graded; the same command tries these again.\n`);
          context.setExitCode(exitCodes.failed);
        }
      } finally {
        progress.close();
      }
    });
};

function describeReport(report: GradeSamplesReport, width: number): string {
  const { suite, version, split, count, hash } = report.taskSet;
  const tasks = `${suite} ${version}, ${split} (${count} tasks, sha256 ${hash.slice(0, 12)})`;
  return `${[
    `${report.samplesFile}: ${report.samples} samples, run by ${report.sandbox}`,
    ...report.notes.map((note) => `note: ${note}`),
    "",
    renderSampleSummary(report, { tasks, width }),
    "",
    `One line per sample is in ${report.results}.`,
  ].join("\n")}\n`;
}

function parseKs(text: string): number[] {
  return [...new Set(text.split(",").map((part) => parsePositive(part.trim())))].toSorted((a, b) => a - b);
}
