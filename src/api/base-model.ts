/** The model that a training run starts from: shipped, a directory, or a name on the Hugging Face hub. */
import type { TrainConfiguration } from "../config/schema.ts";
import { ConfigError } from "../errors.ts";
import type { ProgressReporter } from "../progress.ts";
import type { Checkpoint } from "../training/trainer.ts";
import { cachedSnapshot, getSnapshot, isHubName, plannedDirectory, type HubModel } from "./hub-model.ts";
import { hashWeights, resolveCheckpoint } from "./models.ts";

export interface BaseModel {
  readonly checkpoint: Checkpoint;
  /** What makes two runs start from the same model: its weights' SHA-256, or name and commit on the hub. */
  readonly identity: string;
}

/** Downloads what is not on this machine. @throws ConfigError for a model that is not there; DownloadError. */
export async function openBase(
  configuration: TrainConfiguration,
  parts: { readonly progress: ProgressReporter; readonly signal?: AbortSignal },
): Promise<BaseModel> {
  const model = hubModelOf(configuration);
  if (model === undefined) {
    const checkpoint = await resolveCheckpoint(configuration.baseModel);
    return { checkpoint, identity: await hashWeights(checkpoint) };
  }
  const { directory, commit } = await getSnapshot(model, parts);
  return { checkpoint: { directory }, identity: `hub:${model.name}@${commit}` };
}

export interface PlannedBase {
  readonly checkpoint: Checkpoint;
  /** What has to be downloaded first. */
  readonly download?: HubModel;
}

/** Where the model is or will be, without the network. @throws ConfigError as {@link openBase}. */
export async function planBase(configuration: TrainConfiguration): Promise<PlannedBase> {
  const model = hubModelOf(configuration);
  if (model === undefined) return { checkpoint: await resolveCheckpoint(configuration.baseModel) };
  return {
    checkpoint: { directory: plannedDirectory(model) },
    ...(cachedSnapshot(model) === undefined && { download: model }),
  };
}

function hubModelOf({ baseModel, baseRevision }: TrainConfiguration): HubModel | undefined {
  if (isHubName(baseModel)) return { name: baseModel, revision: baseRevision ?? "main" };
  if (baseRevision === undefined) return undefined;
  throw new ConfigError(`baseRevision is for a model on the hub, and baseModel ${baseModel} is none`, {
    key: "baseRevision",
  });
}
