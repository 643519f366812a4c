/** Where checkpoints come from: shipped by name, or a directory. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
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
  try {
    await access(join(directory, "config.json"));
  } catch (cause) {
    const guess = nearest(nameOrDirectory, shipped);
    throw new ConfigError(
      `no checkpoint "${nameOrDirectory}": it is neither a shipped model (${shipped.join(", ")}) nor a directory with a config.json` +
        (guess === undefined ? "" : `; did you mean ${guess}?`),
      { checkpoint: nameOrDirectory },
      { cause },
    );
  }
  return { directory };
}

/**
 * SHA-256 (hex) of a checkpoint's weights: tells whether a run goes on from the same model. Of weights in several files
 * it is the hash of their hashes, in the order of their names.
 */
export async function hashWeights({ directory }: Checkpoint): Promise<string> {
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
