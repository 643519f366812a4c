/** The files of a checkpoint's directory, in Hugging Face layout, and how they are read. */
import { readFile, stat } from "node:fs/promises";
import { ConfigError } from "../../errors.ts";

export const FILES = {
  config: "config.json",
  generationConfig: "generation_config.json",
  weights: "model.safetensors",
  /** Names the shard of every tensor, where there is more than one file of weights. */
  weightsIndex: "model.safetensors.index.json",
  tokenizer: "tokenizer.json",
  tokenizerConfig: "tokenizer_config.json",
  /** The template, where `tokenizer_config.json` has none. */
  chatTemplate: "chat_template.jinja",
} as const;

export type Json = Readonly<Record<string, unknown>>;

/** @throws {ConfigError} when the file cannot be read or holds no JSON object. */
export async function readJson(file: string): Promise<Json> {
  const text = new TextDecoder().decode(await readBytes(file));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const fields = { file, found: text.slice(0, 80), expected: "JSON" };
    throw new ConfigError(`${file}: not JSON; expected the ${file} of a checkpoint`, fields, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigError(`${file}: expected a JSON object`, { file, found: typeof value, expected: "object" });
  }
  return value as Json;
}

/** @throws {ConfigError} when the file cannot be read. */
export async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read; expected a file of a checkpoint`, { file }, { cause: error });
  }
}

export const encodeJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

export const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

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
