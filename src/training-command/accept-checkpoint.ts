/**
 * Whether what a trainer left is a checkpoint to go on with: complete, finite, of the shapes that its config says, and
 * with a tokenizer. Models of the Hugging Face layout and LoRA adapters.
 */
import { copyFile, open, readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { errorCode } from "../store/file-errors.ts";
import { expectedTensors } from "./expected-tensors.ts";
import { checkTensorFile, type TensorEntry, UnusableFile } from "./tensor-file.ts";

export interface AcceptanceOptions {
  readonly directory: string;
  /** What training started from: its tokenizer completes the checkpoint, its name is kept with an adapter. */
  readonly from: string;
  /** `score`: a sequence classifier with one label, the field's reward model. */
  readonly output: "tokens" | "score";
  readonly signal?: AbortSignal;
}

const MODEL = { config: "config.json", weights: "model.safetensors", index: "model.safetensors.index.json" };
const ADAPTER = { config: "adapter_config.json", weights: "adapter_model.safetensors", base: "base-model.json" };
/** One of these makes a tokenizer. */
const VOCABULARIES = ["tokenizer.json", "tokenizer.model", "vocab.json"];
const TOKENIZER_FILES = [
  ...VOCABULARIES,
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
];
const TEMPLATE = "chat_template.jinja";

/**
 * Checks the directory, adds what a trainer may leave out, and makes it durable.
 * @throws UnusableFile naming the file and what is wrong with it.
 */
export async function acceptCheckpoint(options: AcceptanceOptions): Promise<void> {
  const { directory, from } = options;
  const files = await list(directory);
  if (files.size === 0) throw new UnusableFile("the command wrote no checkpoint");
  if (files.has(MODEL.config)) await checkModel(files, options);
  else if (files.has(ADAPTER.config)) await checkAdapter(files, options);
  else throw new UnusableFile(`${MODEL.config} is missing (there are ${[...files].toSorted().slice(0, 8).join(", ")})`);
  await completeTokenizer(directory, from, files);
  for (const file of await list(directory)) await sync(join(directory, file));
}

async function checkModel(files: ReadonlySet<string>, options: AcceptanceOptions): Promise<void> {
  const { directory, output, signal } = options;
  const config = await readJson(directory, MODEL.config);
  const [architecture] = Array.isArray(config["architectures"]) ? config["architectures"] : [];
  requireOutput(String(architecture), config, output);
  const tensors = new Map<string, TensorEntry>();
  const { shards, placement } = await listShards(directory, files);
  for (const shard of shards) {
    if (!files.has(shard)) throw new UnusableFile(`${shard} is missing, which ${MODEL.index} names`);
    for (const [name, entry] of await checkTensorFile(join(directory, shard), shard, signal)) tensors.set(name, entry);
  }
  for (const [name, shard] of Object.entries(placement)) {
    if (!tensors.has(name)) throw new UnusableFile(`${name} is missing in ${shard}, where ${MODEL.index} says it is`);
  }
  if (tensors.size === 0) throw new UnusableFile(`${shards.join(", ")} has no tensors`);
  for (const [name, shape] of expectedTensors(config, output)) {
    const found = tensors.get(name)?.shape;
    if (found?.join() === shape.join()) continue;
    const what = found === undefined ? "is missing" : `has shape [${found.join(", ")}]`;
    throw new UnusableFile(`${name} ${what}; ${MODEL.config} asks for [${shape.join(", ")}]`);
  }
}

function requireOutput(architecture: string, config: Record<string, unknown>, output: "tokens" | "score"): void {
  const isClassifier = architecture.endsWith("ForSequenceClassification");
  if (output === "tokens" && (isClassifier || !architecture.endsWith("ForCausalLM"))) {
    throw new UnusableFile(
      `${MODEL.config}: the architecture is ${architecture}, not one that writes text (…ForCausalLM)`,
    );
  }
  if (output === "tokens") return;
  if (!isClassifier) {
    throw new UnusableFile(
      `${MODEL.config}: the architecture is ${architecture}, not a reward model (…ForSequenceClassification with one label)`,
    );
  }
  const labels = config["num_labels"] ?? Object.keys((config["id2label"] ?? { 0: "", 1: "" }) as object).length;
  if (labels !== 1) throw new UnusableFile(`${MODEL.config}: ${String(labels)} labels; a reward model has one`);
}

async function listShards(
  directory: string,
  files: ReadonlySet<string>,
): Promise<{ shards: readonly string[]; placement: Readonly<Record<string, string>> }> {
  if (files.has(MODEL.index)) {
    const placement = (await readJson(directory, MODEL.index))["weight_map"];
    if (typeof placement !== "object" || placement === null) throw new UnusableFile(`${MODEL.index} has no weight_map`);
    return {
      shards: [...new Set(Object.values(placement) as string[])],
      placement: placement as Record<string, string>,
    };
  }
  if (files.has(MODEL.weights)) return { shards: [MODEL.weights], placement: {} };
  const other = [...files].find((file) => file.endsWith(".bin") && file.startsWith("pytorch_model"));
  throw new UnusableFile(
    other === undefined
      ? `${MODEL.weights} is missing`
      : `${other} is no safetensors file: let the trainer save in that format (safe serialization)`,
  );
}

/** The adapter's tensors are matrices next to those of its base; which ones is up to its config. */
async function checkAdapter(files: ReadonlySet<string>, { directory, from, output, signal }: AcceptanceOptions) {
  const config = await readJson(directory, ADAPTER.config);
  const task = config["task_type"];
  const wanted = output === "score" ? "SEQ_CLS" : "CAUSAL_LM";
  if (task !== undefined && task !== null && task !== wanted) {
    throw new UnusableFile(`${ADAPTER.config}: task_type is ${String(task)}; expected ${wanted}`);
  }
  if (!files.has(ADAPTER.weights)) throw new UnusableFile(`${ADAPTER.weights} is missing`);
  const tensors = await checkTensorFile(join(directory, ADAPTER.weights), ADAPTER.weights, signal);
  const rank = config["r"];
  const ranks = new Set([rank, ...Object.values((config["rank_pattern"] ?? {}) as Record<string, unknown>)]);
  const downward = [...tensors].filter(([name]) => /\.lora_A\./.test(name));
  if (downward.length === 0) throw new UnusableFile(`${ADAPTER.weights} has no LoRA tensors`);
  for (const [name, { shape }] of downward) {
    const upward = name.replace(".lora_A.", ".lora_B.");
    if (!tensors.has(upward)) throw new UnusableFile(`${ADAPTER.weights}: ${upward} is missing`);
    if (!ranks.has(shape[0]) || tensors.get(upward)!.shape[1] !== shape[0]) {
      throw new UnusableFile(
        `${ADAPTER.weights}: ${name} is not of rank ${String(rank)}, which ${ADAPTER.config} says`,
      );
    }
  }
  await writeJsonAtomic(join(directory, ADAPTER.base), { baseModel: resolve(from) });
}

/** A trainer need not copy the tokenizer. A chat template beside it is also put into its config, where all readers look. */
async function completeTokenizer(directory: string, from: string, files: ReadonlySet<string>): Promise<void> {
  if (!VOCABULARIES.some((file) => files.has(file))) {
    const there = await list(from);
    if (!VOCABULARIES.some((file) => there.has(file))) {
      throw new UnusableFile(`a tokenizer is missing, and ${from} has none to copy`);
    }
    for (const file of TOKENIZER_FILES) if (there.has(file)) await copyFile(join(from, file), join(directory, file));
  }
  const now = await list(directory);
  if (!now.has(TEMPLATE) || !now.has("tokenizer_config.json")) return;
  const config = await readJson(directory, "tokenizer_config.json");
  if (config["chat_template"] !== undefined) return;
  const template = await readFile(join(directory, TEMPLATE), "utf8");
  await writeJsonAtomic(join(directory, "tokenizer_config.json"), { ...config, chat_template: template });
}

async function readJson(directory: string, file: string): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(join(directory, file), "utf8"));
  } catch {
    throw new UnusableFile(`${file} is not JSON`);
  }
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new UnusableFile(`${file} is no JSON object`);
}

async function list(directory: string): Promise<Set<string>> {
  try {
    return new Set(await readdir(directory));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return new Set();
    throw error;
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    if ((await handle.stat()).isFile()) await handle.sync();
  } finally {
    await handle.close();
  }
}
