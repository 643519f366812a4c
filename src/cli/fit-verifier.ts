/** `mucode fit-verifier`: a verifier from trajectories that are there already. */
import { fitVerifierOnTrajectories, type FitExamination, type FitVerifierReport } from "../api/fit-verifier.ts";
import { fitVerifierSchema } from "../config/recorded-schema.ts";
import type { RankingExamination } from "../evaluation/examine-verifier.ts";
import type { Estimate } from "../evaluation/statistics.ts";
import { renderTable } from "../evaluation/table.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { createProgress } from "./progress.ts";
import { print, widthOf } from "./text-output.ts";

export const registerFitVerifierCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("fit-verifier")
    .description("Fit a verifier to graded trajectories of some tasks, and examine it on the others.")
    .option("--json", "print the report as JSON");
  addConfigurationFlags(command, fitVerifierSchema);
  command.action(async (options: { json?: boolean }) => {
    const configuration = readConfiguration(command, fitVerifierSchema);
    context.setResumeHint("The same command resumes where it left off.");
    const progress = createProgress({ stream: context.stderr, interactive: context.stderr.isTTY ?? false });
    const report = await fitVerifierOnTrajectories({ configuration, progress, signal: context.signal });
    if (options.json) context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else print(context, describeReport(report, widthOf(context.stdout)));
  });
};

function describeReport(report: FitVerifierReport, width: number): string {
  const { fit, seen, heldOut, tasks } = report;
  const table = renderTable({
    columns: [
      "tasks",
      "",
      ...["programs", "right", "AUC", "ranking accuracy", "… public-passing"].map((header) => ({
        header,
        align: "right" as const,
      })),
    ],
    rows: [...rowsOf("fitted to", seen), ...rowsOf("held out", heldOut)],
    width,
  });
  const left = fit.tooLong > 0 ? `, ${fit.tooLong} left out as too long for the model` : "";
  return `${[
    `${tasks.suite} ${tasks.version}, ${tasks.split}; ${fit.examples} examples${left}, ${fit.steps} steps, loss ${showLoss(fit.firstLoss)} → ${showLoss(fit.lastLoss)}`,
    table,
    `fitted − base, ranking accuracy on held-out tasks [95 %, paired]: ${showEstimate(heldOut.gain)}`,
    `${heldOut.tooLong} held-out programs left out as too long for the model`,
    `Verifier: ${report.verifier}`,
  ].join("\n\n")}\n`;
}

function rowsOf(name: string, { base, fitted }: FitExamination): (string | number)[][] {
  const row = (model: string, one: RankingExamination): (string | number)[] => [
    `${name} (${one.tasks})`,
    model,
    one.programs,
    one.right,
    one.auc?.toFixed(3) ?? "-",
    showEstimate(one.ranking),
    showEstimate(one.rankingAmongPublicPassing),
  ];
  return [row("base model", base), row("verifier", fitted)];
}

function showEstimate(estimate: Estimate | null): string {
  if (estimate === null) return "no task with a right and a wrong program";
  const { mean, low, high, taskCount } = estimate;
  return `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] (${taskCount} tasks)`;
}

function showLoss(loss: number | null): string {
  return loss?.toFixed(3) ?? "none";
}
