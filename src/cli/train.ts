/** `mucode train`: the main job. */
import { planRun } from "../api/plan-run.ts";
import { train } from "../api/train.ts";
import { trainSchema } from "../config/schema.ts";
import { renderComparison } from "../evaluation/render-comparison.ts";
import { renderTime } from "../evaluation/render-time.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { renderPlan } from "./plan-text.ts";
import { createProgress } from "./progress.ts";
import { print, widthOf } from "./text-output.ts";

export const registerTrainCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("train")
    .description("Train a generator and a verifier on a suite's tasks, and show on held-out tasks what each part adds.")
    .option("--json", "print the report, or the plan, as JSON")
    .option("--dry-run", "print every stage, file and command in order, and what they need; do nothing");
  addConfigurationFlags(command, trainSchema);
  command.action(async (options: { json?: boolean; dryRun?: boolean }) => {
    const configuration = readConfiguration(command, trainSchema);
    if (options.dryRun) {
      const plan = await planRun(configuration);
      if (options.json) context.stdout.write(`${JSON.stringify(plan, null, 2)}\n`);
      else print(context, `${renderPlan(plan)}\n`);
      return;
    }
    context.setResumeHint("The same command resumes where it left off.");
    const progress = createProgress({ stream: context.stderr, interactive: context.stderr.isTTY ?? false });
    const report = await train({ configuration, progress, signal: context.signal });
    if (options.json) {
      context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      return;
    }
    const { train: trained, test } = report.tasks;
    const layout = { ...configuration.evaluation, width: widthOf(context.stdout) };
    print(
      context,
      `${[
        `${test.suite} ${test.version}: trained on ${trained.count} tasks, evaluated on ${test.count} held-out tasks, seed ${configuration.seed}`,
        renderComparison(report.comparison, layout),
        ...report.further.flatMap(({ tasks, comparison }) => [
          `${tasks.suite} ${tasks.version}: the same checkpoints on ${tasks.count} held-out tasks`,
          renderComparison(comparison, layout),
        ]),
        renderTime(report.time, layout.width),
        `Everything is in ${report.run}: report.json, every trajectory, the checkpoints.`,
      ].join("\n\n")}\n`,
    );
  });
};
