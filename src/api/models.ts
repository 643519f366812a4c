/** Where checkpoints come from: shipped by name, or a directory. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ADAPTER_FILES, describeAdapter } from "../engine/embedded/adapter-files.ts";
import { ConfigError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Checkpoint } from "../training/trainer.ts";

const modelsDirectory = fileURLToPath(new URL("../../models/", import.meta.url));

/** @throws ConfigError when it is neither a shipped model nor a checkpoint's directory. */
export async function resolveCheckpoint(nameOrDirectory: string): Promise<Checkpoint> {
  const shipped = await readdir(modelsDirectory).catch((): string[] => []);
  const directory = shipped.includes(nameOrDirectory)
    ? join(modelsDirectory, nameOrDirectory)
    : resolve(nameOrDirectory);
  const isThere = (name: string): Promise<boolean> =>
    access(join(directory, name)).then(
      () => true,
      () => false,
    );
  if ((await isThere("config.json")) || (await isThere("adapter_config.json"))) return { directory };
  const guess = nearest(nameOrDirectory, shipped);
  throw new ConfigError(
    `no checkpoint "${nameOrDirectory}": it is neither a shipped model (${shipped.join(", ")}) nor a directory with a config.json or an adapter_config.json` +
      (guess === undefined ? "" : `; did you mean ${guess}?`),
    { checkpoint: nameOrDirectory },
  );
}

/**
 * SHA-256 (hex) of a checkpoint's weights: tells whether a run goes on from the same model. Of weights in several files
 * it is the hash of their hashes, in the order of their names; of a low-rank adapter that of its scale, its weights' hash
 * and its base model's.
 */
export async function hashWeights({ directory }: Checkpoint): Promise<string> {
  const adapter = await describeAdapter(directory);
  if (adapter !== undefined) {
    const { alpha, rank } = adapter.settings;
    const own = await hashFile(join(directory, ADAPTER_FILES.weights));
    const base = await hashWeights({ directory: adapter.base });
    return createHash("sha256").update(`${alpha}/${rank} ${own} ${base}`).digest("hex");
  }
  const names = await readdir(directory).catch((): string[] => []);
  const single = "model.safetensors";
  const shards = names.filter((name) => /^model-\d+-of-\d+\.safetensors$/.test(name)).toSorted();
  // As when weights are read: shards beside a single file are left from before.
  if (shards.length === 0 || names.includes(single)) return hashFile(join(directory, single));
  const hash = createHash("sha256");
  for (const shard of shards) hash.update(await hashFile(join(directory, shard)));
  return hash.digest("hex");
}

/** SHA-256 (hex) of a file's bytes. @throws ConfigError when it cannot be read. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (cause) {
    throw new ConfigError(`${file} cannot be read`, { file }, { cause });
  }
  return hash.digest("hex");
}
