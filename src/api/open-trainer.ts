/** Who trains and who serves, as the configuration says: the embedded engine, other programs, or some of each. */
import { join } from "node:path";
import type { TrainConfiguration } from "../config/schema.ts";
import { ConfigError } from "../errors.ts";
import { createModelOpener } from "../serving/open-models.ts";
import { planServers } from "../serving/plan-servers.ts";
import { createServedTrainer } from "../serving/served-trainer.ts";
import { createCommandTrainer } from "../training-command/command-trainer.ts";
import { planStage, requireTrainable, type CommandTrainerOptions } from "../training-command/stage-plan.ts";
import { createEmbeddedTrainer, loraOptions } from "../training/embedded-trainer.ts";
import type { Checkpoint, Trainer, TrainingRequest } from "../training/trainer.ts";
import type { ModelRole, PlannedAction } from "./plan-actions.ts";
import { adapterRank } from "./plan-size.ts";

export interface OpenTrainerOptions {
  readonly configuration: TrainConfiguration;
  /** The run's: logs and records of running programs are kept below it. */
  readonly directory: string;
  readonly signal?: AbortSignal;
  readonly log?: (line: string) => void;
}

export interface OpenedTrainer extends Trainer {
  /** Stops every server that is still up. */
  close(): Promise<void>;
}

/** Starts nothing yet. @throws ConfigError for what cannot be trained or served; StoreError. */
export async function openTrainer(options: OpenTrainerOptions): Promise<OpenedTrainer> {
  const { configuration, directory, signal, log } = options;
  const training = createTraining(configuration);
  const models = await createModelOpener({
    serving: configuration.serving,
    threads: configuration.threads,
    logs: join(directory, LOGS),
    records: join(directory, "processes"),
    ...(signal && { signal }),
    ...(log && { log }),
  });
  return { ...createServedTrainer(training, models), close: () => models.close() };
}

const LOGS = "logs";

/** @throws ConfigError for adapters that are none, and for a verifier's that nobody could serve. */
function requireAdapters({ generator, verifier, serving }: TrainConfiguration): void {
  for (const { lora } of [generator, verifier]) loraOptions(lora, 0);
  const { rank } = verifier.lora;
  const { kind } = serving.verifier;
  if (rank === 0 || kind === "embedded") return;
  throw new ConfigError(
    `verifier.lora.rank is ${rank}, and serving.verifier.kind is ${kind}: servers give no scores of an adapter; take serving.verifier.kind embedded, or rank 0`,
    { key: "verifier.lora.rank", value: rank },
  );
}

function createTraining(configuration: TrainConfiguration): Pick<Trainer, "trainGenerator" | "trainVerifier"> {
  requireAdapters(configuration);
  if (configuration.trainer.kind !== "embedded") return createCommandTrainer(commandOptions(configuration));
  const { threads, generator, verifier } = configuration;
  return createEmbeddedTrainer({ threads, generator, verifier });
}

function commandOptions({ trainer, generator, verifier }: TrainConfiguration): CommandTrainerOptions {
  return { trainer, generator, verifier, verifierLoss: verifier.loss };
}

/** The same trainer, told instead of done: what each of its calls would run and write. */
export interface TrainerPlan {
  trainGenerator(request: TrainingRequest): PlannedAction[];
  trainVerifier(request: TrainingRequest): PlannedAction[];
  openGenerator(checkpoint: Checkpoint): PlannedAction[];
  openVerifier(checkpoint: Checkpoint): PlannedAction[];
  closeGenerator(): PlannedAction[];
  closeVerifier(): PlannedAction[];
}

/** @throws ConfigError for what cannot be trained or served. */
export function planTrainer(configuration: TrainConfiguration, directory: string): TrainerPlan {
  const options = commandOptions(configuration);
  requireAdapters(configuration);
  if (configuration.trainer.kind !== "embedded") requireTrainable(options);
  const adapters = new Map<string, { readonly base: string; readonly rank: number }>();

  const train = (role: ModelRole, request: TrainingRequest): PlannedAction[] => {
    const { from, to } = request;
    if (configuration.trainer.kind === "embedded") {
      const { rank } = configuration[role].lora;
      if (rank > 0) adapters.set(to.directory, { base: from.directory, rank });
      const what = rank > 0 ? `an adapter of rank ${rank} for the ${role}` : `the ${role}`;
      return [
        {
          kind: "use",
          purpose: "train",
          role,
          what: `${what} in this process, ${from.directory} → ${to.directory}`,
        },
      ];
    }
    const { maxLength } = configuration.trainer;
    const stage = planStage(options, { role, request, ...(maxLength !== undefined && { maxLength }) });
    const rank = adapterRank(stage.words);
    if (rank !== null) adapters.set(to.directory, { base: from.directory, rank });
    const environment = withoutOwnPath(stage.environment);
    return [
      { kind: "write", file: join(stage.files.data, "train.jsonl") },
      { kind: "run", purpose: "train", role, command: stage.words, environment, logFile: stage.files.log },
      { kind: "write", file: `${to.directory}/` },
    ];
  };

  const serve = (role: ModelRole, { directory: checkpoint }: Checkpoint): PlannedAction[] => {
    const settings = configuration.serving[role];
    const { kind } = settings;
    if (kind === "embedded") return [{ kind: "use", purpose: "serve", role, what: `${checkpoint} in this process` }];
    const adapter = adapters.get(checkpoint);
    const servers = planServers({
      role,
      classifies: role === "verifier" && configuration.verifier.form === "head",
      settings,
      checkpoint: { directory: checkpoint, ...(adapter ? { kind: "adapter", ...adapter } : { kind: "model" }) },
      logs: join(directory, LOGS),
    });
    const others: PlannedAction[] =
      kind === "urls" ? [{ kind: "use", purpose: "serve", role, what: `${checkpoint} at ${settings.urls}` }] : [];
    return [...servers.map((server): PlannedAction => ({ kind: "run", purpose: "serve", role, ...server })), ...others];
  };
  const stop = (role: ModelRole): PlannedAction[] => {
    const { kind, keepRunning } = configuration.serving[role];
    return kind === "embedded" || kind === "urls" || keepRunning ? [] : [{ kind: "stop", role }];
  };
  return {
    trainGenerator: (request) => train("generator", request),
    trainVerifier: (request) => train("verifier", request),
    openGenerator: (checkpoint) => serve("generator", checkpoint),
    openVerifier: (checkpoint) => serve("verifier", checkpoint),
    closeGenerator: () => stop("generator"),
    closeVerifier: () => stop("verifier"),
  };
}

/** This process's own search path goes without saying. */
function withoutOwnPath({ PATH: path = "", ...environment }: Readonly<Record<string, string>>): Record<string, string> {
  const own = process.env["PATH"] ?? "";
  const added = path.endsWith(own) ? path.slice(0, path.length - own.length) : path;
  return { ...(added !== "" && { PATH: `${added}$PATH` }), ...environment };
}
