/** What a stage runs and where its files are, known before anything is run: for the stage, and for whoever shows it. */
import { existsSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import type { TrainerConfiguration } from "../config/trainer-schema.ts";
import { fillPlaceholders, parseEnvironment, splitWords } from "../config/words.ts";
import { ConfigError } from "../errors.ts";
import type { FitSettings } from "../training/fit-generator.ts";
import type { VerifierFitSettings } from "../training/fit-verifier.ts";
import type { TrainingRequest, VerifierData } from "../training/trainer.ts";
import { trlCommand } from "./trl-command.ts";

export interface CommandTrainerOptions {
  /** Of kind `trl` or `command`. */
  readonly trainer: TrainerConfiguration;
  readonly generator: FitSettings;
  readonly verifier: VerifierFitSettings;
  readonly verifierLoss: VerifierData["loss"];
  /** The stages that will be asked for; only their configuration must be whole. Default: both. */
  readonly roles?: readonly Role[];
  /** Milliseconds as `performance.now()` gives them, for the limits; tests let them pass. */
  readonly now?: () => number;
}

export type Role = "generator" | "verifier";

export const rolesOf = ({ roles = ["generator", "verifier"] }: CommandTrainerOptions): readonly Role[] => roles;

export interface StagePlan {
  readonly words: readonly string[];
  /** Added to the environment that the project runs in. */
  readonly environment: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly files: StageFiles;
}

/** Beside the checkpoint `NAME`, in `NAME-training`; absolute. */
export interface StageFiles {
  readonly folder: string;
  /** Folder with `train.jsonl`. */
  readonly data: string;
  /** Output of all attempts. */
  readonly log: string;
  /** What the command writes to; becomes the checkpoint when it is accepted. */
  readonly output: string;
  /** What was written but not accepted, until the next attempt. */
  readonly refused: string;
  readonly cache: string;
  /** Records of running programs. */
  readonly processes: string;
}

export interface PlannedStage {
  readonly role: Role;
  readonly request: Pick<TrainingRequest, "from" | "to" | "seed" | "steps">;
  /** Most tokens of an example, if there is a limit. */
  readonly maxLength?: number;
  /** Optimizer steps, once the examples are known. */
  readonly totalSteps?: number;
}

/** @throws ConfigError for a configuration that no command can be made of. */
export function planStage(options: CommandTrainerOptions, stage: PlannedStage): StagePlan {
  const { trainer } = options;
  const { role, request, maxLength } = stage;
  const files = stageFiles(request.to.directory);
  const from = resolve(request.from.directory);
  const words =
    trainer.kind === "trl"
      ? trlCommand(
          trainer,
          {
            role,
            settings: options[role],
            data: files.data,
            from,
            to: files.output,
            seed: request.seed,
            ...(request.steps !== undefined && { steps: request.steps }),
            ...(maxLength !== undefined && { maxLength }),
          },
          trainer.device === "auto" ? hasGpu() : trainer.device === "gpu",
        )
      : ownCommand(options, stage, files, from);
  return {
    words,
    environment: environmentOf(trainer, files),
    ...(trainer.directory !== undefined && { directory: resolve(trainer.directory) }),
    files,
  };
}

export function stageFiles(checkpoint: string): StageFiles {
  const folder = `${resolve(checkpoint)}-training`;
  return {
    folder,
    data: join(folder, "data"),
    log: join(folder, "training.log"),
    output: join(folder, "checkpoint"),
    refused: join(folder, "refused-checkpoint"),
    cache: join(folder, "cache"),
    processes: join(folder, "processes"),
  };
}

/** @throws ConfigError for what no stage of these options could ever train. */
export function requireTrainable(options: CommandTrainerOptions): void {
  const { trainer, verifier, verifierLoss } = options;
  if (trainer.kind === "embedded") throw new TypeError("the embedded trainer is no command");
  for (const role of rolesOf(options)) {
    const { rank = 0, alpha = 0 } = options[role].lora ?? {};
    if (rank === 0) continue;
    const key = `${role}.lora.rank`;
    const hint = `trainer.${role}.arguments = "--use_peft --lora_r ${rank} --lora_alpha ${alpha}"`;
    throw new ConfigError(
      `${key} is ${rank}, which the embedded trainer alone knows; with trainer.kind ${trainer.kind} tell the command itself, TRL by ${hint}`,
      { key, value: rank },
    );
  }
  if (trainer.kind === "command") {
    for (const role of rolesOf(options)) {
      const key = `trainer.${role}.command`;
      if (trainer[role].command !== undefined) continue;
      throw new ConfigError(`${key} is not set; give the command that trains the ${role}, or take trainer.kind trl`, {
        key,
      });
    }
    return;
  }
  for (const role of rolesOf(options)) {
    const key = `trainer.${role}.command`;
    if (trainer[role].command === undefined) continue;
    throw new ConfigError(
      `${key} is set, but trainer.kind is trl; take kind command, or say trainer.${role}.arguments`,
      { key },
    );
  }
  if (!rolesOf(options).includes("verifier")) return;
  if (verifierLoss === "bce") {
    throw new ConfigError(
      "verifier.loss is bce, for which TRL has no command; take bradley-terry, or trainer.kind command with a trainer of yours",
      { key: "verifier.loss", value: verifierLoss },
    );
  }
  if (verifier.form !== "head") {
    throw new ConfigError(
      `verifier.form is ${verifier.form}; TRL's reward command trains a head: say verifier.form = "head"`,
      { key: "verifier.form", value: verifier.form },
    );
  }
}

function ownCommand(options: CommandTrainerOptions, stage: PlannedStage, files: StageFiles, from: string): string[] {
  const { trainer, verifierLoss } = options;
  const { role, request, maxLength, totalSteps } = stage;
  const { learningRate, epochs, batchSize, weightDecay, warmupShare } = options[role];
  const known = (value: number | undefined, name: string): string =>
    value === undefined ? `{${name}}` : String(value);
  const values = {
    data: files.data,
    from,
    to: files.output,
    log: files.log,
    seed: String(request.seed),
    learning_rate: String(learningRate),
    epochs: String(epochs),
    steps: known(totalSteps, "steps"),
    batch_size: String(batchSize),
    weight_decay: String(weightDecay),
    warmup_share: String(warmupShare),
    max_length: known(maxLength, "max_length"),
    processes: String(trainer.processes),
    ...(role === "verifier" && {
      loss: verifierLoss,
      score_regularization: String(options.verifier.scoreRegularization),
    }),
  };
  const fill = (text: string | undefined, key: string) => fillPlaceholders(splitWords(text ?? "", key), values, key);
  return [
    ...fill(trainer.launcher, "trainer.launcher"),
    ...fill(trainer[role].command, `trainer.${role}.command`),
    ...fill(trainer[role].arguments, `trainer.${role}.arguments`),
  ];
}

/** What the user says wins. */
function environmentOf({ python, environment }: TrainerConfiguration, files: StageFiles): Record<string, string> {
  const own = python?.includes("/") ? `${dirname(resolve(python))}${delimiter}` : "";
  return {
    PATH: `${own}${process.env["PATH"] ?? ""}`,
    PYTHONUNBUFFERED: "1",
    TOKENIZERS_PARALLELISM: "false",
    // Model and data are files here; nothing is to be looked up.
    HF_HUB_OFFLINE: "1",
    HF_DATASETS_CACHE: files.cache,
    ...parseEnvironment(environment ?? "", "trainer.environment"),
  };
}

/** Whether this machine shows a GPU of NVIDIA or AMD. */
function hasGpu(): boolean {
  return existsSync("/dev/nvidiactl") || existsSync("/dev/kfd");
}
