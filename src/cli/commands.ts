/** The commands of `mucode`, in the order of its help. */
import { registerCollectCommand } from "./collect.ts";
import { registerConfigCommand } from "./config.ts";
import type { RegisterCommand } from "./context.ts";
import { registerEvalCommand } from "./eval.ts";
import { registerExperimentCommand } from "./experiment.ts";
import { registerExportCommand } from "./export.ts";
import { registerFitVerifierCommand } from "./fit-verifier.ts";
import { registerGradeCommand } from "./grade.ts";
import { registerImportCommand } from "./import.ts";
import { registerPretrainCommand } from "./pretrain.ts";
import { registerServeCommand } from "./serve.ts";
import { registerSolveCommand } from "./solve.ts";
import { registerTasksCommand } from "./tasks.ts";
import { registerTrainCommand } from "./train.ts";

export const commands: readonly RegisterCommand[] = [
  registerTrainCommand,
  registerSolveCommand,
  registerEvalCommand,
  registerExperimentCommand,
  registerTasksCommand,
  registerGradeCommand,
  registerCollectCommand,
  registerImportCommand,
  registerFitVerifierCommand,
  registerExportCommand,
  registerPretrainCommand,
  registerConfigCommand,
  registerServeCommand,
];
