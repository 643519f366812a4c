/** `mucode eval`: one model on held-out tasks. */
import { evaluate, type EvaluateReport } from "../api/evaluate.ts";
import { evalSchema } from "../config/eval-schema.ts";
import { RefusedError } from "../errors.ts";
import { renderByTurn } from "../evaluation/by-turn.ts";
import { renderComparison } from "../evaluation/render-comparison.ts";
import { renderTime } from "../evaluation/render-time.ts";
import type { Failure } from "../rollout/collect.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { describeFingerprint, describeModel, describeUsage, describeVerifier } from "./model-text.ts";
import { createProgress } from "./progress.ts";
import { print, widthOf } from "./text-output.ts";

export const registerEvalCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("eval")
    .description("Evaluate a checkpoint or a served model on a suite: greedy, sampled, best-of-N by every rule.")
    .option("--json", "print the report as JSON");
  addConfigurationFlags(command, evalSchema);
  command.action(async (options: { json?: boolean }) => {
    const configuration = readConfiguration(command, evalSchema);
    context.setResumeHint("The same command resumes where it left off.");
    const progress = createProgress({ stream: context.stderr, interactive: context.stderr.isTTY ?? false });
    const report = await evaluate({ configuration, progress, signal: context.signal });
    if (options.json) context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else print(context, describeReport(report, widthOf(context.stdout)));
  });
};

function describeReport(report: EvaluateReport, width: number): string {
  const { suite, version, split, count, hash } = report.tasks;
  const { sampling } = report;
  const head = [
    `tasks       ${suite} ${version}, ${split}: ${count} tasks (sha256 ${hash.slice(0, 12)})`,
    `generator   ${describeModel(report.generator)}`,
    `verifier    ${describeVerifier(report.verifier)}`,
    `prompt      ${describeFingerprint(report.prompt)}, public tests ${sampling.showPublicTests ? "shown" : "not shown"}`,
    `extraction  ${describeFingerprint(report.extraction)}`,
    `execution   ${describeFingerprint(report.execution)}`,
    `sampling    temperature ${sampling.temperature}, at most ${sampling.maxTokens} new tokens, seed ${sampling.seed}`,
  ];
  const failed = Object.entries(report.failures.byKind)
    .filter(([kind]) => kind !== RefusedError.name)
    .map(([kind, failures]) => `${failures} by ${kind}`);
  return `${[
    head.join("\n"),
    renderComparison(report.comparison, { ...sampling, width }),
    ...(sampling.turns > 1 ? [renderByTurn(report.byTurn, { ...sampling, width })] : []),
    ...describeRefused(report.failures.tasks),
    ...(failed.length > 0 ? [`What failed: ${failed.join(", ")}.`] : []),
    ...(report.usage ? [`${describeUsage(report.usage)}.`] : []),
    renderTime(report.time, width),
    `Everything is in ${report.run}.`,
  ].join("\n\n")}\n`;
}

/** At most so many in full. */
const refusedShown = 5;

function describeRefused(failures: readonly Failure[]): string[] {
  const refused = failures.filter(({ kind }) => kind === RefusedError.name);
  if (refused.length === 0) return [];
  const count =
    refused.length === 1 ? "1 task was refused and enters" : `${refused.length} tasks were refused and enter`;
  const more = refused.length > refusedShown ? [`  … and ${refused.length - refusedShown} more in the report`] : [];
  const lines = refused.slice(0, refusedShown).map(({ key, message }) => `  ${key}: ${message}`);
  return [[`${count} no rate:`, ...lines, ...more].join("\n")];
}
