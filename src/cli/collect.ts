/** `mucode collect`: graded rollouts of one model. */
import { collectTrajectories } from "../api/collect-trajectories.ts";
import { collectSchema } from "../config/collect-schema.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { describeFingerprint, describeModel, describeUsage } from "./model-text.ts";
import { createProgress } from "./progress.ts";
import { describeRollouts } from "./rollout-text.ts";
import { print } from "./text-output.ts";

export const registerCollectCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("collect")
    .description("Roll out a checkpoint or a served model on a suite's tasks, and keep the graded trajectories.")
    .option("--json", "print the report as JSON");
  addConfigurationFlags(command, collectSchema);
  command.action(async (options: { json?: boolean }) => {
    const configuration = readConfiguration(command, collectSchema);
    context.setResumeHint("The same command resumes where it left off.");
    const progress = createProgress({ stream: context.stderr, interactive: context.stderr.isTTY ?? false });
    const report = await collectTrajectories({ configuration, progress, signal: context.signal });
    if (options.json) {
      context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      return;
    }
    const { suite, version, split, count, hash } = report.tasks;
    print(
      context,
      `${[
        `tasks       ${suite} ${version}, ${split}: ${count} tasks (sha256 ${hash.slice(0, 12)})`,
        `generator   ${describeModel(report.generator)}`,
        `prompt      ${describeFingerprint(report.prompt)}`,
        describeRollouts(report.rollouts),
        ...(report.usage ? [describeUsage(report.usage)] : []),
        `Trajectories: ${report.trajectories}`,
      ].join("\n")}\n`,
    );
  });
};
