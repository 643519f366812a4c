/** Models on the Hugging Face hub, in the cache that Python's tools read too: who has downloaded one need not do it again. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { downloadFileToCacheDir, HubApiError, listFiles, modelInfo } from "@huggingface/hub";
import { ConfigError } from "../errors.ts";
import type { ProgressReporter } from "../progress.ts";
import { PermanentError, withRetries } from "./download-tasks.ts";

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
  const hubUrl = (process.env["HF_ENDPOINT"] || "https://huggingface.co").replace(/\/+$/, "");
  const access = { hubUrl, ...(process.env["HF_TOKEN"] && { accessToken: process.env["HF_TOKEN"] }) };
  const ask = <T>(work: () => Promise<T>): Promise<T> =>
    withRetries(
      `${hubUrl}/${name}`,
      {
        attempts: 5,
        retryDelayMs: 1000,
        onRetry: (reason) => progress.log(`${name}: ${reason}`),
        ...(signal && { signal }),
      },
      () =>
        work().catch((error: unknown) => {
          throw explain(error, model, hubUrl);
        }),
    );
  const { sha: commit } = await ask(() => modelInfo({ name, revision, additionalFields: ["sha"], ...access }));
  const files = await ask(async () => {
    const paths: string[] = [];
    for await (const { path, type } of listFiles({ repo: name, recursive: true, revision: commit, ...access })) {
      if (type === "file" && !SKIPPED.test(path)) paths.push(path);
    }
    return paths;
  });
  const stage = progress.stage(`download of ${name}`, { total: files.length, unit: "files" });
  for (const path of files) {
    await ask(() =>
      downloadFileToCacheDir({ repo: name, path, revision: commit, cacheDir: cacheDirectory(), ...access }),
    );
    stage.advance(1, { note: path });
  }
  stage.finish();
  const snapshot = cachedSnapshot({ name, revision: commit });
  if (snapshot !== undefined) return snapshot;
  throw new ConfigError(`${hubUrl}/${name} at ${revision} holds no whole model: config, tokenizer and safetensors`, {
    model: name,
    revision,
  });
}

function explain(error: unknown, { name, revision }: HubModel, hubUrl: string): unknown {
  if (
    !(error instanceof HubApiError) ||
    error.statusCode < 400 ||
    error.statusCode >= 500 ||
    error.statusCode === 429
  ) {
    return error;
  }
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
