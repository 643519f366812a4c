/** `mucode export`: a run's data for people who train elsewhere. */
import { exportRun } from "../api/export-run.ts";
import { exportSchema } from "../config/export-schema.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { print } from "./text-output.ts";

export const registerExportCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("export")
    .description(
      "Write a run's data as a data set: states with completions, preferences, scored programs, conversations.",
    )
    .argument("[run]", "directory of the run; the same as --run")
    .option("--json", "print what was written as JSON");
  addConfigurationFlags(command, exportSchema);
  command.action(async (run: string | undefined, options: { json?: boolean }) => {
    if (run !== undefined) command.setOptionValue("run", run);
    const report = await exportRun({ configuration: readConfiguration(command, exportSchema) });
    if (options.json) context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else print(context, `${report.records} records of iteration ${report.iteration} in ${report.file}\n`);
  });
};
