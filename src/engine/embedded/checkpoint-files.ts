/** The files of a checkpoint's directory, in Hugging Face layout. */
import { ConfigError } from "../../errors.ts";
import { readJson } from "../read-files.ts";

export const FILES = {
  config: "config.json",
  generationConfig: "generation_config.json",
  weights: "model.safetensors",
  /** Names the shard of every tensor, where there is more than one file of weights. */
  weightsIndex: "model.safetensors.index.json",
  tokenizer: "tokenizer.json",
  tokenizerConfig: "tokenizer_config.json",
} as const;

/**
 * The name of the shard that holds each tensor.
 * @throws {ConfigError} when the index names something else than files beside it.
 */
export async function readWeightMap(index: string): Promise<Readonly<Record<string, string>>> {
  const { weight_map: map } = await readJson(index);
  const refuse = (key: string, found: unknown, expected: string): never => {
    const message = `${index}: ${key} is ${JSON.stringify(found) ?? "missing"}; expected ${expected}`;
    throw new ConfigError(message, { file: index, key, found, expected });
  };
  if (typeof map !== "object" || map === null || Array.isArray(map)) refuse("weight_map", map, "an object");
  for (const [tensor, shard] of Object.entries(map as object)) {
    if (typeof shard === "string" && /^[^/\\.][^/\\]*\.safetensors$/.test(shard)) continue;
    refuse(`weight_map.${tensor}`, shard, "the name of a .safetensors file beside the index");
  }
  return map as Record<string, string>;
}
