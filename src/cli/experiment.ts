/** `mucode experiment`: the paper's experiments in miniature. */
import { runPaperMini } from "../api/experiment.ts";
import { experimentSchema } from "../config/experiment-schema.ts";
import { renderExperimentText } from "../experiment/report/index.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { createProgress } from "./progress.ts";
import { print, widthOf } from "./text-output.ts";

export const registerExperimentCommand: RegisterCommand = (program, context) => {
  const experiment = program.command("experiment").description("run the experiments of the paper");
  const command = experiment
    .command("paper-mini")
    .description(
      "Train every variant of the method for several seeds, evaluate them on held-out tasks, and judge the paper's claims.",
    )
    .option("--json", "print the report as JSON");
  addConfigurationFlags(command, experimentSchema);
  command.action(async (options: { json?: boolean }) => {
    const configuration = readConfiguration(command, experimentSchema);
    context.setResumeHint("The same command resumes where it left off.");
    const progress = createProgress({ stream: context.stderr, interactive: context.stderr.isTTY ?? false });
    const { run, summary } = await runPaperMini({ configuration, progress, signal: context.signal });
    if (options.json) {
      context.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
      return;
    }
    const text = renderExperimentText(summary, widthOf(context.stdout)).trimEnd();
    print(context, `${text}\n\nEverything is in ${run}: report.html, report.json, results.json, every stage.\n`);
  });
};
