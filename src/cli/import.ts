/** `mucode import`: recorded programs of other projects as graded trajectories. */
import { importTrajectories } from "../api/import-trajectories.ts";
import { importSchema } from "../config/recorded-schema.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { createProgress } from "./progress.ts";
import { describeRollouts } from "./rollout-text.ts";
import { stopOption } from "./stop-option.ts";
import { print } from "./text-output.ts";

export const registerImportCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("import")
    .description("Grade recorded programs or multi-turn trajectories and keep them as trajectories to train on.")
    .option("--json", "print the report as JSON");
  addConfigurationFlags(command, importSchema);
  command.addOption(stopOption());
  command.action(async (options: { json?: boolean; stop?: readonly string[] }) => {
    const configuration = readConfiguration(command, importSchema);
    context.setResumeHint("The same command resumes where it left off.");
    const progress = createProgress({ stream: context.stderr, interactive: context.stderr.isTTY ?? false });
    const { stop = [] } = options;
    const report = await importTrajectories({ configuration, stop, progress, signal: context.signal });
    if (options.json) {
      context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      return;
    }
    const { suite, version, split, count, hash } = report.tasks;
    print(
      context,
      `${[
        `${suite} ${version}, ${split}: ${count} tasks (sha256 ${hash.slice(0, 12)})`,
        `${report.programs} programs; ${describeRollouts(report.rollouts)}`,
        `Trajectories: ${report.trajectories}`,
      ].join("\n")}\n`,
    );
  });
};
