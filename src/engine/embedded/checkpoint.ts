/** Checkpoints in Hugging Face layout: config.json, model.safetensors, tokenizer.json, tokenizer_config.json. */
import { join, resolve } from "node:path";
import { ConfigError } from "../../errors.ts";
import { writeFileAtomic } from "../../store/atomic-write.ts";
import type { Tokenizer } from "../engine.ts";
import { encodeJson, exists, readJson } from "../read-files.ts";
import type { TokenizerFiles } from "../tokenizer-files.ts";
import { readTokenizerFiles } from "../tokenizer-reading.ts";
import { loadTokenizer, type LoadTokenizerOptions } from "../tokenizer.ts";
import { describeAdapter, readAdapter, writeAdapter, type AdapterDescription } from "./adapter-files.ts";
import { FILES } from "./checkpoint-files.ts";
import { CheckpointWeights } from "./checkpoint-weights.ts";
import type { Kernels } from "./kernels/addon.ts";
import {
  checkpointTensors,
  initializeParameter,
  layoutParameters,
  type LlamaConfig,
  type ParameterLayout,
} from "./llama-parameters.ts";
import { createAdapter, mergeInto, validateLora, type LoadedAdapter, type LoraSettings } from "./low-rank-adapter.ts";
import { describeNeeds, estimateMemory, memoryLimitBytes, refuseTooLarge } from "./memory-needs.ts";
import { fromConfigJson, readEndTokens, toConfigJson } from "./model-config.ts";
import { ParameterStore, type SharedVectors } from "./parameter-store.ts";
import { encodeSafetensors, type StoredTensor } from "./safetensors.ts";
import { replicasFor } from "./shares.ts";

const SCORE_TENSOR = "score.weight";

/** Of a model smaller than this nobody needs to know the memory. */
const NOTICED_BYTES = 2 ** 28;

/** A model with its tokenizer, as it is in memory. */
export interface LoadedCheckpoint {
  readonly config: LlamaConfig;
  readonly tokenizerFiles: TokenizerFiles;
  readonly tokenizer: Tokenizer;
  /** The tokens that end a text, that of the tokenizer first. */
  readonly endTokens: readonly number[];
  readonly store: ParameterStore;
  /** What is trained instead of the weights in `store`. */
  readonly adapter?: LoadedAdapter;
}

/** A low-rank adapter to train; `seed` draws a fresh one. */
export interface LoraOptions extends LoraSettings {
  readonly seed: number;
}

export interface ReadCheckpointOptions {
  /** With `score`, a model of tokens is read without its output matrix and given a fresh score head instead. */
  readonly output?: LlamaConfig["output"];
  /** Freezes the weights and adds an adapter to train. An adapter's directory is gone on with, under equal settings. */
  readonly lora?: LoraOptions | undefined;
  /** Told what memory a model of more than 256 MiB takes, before it is loaded. */
  readonly onNotice?: (line: string) => void;
  /** Memory there is. Default: the machine's, or what the process's control group allows. */
  readonly memoryLimitBytes?: number;
  /** How many threads are to compute, for what is told of the memory. Default: 1. */
  readonly threads?: number;
  /** Where the vectors are to be kept. */
  readonly memory?: ModelMemory;
}

export interface ModelMemory {
  readonly kernels: Kernels | undefined;
  /** What another replica of the model has read already. */
  readonly shared?: SharedModel | undefined;
}

/** What replicas of a model have in common. */
export interface SharedModel {
  readonly model: SharedVectors;
  readonly adapter: SharedVectors | undefined;
}

/**
 * Writes the four files, each at once; of an adapter its two and the tokenizer's. The weights come last: with them the
 * checkpoint is complete.
 */
export async function writeCheckpoint(directory: string, model: LoadedCheckpoint): Promise<void> {
  const { config, tokenizerFiles, endTokens, store, adapter } = model;
  await writeFileAtomic(join(directory, FILES.tokenizer), encodeJson(tokenizerFiles.tokenizer));
  await writeFileAtomic(join(directory, FILES.tokenizerConfig), encodeJson(tokenizerFiles.config));
  if (adapter !== undefined) return writeAdapter(directory, adapter);
  const tensors = new Map<string, StoredTensor>();
  for (const { tensor, start, end } of checkpointTensors(store.layout)) {
    tensors.set(tensor.name, { shape: tensor.shape, data: store.weights.subarray(start, end) });
  }
  const weights = encodeSafetensors({ metadata: { format: "pt" }, tensors });
  await writeFileAtomic(join(directory, FILES.config), encodeJson(toConfigJson(config, endTokens)));
  await writeFileAtomic(join(directory, FILES.weights), weights);
}

/**
 * A model from its checkpoint's directory; from an adapter's, the base model with the adapter merged into its weights.
 * @throws {ConfigError} naming file, key, what was found and expected, when the files are no model of this engine or
 * it does not fit into memory.
 */
export async function readCheckpoint(
  directory: string,
  options: ReadCheckpointOptions = {},
): Promise<LoadedCheckpoint> {
  const { lora } = options;
  if (lora !== undefined) validateLora(lora);
  const description = await describeAdapter(directory);
  if (description === undefined && lora === undefined) return readModel(directory, options);
  if (description !== undefined && lora !== undefined) requireEqualSettings(description, lora);
  const base = description?.base ?? resolve(directory);
  if (description !== undefined && (await describeAdapter(base)) !== undefined) {
    const message = `${directory}: its base model ${base} is an adapter too; expected a model: merge that adapter first`;
    throw new ConfigError(message, { directory, base });
  }
  if (description?.output === "score" && options.output === "tokens") refuseScores(directory);
  const output = description?.output === "score" ? "score" : options.output;
  const model = await readModel(base, {
    ...options,
    ...(output && { output }),
    frozen: lora !== undefined,
    ...((await exists(join(directory, FILES.tokenizer))) && { tokenizerDirectory: directory }),
  });
  const { store } = model;
  const storeOptions = { kernels: options.memory?.kernels, shared: options.memory?.shared?.adapter };
  const adapter = description && (await readAdapter(description, store, storeOptions));
  if (lora !== undefined) {
    const { rank, alpha, targets, seed } = lora;
    const fresh = { settings: { rank, alpha, targets }, directory: base, seed };
    return { ...model, adapter: adapter ?? createAdapter(store, fresh, storeOptions) };
  }
  if (!options.memory?.shared) mergeInto(store.weights, store.layout, adapter!);
  return model;
}

function refuseScores(directory: string): never {
  throw new ConfigError(`${directory} is a model of scores: it cannot write text`, { directory });
}

function requireEqualSettings({ directory, settings }: AdapterDescription, wanted: LoraSettings): void {
  const text = ({ rank, alpha, targets }: LoraSettings): string =>
    `rank ${rank}, alpha ${alpha}, ${targets.toSorted().join(" ")}`;
  if (text(settings) === text(wanted)) return;
  const message = `${directory} is an adapter of ${text(settings)}; expected ${text(wanted)}: change the settings, or merge it and start from the model`;
  throw new ConfigError(message, { directory, found: text(settings), expected: text(wanted) });
}

/**
 * Everything but the weights is read and checked first, the weights' shapes too: memory is taken for what is known to
 * be there and to fit.
 */
async function readModel(
  directory: string,
  options: ReadCheckpointOptions & { readonly frozen?: boolean; readonly tokenizerDirectory?: string },
): Promise<LoadedCheckpoint> {
  const { output, onNotice, frozen = false, tokenizerDirectory = directory } = options;
  const configFile = join(directory, FILES.config);
  const configJson = await readJson(configFile);
  const stored = fromConfigJson(configJson, configFile);
  const config: LlamaConfig = output === undefined ? stored : { ...stored, output };
  const isNewHead = config.output === "score" && stored.output !== "score";
  if (output === "tokens" && stored.output === "score") refuseScores(directory);
  const tokenizerFiles = await readTokenizerFiles(tokenizerDirectory);
  const configured = readEndTokens(configJson, configFile, config.vocabularySize);
  const generationFile = join(directory, FILES.generationConfig);
  const generation = (await exists(generationFile)) ? await readJson(generationFile) : {};
  const generated = readEndTokens(generation, generationFile, config.vocabularySize);
  const tokenizer = openTokenizer(tokenizerFiles, config, { endTokens: [...generated, ...configured] });
  const endTokens = new Set([tokenizer.endToken, ...configured, ...generated]);

  const layout = layoutParameters(config);
  const weights = await CheckpointWeights.open(directory);
  try {
    checkTensors(weights, layout, { config, isNewHead });
    const { kernels, shared } = options.memory ?? {};
    const byKernels = kernels !== undefined;
    const { replicas } = replicasFor(options.threads ?? 1, byKernels ? 0 : 4 * layout.totalLength);
    const needs = estimateMemory(config, layout, { replicas, byKernels });
    refuseTooLarge(needs, directory, options.memoryLimitBytes ?? memoryLimitBytes());
    if (needs.weightsBytes > NOTICED_BYTES) onNotice?.(describeNeeds(needs, layout, directory));
    const store = new ParameterStore(layout, { frozen, kernels, shared: shared?.model });
    for (const { tensor, start, end } of shared ? [] : checkpointTensors(layout)) {
      if (isNewHead && tensor.name === SCORE_TENSOR) continue;
      await weights.read(tensor.name, store.weights.subarray(start, end));
    }
    if (!shared) await checkTiedHead(weights, store, config);
    if (isNewHead && !shared) initializeParameter(layout.byName.get("score")!, store.weights, 0);
    return { config, tokenizerFiles, tokenizer, endTokens: [...endTokens], store };
  } finally {
    await weights.close();
  }
}

/** @throws {ConfigError} unless the files have every tensor of the model, in its shape, and no other. */
function checkTensors(
  weights: CheckpointWeights,
  layout: ParameterLayout,
  { config, isNewHead }: { readonly config: LlamaConfig; readonly isNewHead: boolean },
): void {
  const { file } = weights;
  const expected = new Set<string>();
  for (const { tensor } of checkpointTensors(layout)) {
    if (isNewHead && tensor.name === SCORE_TENSOR) continue;
    expected.add(tensor.name);
    const found = weights.shapeOf(tensor.name);
    if (found?.join() === tensor.shape.join()) continue;
    const shape = found ? `[${found.join(", ")}]` : "missing";
    const message = `${file}: ${tensor.name} is ${shape}; expected shape [${tensor.shape.join(", ")}] by ${FILES.config}`;
    throw new ConfigError(message, { file, key: tensor.name, found, expected: tensor.shape });
  }
  // A tied head may be stored although it is the embedding.
  if (config.tieEmbeddings || isNewHead) expected.add("lm_head.weight");
  for (const name of weights.tensors.keys()) {
    // Rotary frequencies, which follow from the configuration, were once stored.
    if (expected.has(name) || name.endsWith(".rotary_emb.inv_freq")) continue;
    const message = `${file}: ${name} is not a tensor of the model that ${FILES.config} describes`;
    throw new ConfigError(message, { file, key: name, found: name });
  }
}

/**
 * A head that is stored although it is tied must be the embedding: one that differs is a head of its own to
 * `transformers` 5, and to earlier versions nothing.
 * @throws {ConfigError} when it differs.
 */
async function checkTiedHead(weights: CheckpointWeights, store: ParameterStore, config: LlamaConfig): Promise<void> {
  const name = "lm_head.weight";
  if (!config.tieEmbeddings || config.output === "score" || weights.shapeOf(name) === undefined) return;
  const isAlike = weights.shapeOf(name)!.join() === store.layout.byName.get("embedding")!.shape.join();
  if (isAlike && (await weights.holds(name, store.view(store.weights, "embedding")))) return;
  const message = `${weights.file}: ${name} is not the embedding, and tie_word_embeddings in ${FILES.config} is true; expected both alike: set it to false, or take the tensor out`;
  throw new ConfigError(message, { file: weights.file, key: name });
}

/** @throws {ConfigError} when the tokenizer is not supported or has more tokens than the model. */
export function openTokenizer(
  files: TokenizerFiles,
  config: LlamaConfig,
  options: LoadTokenizerOptions = {},
): Tokenizer {
  const tokenizer = loadTokenizer(files, options);
  if (tokenizer.vocabularySize > config.vocabularySize) {
    const fields = { key: "vocabularySize", found: config.vocabularySize, expected: tokenizer.vocabularySize };
    const message = `vocabularySize is ${config.vocabularySize}; expected at least the tokenizer's ${tokenizer.vocabularySize}`;
    throw new ConfigError(message, fields);
  }
  return tokenizer;
}
