/**
 * TRL's `sft` and `reward` commands with the settings of the embedded engine: the same loss, optimizer and batch. Two
 * differences remain, both TRL's: the learning rate after the warm-up is one step further along the same cosine, and
 * the regularization of rewards is of the sum of a pair's two scores, mean((z⁺ + z⁻)²).
 */
import type { TrainerConfiguration } from "../config/trainer-schema.ts";
import { splitWords } from "../config/words.ts";
import { ConfigError } from "../errors.ts";
import { adamW, type FitSettings } from "../training/fit-generator.ts";
import { FINAL_RATE_SHARE } from "../training/schedule.ts";

export interface TrlStage {
  readonly role: "generator" | "verifier";
  readonly settings: FitSettings & { readonly scoreRegularization?: number };
  readonly data: string;
  readonly from: string;
  readonly to: string;
  readonly seed: number;
  /** Exactly so many; left out: by epochs. */
  readonly steps?: number;
  /** Left out: as long as TRL allows. */
  readonly maxLength?: number;
}

const MODULES = { generator: "trl.scripts.sft", verifier: "trl.scripts.reward" };
const COMMANDS = { generator: "sft", verifier: "reward" };
/** A share below one is what TRL takes for one; as a number of steps it rounds up to all. */
const ALMOST_ALL = 0.999_999;

/**
 * The command of one stage. A launcher runs TRL's script as a module, either at its own `{module}` or after `-m`, or is
 * TRL's own command line with its `{command}`; `{processes}` stands for their number.
 * @throws ConfigError when the batch cannot be split as configured.
 */
export function trlCommand(trainer: TrainerConfiguration, stage: TrlStage, hasGpu: boolean): string[] {
  const module = MODULES[stage.role];
  const own = trainer.launcher === undefined ? undefined : splitWords(trainer.launcher, "trainer.launcher");
  const launcher = own ?? (trainer.processes > 1 ? ["torchrun", "--nproc_per_node", String(trainer.processes)] : []);
  const values: Readonly<Record<string, string>> = {
    "{module}": module,
    "{command}": COMMANDS[stage.role],
    "{processes}": String(trainer.processes),
  };
  const filled = launcher.map((word) => word.replaceAll(/\{(?:module|command|processes)\}/g, (name) => values[name]!));
  const start = launcher.some((word) => /\{(?:module|command)\}/.test(word))
    ? filled
    : launcher.length > 0
      ? [...filled, "-m", module]
      : ["trl", COMMANDS[stage.role]];
  const key = `trainer.${stage.role}.arguments`;
  return [...start, ...trlArguments(trainer, stage, hasGpu), ...splitWords(trainer[stage.role].arguments ?? "", key)];
}

function trlArguments(trainer: TrainerConfiguration, stage: TrlStage, hasGpu: boolean): string[] {
  const { settings, role } = stage;
  const { perDevice, accumulation } = splitBatch(trainer, role, settings.batchSize);
  const optimizer = adamW(settings, settings.learningRate);
  const length: Record<string, string> =
    stage.steps === undefined ? { num_train_epochs: String(settings.epochs) } : { max_steps: String(stage.steps) };
  const values: Record<string, string | number> = {
    model_name_or_path: stage.from,
    dataset_name: stage.data,
    output_dir: stage.to,
    ...length,
    per_device_train_batch_size: perDevice,
    gradient_accumulation_steps: accumulation,
    learning_rate: optimizer.learningRate,
    optim: "adamw_torch",
    adam_beta1: optimizer.beta1,
    adam_beta2: optimizer.beta2,
    adam_epsilon: optimizer.epsilon,
    weight_decay: optimizer.weightDecay,
    max_grad_norm: optimizer.maxGradientNorm,
    lr_scheduler_type: "cosine_warmup_with_min_lr",
    lr_scheduler_kwargs: JSON.stringify({ min_lr_rate: FINAL_RATE_SHARE }),
    warmup_steps: settings.warmupShare === 0 ? 1 : Math.min(settings.warmupShare, ALMOST_ALL),
    seed: stage.seed,
    ...(stage.maxLength !== undefined && { max_length: stage.maxLength }),
    ...(role === "verifier" && { center_rewards_coefficient: settings.scoreRegularization ?? 0 }),
    logging_steps: 1,
    logging_nan_inf_filter: "false",
    disable_tqdm: "true",
    report_to: "none",
    save_strategy: "no",
    ...(!hasGpu && { use_cpu: "true", bf16: "false" }),
  };
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

function splitBatch(trainer: TrainerConfiguration, role: TrlStage["role"], batchSize: number) {
  const { processes } = trainer;
  const perDevice = trainer[role].perDeviceBatchSize ?? batchSize / processes;
  const accumulation = batchSize / (perDevice * processes);
  if (Number.isInteger(perDevice) && Number.isInteger(accumulation)) return { perDevice, accumulation };
  const product = `trainer.processes (${processes}) × trainer.${role}.perDeviceBatchSize (${perDevice})`;
  throw new ConfigError(`${role}.batchSize is ${batchSize}; expected a multiple of ${product}`, {
    key: `${role}.batchSize`,
    value: batchSize,
  });
}
