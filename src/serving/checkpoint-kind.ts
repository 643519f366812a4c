/** What a checkpoint's directory holds, as far as serving it depends on that. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { refusePointer } from "../engine/read-files.ts";
import { ConfigError } from "../errors.ts";
import { readIfThere } from "../store/read-file.ts";

export type CheckpointKind = {
  readonly directory: string;
  /** Tokens that end an answer; `null` where the checkpoint does not say, or does not exist yet. */
  readonly endTokens?: number | readonly number[] | null;
} & (
  | { readonly kind: "model" }
  /** A LoRA adapter: small matrices that are added to those of a base model. */
  | { readonly kind: "adapter"; readonly base: string; readonly rank: number }
);

const adapterSchema = z.object({ base_model_name_or_path: z.string().min(1), r: z.int().min(1) });

/** @throws ConfigError for an adapter that does not say what it belongs to, or a Git LFS pointer; StoreError. */
export async function readCheckpointKind(directory: string): Promise<CheckpointKind> {
  const file = join(directory, "adapter_config.json");
  const text = await readIfThere(file);
  if (text === undefined) return { kind: "model", directory, endTokens: await readEndTokens(directory) };
  refusePointer(Buffer.from(text), file);
  try {
    const { base_model_name_or_path: base, r: rank } = adapterSchema.parse(JSON.parse(text));
    return { kind: "adapter", directory, base, rank };
  } catch (cause) {
    throw new ConfigError(`${file} does not name the adapter's base model and rank`, { file }, { cause });
  }
}

const endTokensSchema = z.object({ eos_token_id: z.union([z.int(), z.array(z.int()).min(1)]) });

async function readEndTokens(directory: string): Promise<number | readonly number[] | null> {
  for (const name of ["generation_config.json", "config.json"]) {
    try {
      return endTokensSchema.parse(JSON.parse(await readFile(join(directory, name), "utf8"))).eos_token_id;
    } catch {
      // Neither file has to be there, nor to say it.
    }
  }
  return null;
}
