/** What a checkpoint's directory holds, as far as serving it depends on that. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { errorCode } from "../store/file-errors.ts";

export type CheckpointKind =
  | { readonly kind: "model"; readonly directory: string }
  /** A LoRA adapter: small matrices that are added to those of a base model. */
  | { readonly kind: "adapter"; readonly directory: string; readonly base: string; readonly rank: number };

const adapterSchema = z.object({ base_model_name_or_path: z.string().min(1), r: z.int().min(1) });

/** @throws ConfigError for an adapter that does not say what it belongs to. */
export async function readCheckpointKind(directory: string): Promise<CheckpointKind> {
  const file = join(directory, "adapter_config.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { kind: "model", directory };
    throw new ConfigError(`${file} cannot be read`, { file }, { cause: error });
  }
  try {
    const { base_model_name_or_path: base, r: rank } = adapterSchema.parse(JSON.parse(text));
    return { kind: "adapter", directory, base, rank };
  } catch (cause) {
    throw new ConfigError(`${file} does not name the adapter's base model and rank`, { file }, { cause });
  }
}
