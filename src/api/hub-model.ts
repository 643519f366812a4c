/** Models on the Hugging Face hub, in the cache that Python's tools read too: who has downloaded one need not do it again. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { downloadFile, HubApiError, listFiles, modelInfo, type ListFileEntry } from "@huggingface/hub";
import { ConfigError, DownloadError } from "../errors.ts";
import type { ProgressReporter } from "../progress.ts";
import { writeFileAtomic } from "../store/atomic-write.ts";
import { downloadVerified, PermanentError, verifyFile, withRetries, type RetryOptions } from "./download-tasks.ts";
import { declaredBy, hubAccess, isTemporary, type HubAccess } from "./pull-tasks.ts";

export interface HubModel {
  /** `owner/name`. */
  readonly name: string;
  /** Branch, tag or commit. */
  readonly revision: string;
}

/** A model's files as of one commit. */
export interface HubSnapshot {
  readonly directory: string;
  readonly commit: string;
}

/** As the hub spells models; a directory of that name comes first. */
export function isHubName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text) && !existsSync(text);
}

/** Where the hub's tools keep models. */
function cacheDirectory(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HOME = "" } = process.env;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(HOME, ".cache"), "huggingface");
  return HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, "hub");
}

const folderOf = ({ name }: HubModel): string => join(cacheDirectory(), `models--${name.replace("/", "--")}`);

/** Where the snapshot will be; of a branch or tag that is not in the cache the commit is not known yet. */
export function plannedDirectory(model: HubModel): string {
  return cachedSnapshot(model)?.directory ?? join(folderOf(model), "snapshots", model.revision);
}

/** What the cache holds of it, if all that a model needs is there. Asks no network. */
export function cachedSnapshot(model: HubModel): HubSnapshot | undefined {
  const folder = folderOf(model);
  const commit = readText(join(folder, "refs", model.revision))?.trim() ?? model.revision;
  const directory = join(folder, "snapshots", commit);
  return isWhole(directory) ? { directory, commit } : undefined;
}

function isWhole(directory: string): boolean {
  const has = (file: string): boolean => existsSync(join(directory, file));
  if (!has("config.json") || !has("tokenizer_config.json")) return false;
  const index = readText(join(directory, "model.safetensors.index.json"));
  if (index === undefined) return has("model.safetensors");
  const { weight_map: shards } = JSON.parse(index) as { readonly weight_map: Readonly<Record<string, string>> };
  return Object.values(shards).every(has);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Weights in other forms than safetensors, some repositories hold everything twice. */
const SKIPPED = /^(?:original|onnx|\.git)|\.(?:pth|pt|bin|gguf|h5|msgpack|onnx|tflite)$/;

/**
 * The snapshot from the cache, or downloaded into it.
 * @throws ConfigError for a model that the hub does not have or does not give; DownloadError.
 */
export async function getSnapshot(
  model: HubModel,
  { progress, signal }: { readonly progress: ProgressReporter; readonly signal?: AbortSignal },
): Promise<HubSnapshot> {
  const cached = cachedSnapshot(model);
  if (cached !== undefined) return cached;
  const { name, revision } = model;
  const access = hubAccess({ ...(signal && { signal }) });
  const retries: RetryOptions = {
    attempts: 5,
    retryDelayMs: 1000,
    onRetry: (reason) => progress.log(`${name}: ${reason}`),
    ...(signal && { signal }),
  };
  const { commit, entries } = await withRetries(access.hubUrl, retries, async () => {
    try {
      const { sha } = await modelInfo({ name, revision, additionalFields: ["sha"], ...access });
      const found: ListFileEntry[] = [];
      for await (const entry of listFiles({ repo: name, recursive: true, revision: sha, ...access })) {
        if (entry.type === "file" && !SKIPPED.test(entry.path)) found.push(entry);
      }
      return { commit: sha, entries: found };
    } catch (error) {
      throw explain(error, model, access.hubUrl);
    }
  });
  const folder = folderOf(model);
  const directory = join(folder, "snapshots", commit);
  const stage = progress.stage(`download of ${name}`, { total: entries.length, unit: "files" });
  for (const entry of entries) {
    const file = join(directory, entry.path);
    const declared = declaredBy(entry, name);
    if ((await verifyFile(file, declared)) === undefined) {
      const openContent = () => openFile({ name, revision: commit }, entry.path, access);
      await downloadVerified({ ...retries, file, declared, openContent });
    }
    stage.advance(1, { note: entry.path });
  }
  stage.finish();
  if (!isWhole(directory)) {
    throw new ConfigError(`baseModel: ${access.hubUrl}/${name} holds no whole model: config, tokenizer, safetensors`, {
      model: name,
      revision,
    });
  }
  if (revision !== commit) await writeFileAtomic(join(folder, "refs", revision), commit);
  return { directory, commit };
}

async function openFile(model: HubModel, path: string, access: HubAccess): Promise<AsyncIterable<Uint8Array>> {
  try {
    const { name: repo, revision } = model;
    const blob = await downloadFile({ repo, path, revision, xet: false, ...access });
    if (blob === null) throw new DownloadError(`${path} is gone from ${repo}`);
    return blob.stream() as unknown as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw explain(error, model, access.hubUrl);
  }
}

function explain(error: unknown, { name, revision }: HubModel, hubUrl: string): unknown {
  if (!(error instanceof HubApiError)) return error;
  if (isTemporary(error.statusCode)) return new DownloadError(`the hub answered with status ${error.statusCode}`);
  const fix =
    error.statusCode === 404
      ? `there is no model "${name}" with a revision "${revision}"`
      : `the hub does not give ${name} (status ${error.statusCode}): accept its licence at ${hubUrl}/${name} and set HF_TOKEN`;
  return new PermanentError(fix, {
    cause: new ConfigError(
      `baseModel: ${fix}; or name a directory that holds it`,
      { model: name, revision },
      { cause: error },
    ),
  });
}
