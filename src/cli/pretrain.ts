/** `mucode pretrain`: a base model from scratch. */
import { pretrain } from "../api/pretrain.ts";
import { pretrainSchema } from "../config/pretrain-schema.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";
import { createProgress } from "./progress.ts";
import { print } from "./text-output.ts";

export const registerPretrainCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("pretrain")
    .description("Train a base model from scratch on mubpp's pretraining documents, and report its solve rates.")
    .option("--json", "print the report as JSON");
  addConfigurationFlags(command, pretrainSchema);
  command.action(async (options: { json?: boolean }) => {
    const configuration = readConfiguration(command, pretrainSchema);
    context.setResumeHint("The same command resumes where it left off.");
    const progress = createProgress({ stream: context.stderr, interactive: context.stderr.isTTY ?? false });
    const report = await pretrain({ configuration, progress, signal: context.signal });
    if (options.json) {
      context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      return;
    }
    const { solveRates, validation } = report;
    const percent = (share: number | null): string => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
    print(
      context,
      [
        `${report.parameters.toLocaleString("en-US")} parameters, ${(report.tokens / 1e6).toFixed(1)} M tokens, ` +
          `loss ${report.finalLoss.toFixed(3)}, ${Math.round(report.seconds)} s`,
        `${validation.count} ${validation.split} tasks, greedy: solved by turn ${solveRates.solvedByTurn.map((share, turn) => `${turn + 1}: ${percent(share)}`).join(", ")}`,
        `pass the public test but fail a private one: ${percent(solveRates.publicPassingWrong)}; ` +
          `repaired at turn 2: ${percent(solveRates.repairedAtTurn2)}`,
        `The checkpoint is ${report.directory}.`,
        "",
      ].join("\n"),
    );
  });
};
