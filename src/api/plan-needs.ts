/** Memory and disk that a run needs, where they follow from its configuration. Upper bounds, in bytes. */
import type { TrainConfiguration } from "../config/schema.ts";
import { describeAdapter } from "../engine/embedded/adapter-files.ts";
import type { PlannedBase } from "./base-model.ts";
import type { ModelRole, PlannedAction, PlannedStage, PlannedTasks } from "./plan-actions.ts";
import { adapterTrainingMemory, countParameters, fullTrainingMemory, servedBytes, trainingShape } from "./plan-size.ts";

export interface TrainingNeed {
  readonly role: ModelRole;
  readonly adapter: boolean;
  /** What the weights are held in. */
  readonly weights: "float32" | "bf16";
  readonly processes: number;
  /** Weights, gradients and what the optimizer remembers, on each device. Activations come on top. */
  readonly bytesPerProcess: number;
}

export interface ServingNeed {
  readonly role: ModelRole;
  readonly replicas: number;
  readonly devicesPerReplica: number;
  /** Weights in half precision, on each device. The cache of keys and values takes what the server gives it. */
  readonly bytesPerDevice: number;
}

export interface RunNeeds {
  /** Of the base model; `null` where it is not on this machine and `baseParameters` does not say. */
  readonly parameters: number | null;
  readonly training: readonly TrainingNeed[];
  readonly serving: readonly ServingNeed[];
  /** What the run's directory grows by. */
  readonly disk: readonly { readonly what: string; readonly bytes: number }[];
  /** What could not be computed, and why. */
  readonly unknown: readonly string[];
}

export interface NeedsRequest {
  readonly configuration: TrainConfiguration;
  readonly base: PlannedBase;
  readonly tasks: readonly PlannedTasks[];
  readonly stages: readonly PlannedStage[];
}

type RunAction = Extract<PlannedAction, { kind: "run" }>;

export async function estimateNeeds({ configuration, base, tasks, stages }: NeedsRequest): Promise<RunNeeds> {
  const { directory } = base.checkpoint;
  const counted = await countParameters((await describeAdapter(directory))?.base ?? directory);
  const parameters = counted ?? configuration.baseParameters ?? null;
  const unknown: string[] = [];
  const training: TrainingNeed[] = [];
  const serving: ServingNeed[] = [];
  const disk: { what: string; bytes: number }[] = [];
  if (parameters === null) {
    unknown.push("memory and checkpoints: the base model is not on this machine; baseParameters says how large it is");
  } else {
    const trainings = stages.flatMap(({ actions }) => actions.filter(isTraining));
    for (const role of ["generator", "verifier"] as const) {
      const ofRole = trainings.filter((action) => action.role === role);
      const [first] = ofRole;
      if (first === undefined) continue;
      const shape = trainingShape(first.kind === "run" ? first.command : [], configuration.trainer.processes);
      const { sharding, momentBytes } = shape;
      const isEmbedded = first.kind === "use";
      const adapter = isEmbedded ? configuration[role].lora.rank > 0 : shape.adapter;
      const weights = adapter && !isEmbedded ? "bf16" : "float32";
      if (first.kind === "run" && configuration.trainer.kind !== "trl") {
        unknown.push(`memory of training the ${role}: only the command of trainer.kind = "command" knows`);
      } else if (sharding === null) {
        unknown.push(`memory of training the ${role}: its accelerate file is not one of TRL's`);
      } else if (momentBytes === null) {
        unknown.push(`memory of training the ${role}: its optimizer is not one of those known here`);
      } else {
        const memory = adapter
          ? adapterTrainingMemory(parameters, { sharding, weights })
          : fullTrainingMemory(parameters, { sharding, momentBytes });
        training.push({
          role,
          adapter,
          weights,
          processes: sharding.processes,
          bytesPerProcess: memory.perProcess,
        });
      }
      if (adapter) unknown.push(`size of the ${role}'s adapters: small beside the base model`);
      else {
        disk.push({
          what: `${ofRole.length} checkpoints of the ${role}, float32`,
          bytes: ofRole.length * parameters * 4,
        });
      }
    }
    for (const role of ["generator", "verifier"] as const) {
      const need = servingNeed(role, configuration, parameters, stages);
      if (need !== null) serving.push(need);
    }
  }
  disk.push(...dataSizes(configuration, tasks[0]?.count ?? 0, stages));
  return { parameters, training, serving, disk, unknown };
}

const isTraining = (action: PlannedAction): action is Extract<PlannedAction, { kind: "run" | "use" }> =>
  (action.kind === "run" || action.kind === "use") && action.purpose === "train";

function servingNeed(
  role: ModelRole,
  configuration: TrainConfiguration,
  parameters: number,
  stages: readonly PlannedStage[],
): ServingNeed | null {
  const { kind, replicas, devices } = configuration.serving[role];
  const started = stages.some(({ actions }) =>
    actions.some(
      (action): action is RunAction => action.kind === "run" && action.purpose === "serve" && action.role === role,
    ),
  );
  if (!started || kind === "embedded" || kind === "urls") return null;
  const devicesPerReplica = devices === undefined ? 1 : devices.split(";")[0]!.split(",").length;
  return { role, replicas, devicesPerReplica, bytesPerDevice: servedBytes(parameters, devicesPerReplica) };
}

/** Bytes of a token of program text, about. */
const TOKEN_BYTES = 4;

/** As if every rollout took all its turns with all their tokens: an upper bound that is seldom reached. */
function dataSizes(
  { rollout, relabel, verifier, iterations }: TrainConfiguration,
  tasks: number,
  stages: readonly PlannedStage[],
): { what: string; bytes: number }[] {
  const turnBytes = rollout.maxTokens * TOKEN_BYTES;
  const rollouts = tasks * rollout.rolloutsPerTask;
  const rolledOut = stages.filter(({ name }) => name.endsWith("/trajectories")).length;
  // A trajectory keeps each completion and the program taken from it.
  const trajectories = rolledOut * rollouts * rollout.turns * 2 * turnBytes;
  const generatorFits = stages.filter(({ name }) => name.endsWith("/generator")).length;
  const verifierFits = stages.filter(({ name }) => name.endsWith("/verifier")).length;
  const relabelled = tasks * Math.min(relabel.trajectoriesPerTask, rollout.rolloutsPerTask) * relabel.programsPerTask;
  // A state of turn t holds t completions before the one to imitate; D grows by one share of rollouts per iteration.
  const stateBytes = (turnBytes * rollout.turns * (rollout.turns + 1)) / 2;
  const meanShares = (iterations + 1) / 2;
  return [
    { what: `trajectories of ${rolledOut} generators, ${rollouts} rollouts each`, bytes: trajectories },
    {
      what: `data sets of ${generatorFits} fits of the generator`,
      bytes: generatorFits * meanShares * (relabelled + rollouts) * stateBytes,
    },
    ...(verifierFits === 0
      ? []
      : [
          {
            what: `data sets of ${verifierFits} fits of the verifier`,
            bytes: verifierFits * tasks * verifier.pairsPerTask * 2 * turnBytes,
          },
        ]),
  ];
}
