/**
 * The embedded engine: a model of the Llama family that samples and trains in this process, on the CPU, in float32.
 * The engine's own kernels compute, or ONNX Runtime where there are none, in threads of their own.
 */
import { availableParallelism } from "node:os";
import { ConfigError, EngineError } from "../../errors.ts";
import type { Datum, SampleRequest, TrainableModel } from "../engine.ts";
import type { TokenizerFiles } from "../tokenizer-files.ts";
import { ADAPTER_FILES, describeAdapter } from "./adapter-files.ts";
import { CallQueue } from "./call-queue.ts";
import { openTokenizer, readCheckpoint, writeCheckpoint, type LoraOptions } from "./checkpoint.ts";
import type { LlamaConfig } from "./llama-parameters.ts";
import type { ReplicaSource } from "./replica.ts";
import { openReplicas } from "./replicas.ts";

export type { LlamaConfig } from "./llama-parameters.ts";
export { LORA_TARGETS, validateLora, type LoraSettings, type LoraTarget } from "./low-rank-adapter.ts";
export type { LoraOptions } from "./checkpoint.ts";

/** Threads that compute unless told otherwise. */
export const defaultThreads = (): number => Math.min(2, availableParallelism());

/**
 * A model with fresh weights, drawn from `seed`.
 * @throws {ConfigError} when the configuration describes no model or its vocabulary is not the tokenizer's.
 */
export async function createEmbeddedModel(options: {
  readonly config: LlamaConfig;
  readonly tokenizer: TokenizerFiles;
  readonly seed: number;
  readonly threads?: number;
}): Promise<TrainableModel> {
  const { config, tokenizer, seed, threads } = options;
  return openModel({ config, tokenizer, seed }, { threads });
}

/**
 * A model from a checkpoint's directory, or from a low-rank adapter's and that of the base model it names.
 * @throws {ConfigError} naming file, key, what was found and what was expected, when it is no checkpoint that this
 * engine can open or does not fit into memory.
 */
export async function loadEmbeddedModel(options: {
  readonly directory: string;
  readonly threads?: number;
  /** `score` gives a model of tokens a fresh score head in place of its output. Default: what the checkpoint has. */
  readonly output?: LlamaConfig["output"];
  /** Trains a low-rank adapter and leaves the weights as they are; `save` then writes the adapter. */
  readonly lora?: LoraOptions | undefined;
  /** Told what memory a large model takes, before it is loaded. */
  readonly onNotice?: (line: string) => void;
}): Promise<TrainableModel> {
  const { threads, onNotice, ...source } = options;
  return openModel(source, { threads, onNotice });
}

/**
 * Writes the model of an adapter's directory, base and adapter in one, as an ordinary checkpoint.
 * @throws {ConfigError} when it is no adapter that this engine can open, or there is one where the checkpoint is to be.
 */
export async function mergeAdapter(adapter: string, to: string): Promise<void> {
  if ((await describeAdapter(adapter)) === undefined) {
    throw new ConfigError(`${adapter} is no adapter: it has no ${ADAPTER_FILES.config}`, { directory: adapter });
  }
  if ((await describeAdapter(to)) !== undefined) {
    throw new ConfigError(`${to} holds an adapter; choose another directory for the model`, { directory: to });
  }
  await writeCheckpoint(to, await readCheckpoint(adapter));
}

async function openModel(
  source: ReplicaSource,
  options: { readonly threads?: number | undefined; readonly onNotice?: ((line: string) => void) | undefined },
): Promise<TrainableModel> {
  const { threads = defaultThreads(), onNotice } = options;
  if (!(Number.isSafeInteger(threads) && threads >= 1)) {
    throw new ConfigError(`threads is ${threads}; expected a positive integer`, { key: "threads", found: threads });
  }
  const replicas = await openReplicas(source, { threads, onNotice });
  const { config, tokenizerFiles, endTokens, parameterCount } = replicas.description;
  const tokenizer = openTokenizer(tokenizerFiles, config, { endTokens });
  const queue = new CallQueue();
  let closed = false;
  const alone = <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> =>
    queue.alone(async () => {
      assertOpen(closed);
      signal?.throwIfAborted();
      return work();
    });

  return {
    tokenizer,
    contextLength: config.contextLength,
    parameterCount,
    async sample(request, signal) {
      assertOpen(closed);
      signal?.throwIfAborted();
      if (config.output === "score") throw new EngineError("a model of scores cannot write text");
      validateRequest(request, config);
      if (request.seeds.length === 0) return [];
      return queue.shared(async () => {
        signal?.throwIfAborted();
        return replicas.sample(request, signal);
      });
    },
    async forward(batch, signal, onSequences) {
      for (const datum of batch) validateDatum(datum, config);
      return alone(() => replicas.forward(batch, signal, onSequences), signal);
    },
    async forwardBackward(batch, signal, onSequences) {
      for (const datum of batch) validateDatum(datum, config);
      return alone(() => replicas.forwardBackward(batch, signal, onSequences), signal);
    },
    optimizerStep: (adamW) => alone(() => replicas.step(adamW)),
    save: (directory) => alone(() => replicas.save(directory)),
    saveTrainingState: (file) => alone(() => replicas.saveTrainingState(file)),
    loadTrainingState: (file) => alone(() => replicas.loadTrainingState(file)),
    close: () =>
      queue.alone(async () => {
        closed = true;
        await replicas.close();
      }),
  };
}

function assertOpen(closed: boolean): void {
  if (closed) throw new EngineError("the model is closed");
}

function validateRequest(request: SampleRequest, config: LlamaConfig): void {
  const { tokens, temperature, maxTokens, topP = 1, topK = 1, topLogprobs = 0 } = request;
  validateTokens(tokens, config, { least: 1, most: config.contextLength - 1 });
  if (!(temperature >= 0 && Number.isFinite(temperature))) {
    throw new EngineError(`temperature is ${temperature}; expected a number from 0 up`, { temperature });
  }
  if (!(Number.isSafeInteger(maxTokens) && maxTokens >= 1)) {
    throw new EngineError(`maxTokens is ${maxTokens}; expected a positive integer`, { maxTokens });
  }
  if (!(topP > 0 && topP <= 1)) {
    throw new EngineError(`topP is ${topP}; expected a number above 0 and up to 1`, { topP });
  }
  if (!(Number.isSafeInteger(topK) && topK >= 1)) {
    throw new EngineError(`topK is ${topK}; expected a positive integer`, { topK });
  }
  if (!(Number.isSafeInteger(topLogprobs) && topLogprobs >= 0)) {
    throw new EngineError(`topLogprobs is ${topLogprobs}; expected an integer from 0 up`, { topLogprobs });
  }
}

function validateDatum({ tokens, weights }: Datum, config: LlamaConfig): void {
  validateTokens(tokens, config, { least: 2, most: config.contextLength });
  if (weights.length !== tokens.length) {
    const fields = { weights: weights.length, tokens: tokens.length };
    throw new EngineError(`a datum has ${weights.length} weights for ${tokens.length} tokens`, fields);
  }
  if (weights[0] !== 0) throw new EngineError("weights[0] must be 0: nothing predicts the first token");
}

function validateTokens(tokens: Int32Array, config: LlamaConfig, range: { least: number; most: number }): void {
  const { least, most } = range;
  if (tokens.length < least || tokens.length > most) {
    throw new EngineError(`${tokens.length} tokens; expected ${least} to ${most}`, {
      found: tokens.length,
      least,
      most,
    });
  }
  for (const token of tokens) {
    if (token < 0 || token >= config.vocabularySize) {
      throw new EngineError(`token ${token} is not below the vocabulary's ${config.vocabularySize}`, { token });
    }
  }
}
