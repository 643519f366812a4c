/** `mucode eval`: one checkpoint on held-out tasks. */
import { evaluate } from "../api/evaluate.ts";
import { evalSchema } from "../config/eval-schema.ts";
import { renderComparison } from "../evaluation/render-comparison.ts";
import { renderTime } from "../evaluation/render-time.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { createProgress } from "./progress.ts";

export const registerEvalCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("eval")
    .description("Evaluate a checkpoint on a suite: greedy, multi-turn, and best-of-N under every selection rule.")
    .option("--json", "print the report as JSON");
  addConfigurationFlags(command, evalSchema);
  command.action(async (options: { json?: boolean }) => {
    const configuration = readConfiguration(command, evalSchema);
    context.setResumeHint("The same command resumes where it left off.");
    const progress = createProgress({ stream: context.stderr, interactive: context.stderr.isTTY ?? false });
    const report = await evaluate({ configuration, progress, signal: context.signal });
    if (options.json) {
      context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      return;
    }
    const { suite, version, split, count, hash } = report.tasks;
    context.stdout.write(
      `${[
        `${suite} ${version}, ${split}: ${count} tasks (sha256 ${hash.slice(0, 12)}), seed ${configuration.seed}`,
        renderComparison(report.comparison, configuration.evaluation),
        renderTime(report.time),
        `Everything is in ${report.run}.`,
      ].join("\n\n")}\n`,
    );
  });
};
