/** The shape of a model of the Llama family, its parameters in one flat memory, and their initialization. */
import { ConfigError } from "../../errors.ts";
import { createRandom } from "../../random.ts";

/**
 * The members of the family. `mistral` computes what `llama` does; `qwen2` adds biases to queries, keys and values;
 * `qwen3` normalizes every head's query and key.
 */
export const ARCHITECTURES = ["llama", "mistral", "qwen2", "qwen3"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** How Llama 3.1 stretches rotary positions: slow frequencies are divided by `factor`, fast ones kept. */
export interface RopeScaling {
  readonly factor: number;
  /** Frequencies of less than this many turns over the original context are slow, */
  readonly lowFrequencyFactor: number;
  /** those of more than this many turns fast; in between it is interpolated. Above `lowFrequencyFactor`. */
  readonly highFrequencyFactor: number;
  readonly originalContextLength: number;
}

export interface LlamaConfig {
  /** Default `llama`. */
  readonly architecture?: Architecture;
  readonly vocabularySize: number;
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  /** Divides `headCount`; equal to it is multi-head, 1 is multi-query attention. */
  readonly keyValueHeadCount: number;
  readonly intermediateSize: number;
  /** Most tokens of a sequence. */
  readonly contextLength: number;
  /** Whether the output matrix is the embedding; of no effect with a score head. */
  readonly tieEmbeddings: boolean;
  /**
   * What is read from the last layer: `tokens` (default), a distribution over the next token; `score`, one number per
   * position (the one-label sequence classifier that the field uses as reward model).
   */
  readonly output?: "tokens" | "score";
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
  readonly rmsNormEpsilon: number;
  /** Width of a head, even. Default: `hiddenSize` / `headCount`. */
  readonly headSize?: number;
  /** Whether queries, keys, values and the attention's output have biases (llama and qwen3). */
  readonly attentionBias?: boolean;
  /** Whether gate, up and down have biases (llama). */
  readonly feedForwardBias?: boolean;
}

/** No extent of a model is larger: what is, is no model. */
const MOST = { layerCount: 1024, contextLength: 1 << 24, others: 1 << 24 };

/** @throws {ConfigError} naming the first value that does not describe a model. */
export function validateLlamaConfig(config: LlamaConfig): void {
  const integers = [
    "vocabularySize",
    "hiddenSize",
    "layerCount",
    "headCount",
    "keyValueHeadCount",
    "intermediateSize",
    "contextLength",
  ] as const;
  for (const key of integers) {
    requireInteger(key, config[key], key === "layerCount" || key === "contextLength" ? MOST[key] : MOST.others);
  }
  if (config.headSize !== undefined) requireInteger("headSize", config.headSize, MOST.others);
  for (const key of ["ropeTheta", "rmsNormEpsilon"] as const) {
    if (!(Number.isFinite(config[key]) && config[key] > 0)) {
      throw new ConfigError(`${key} is ${config[key]}; expected a positive number`, { key, found: config[key] });
    }
  }
  const { hiddenSize, headCount, keyValueHeadCount } = config;
  if (config.headSize === undefined && hiddenSize % (2 * headCount) !== 0) {
    const message = `hiddenSize is ${hiddenSize}; expected a multiple of twice headCount (${headCount})`;
    throw new ConfigError(message, { key: "hiddenSize", found: hiddenSize });
  }
  if (headSize(config) % 2 !== 0) {
    throw new ConfigError(`headSize is ${config.headSize}; expected an even number`, { key: "headSize" });
  }
  if (headCount % keyValueHeadCount !== 0) {
    const message = `keyValueHeadCount is ${keyValueHeadCount}; expected a divisor of headCount (${headCount})`;
    throw new ConfigError(message, { key: "keyValueHeadCount", found: keyValueHeadCount });
  }
  validateVariant(config);
}

function requireInteger(key: string, found: number, most: number): void {
  if (Number.isSafeInteger(found) && found >= 1 && found <= most) return;
  throw new ConfigError(`${key} is ${found}; expected a positive integer up to ${most}`, { key, found });
}

function validateVariant(config: LlamaConfig): void {
  const { architecture = "llama", ropeScaling } = config;
  if (!ARCHITECTURES.includes(architecture)) {
    const message = `architecture is ${architecture}; expected one of ${ARCHITECTURES.join(", ")}`;
    throw new ConfigError(message, { key: "architecture", found: architecture });
  }
  const homes = { attentionBias: ["llama", "qwen3"], feedForwardBias: ["llama"] } as const;
  for (const key of ["attentionBias", "feedForwardBias"] as const) {
    const home: readonly Architecture[] = homes[key];
    if (!config[key] || home.includes(architecture)) continue;
    const message = `${key} is true; expected it only with architecture ${home.join(" or ")}`;
    throw new ConfigError(message, { key, found: true });
  }
  if (ropeScaling === undefined) return;
  for (const [key, value] of Object.entries(ropeScaling)) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new ConfigError(`ropeScaling.${key} is ${value}; expected a positive number`, { key, found: value });
  }
  const { lowFrequencyFactor: low, highFrequencyFactor: high } = ropeScaling;
  if (high > low) return;
  const message = `ropeScaling.highFrequencyFactor is ${high}; expected more than lowFrequencyFactor (${low})`;
  throw new ConfigError(message, { key: "ropeScaling.highFrequencyFactor", found: high });
}

export const headSize = (config: LlamaConfig): number => config.headSize ?? config.hiddenSize / config.headCount;

/** Which products of a layer have a bias, and whether queries and keys are normalized. */
export function layerFeatures(config: LlamaConfig) {
  const { architecture = "llama", attentionBias = false, feedForwardBias = false } = config;
  return {
    queryKeyValueBias: attentionBias || architecture === "qwen2",
    attentionOutputBias: attentionBias,
    feedForwardBias,
    queryKeyNorm: architecture === "qwen3",
  } as const;
}

/** Every graph pads sequences to multiples that divide this. */
const LENGTH_GRANULARITY = 64;

/** Positions a padded sequence may have. */
export const paddedContextLength = (config: LlamaConfig): number =>
  Math.ceil(config.contextLength / LENGTH_GRANULARITY) * LENGTH_GRANULARITY;

/** A tensor of the checkpoint that is a run of rows of a parameter. */
export interface CheckpointTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One parameter: a matrix [out, in] as in a checkpoint, or a vector: a norm weight [in] or a bias [out]. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Place in the flat memory, in floats; a multiple of 4. */
  readonly offset: number;
  readonly length: number;
  /** Normal with this deviation, or uniform between ±`bound`; a norm weight starts at 1, a bias at 0. */
  readonly initial: number | { readonly bound: number } | "ones" | "zeros";
  /** Its tensors in a checkpoint, stacked by rows (query, key and value are one parameter here). */
  readonly tensors: readonly CheckpointTensor[];
}

export interface ParameterLayout {
  /** Matrices first, then vectors. */
  readonly parameters: readonly Parameter[];
  readonly byName: ReadonlyMap<string, Parameter>;
  /** Floats of the flat memory up to where weight decay applies (matrices), and in all; multiples of 4. */
  readonly decayedLength: number;
  readonly totalLength: number;
  /** Number of trained values (padding not counted). */
  readonly parameterCount: number;
}

/** The parameters of layer `index` by role. */
export const layerParameterNames = (index: number) =>
  ({
    attentionNorm: `layers.${index}.attentionNorm`,
    queryKeyValue: `layers.${index}.queryKeyValue`,
    attentionOutput: `layers.${index}.attentionOutput`,
    feedForwardNorm: `layers.${index}.feedForwardNorm`,
    gate: `layers.${index}.gate`,
    up: `layers.${index}.up`,
    down: `layers.${index}.down`,
    // Of some architectures only:
    queryNorm: `layers.${index}.queryNorm`,
    keyNorm: `layers.${index}.keyNorm`,
    queryKeyValueBias: `layers.${index}.queryKeyValueBias`,
    attentionOutputBias: `layers.${index}.attentionOutputBias`,
    gateBias: `layers.${index}.gateBias`,
    upBias: `layers.${index}.upBias`,
    downBias: `layers.${index}.downBias`,
  }) as const;

/** Where every parameter lies in the flat memory. The order is fixed: training states rely on it. */
export function layoutParameters(config: LlamaConfig): ParameterLayout {
  const { hiddenSize: width, vocabularySize, intermediateSize, headCount, keyValueHeadCount } = config;
  const head = headSize(config);
  const fanIn = (inputs: number, gain = 1): number => gain / Math.sqrt(inputs);
  const features = layerFeatures(config);
  const matrices: ParameterDraft[] = [];
  const vectors: ParameterDraft[] = [];
  const matrix = (name: string, tensors: CheckpointTensor[], initial: number): void => {
    const rows = tensors.reduce((sum, tensor) => sum + tensor.shape[0]!, 0);
    matrices.push({ name, shape: [rows, tensors[0]!.shape[1]!], initial, tensors });
  };
  const norm = (name: string, tensor: string, extent = width): void => {
    vectors.push({ name, shape: [extent], initial: "ones", tensors: [{ name: tensor, shape: [extent] }] });
  };
  const bias = (name: string, tensors: CheckpointTensor[]): void => {
    const extent = tensors.reduce((sum, tensor) => sum + tensor.shape[0]!, 0);
    vectors.push({ name, shape: [extent], initial: "zeros", tensors });
  };

  matrix("embedding", [{ name: "model.embed_tokens.weight", shape: [vocabularySize, width] }], 0.05);
  for (let index = 0; index < config.layerCount; index++) {
    const names = layerParameterNames(index);
    const prefix = `model.layers.${index}`;
    norm(names.attentionNorm, `${prefix}.input_layernorm.weight`);
    const projections = {
      q_proj: headCount * head,
      k_proj: keyValueHeadCount * head,
      v_proj: keyValueHeadCount * head,
    };
    const projected = (kind: string, rest: number[]): CheckpointTensor[] =>
      Object.entries(projections).map(([name, rows]) => ({
        name: `${prefix}.self_attn.${name}.${kind}`,
        shape: [rows, ...rest],
      }));
    matrix(names.queryKeyValue, projected("weight", [width]), fanIn(width));
    if (features.queryKeyValueBias) bias(names.queryKeyValueBias, projected("bias", []));
    if (features.queryKeyNorm) {
      norm(names.queryNorm, `${prefix}.self_attn.q_norm.weight`, head);
      norm(names.keyNorm, `${prefix}.self_attn.k_norm.weight`, head);
    }
    if (features.attentionOutputBias) {
      bias(names.attentionOutputBias, [{ name: `${prefix}.self_attn.o_proj.bias`, shape: [width] }]);
    }
    const output = { name: `${prefix}.self_attn.o_proj.weight`, shape: [width, headCount * head] };
    matrix(names.attentionOutput, [output], fanIn(headCount * head, 0.5));
    norm(names.feedForwardNorm, `${prefix}.post_attention_layernorm.weight`);
    matrix(names.gate, [{ name: `${prefix}.mlp.gate_proj.weight`, shape: [intermediateSize, width] }], fanIn(width));
    matrix(names.up, [{ name: `${prefix}.mlp.up_proj.weight`, shape: [intermediateSize, width] }], fanIn(width));
    const down = { name: `${prefix}.mlp.down_proj.weight`, shape: [width, intermediateSize] };
    matrix(names.down, [down], fanIn(intermediateSize, 0.5));
    if (features.feedForwardBias) {
      bias(names.gateBias, [{ name: `${prefix}.mlp.gate_proj.bias`, shape: [intermediateSize] }]);
      bias(names.upBias, [{ name: `${prefix}.mlp.up_proj.bias`, shape: [intermediateSize] }]);
      bias(names.downBias, [{ name: `${prefix}.mlp.down_proj.bias`, shape: [width] }]);
    }
  }
  norm("finalNorm", "model.norm.weight");
  if (config.output === "score") matrix("score", [{ name: "score.weight", shape: [1, width] }], 0.02);
  else if (!config.tieEmbeddings) matrix("head", [{ name: "lm_head.weight", shape: [vocabularySize, width] }], 0.05);

  return placeParameters(matrices, vectors);
}

/** A parameter before it has a place. */
export type ParameterDraft = Omit<Parameter, "offset" | "length">;

/** Lays parameters out one after the other, each at a multiple of 4 floats. */
export function placeParameters(
  matrices: readonly ParameterDraft[],
  vectors: readonly ParameterDraft[],
): ParameterLayout {
  let offset = 0;
  let parameterCount = 0;
  const place = (draft: ParameterDraft): Parameter => {
    const length = draft.shape.reduce((product, extent) => product * extent, 1);
    const parameter = { ...draft, offset, length };
    offset += Math.ceil(length / 4) * 4;
    parameterCount += length;
    return parameter;
  };
  const placedMatrices = matrices.map(place);
  const decayedLength = offset;
  const parameters = [...placedMatrices, ...vectors.map(place)];
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  return { parameters, byName, decayedLength, totalLength: offset, parameterCount };
}

/** Every tensor of the checkpoint with its place in the flat memory. */
export function* checkpointTensors(layout: ParameterLayout) {
  for (const parameter of layout.parameters) {
    let start = parameter.offset;
    for (const tensor of parameter.tensors) {
      const end = start + tensor.shape.reduce((product, extent) => product * extent, 1);
      yield { tensor, start, end };
      start = end;
    }
  }
}

/**
 * Fresh weights: normal with deviation 0.05 for embeddings, 0.02 for a score head, 1/√(inputs) for matrices and half
 * of that for those that write to the residual stream; norm weights 1, biases 0. Each parameter draws from its own
 * stream.
 */
export function initializeParameters(layout: ParameterLayout, weights: Float32Array, seed: number): void {
  for (const parameter of layout.parameters) initializeParameter(parameter, weights, seed);
}

export function initializeParameter(parameter: Parameter, weights: Float32Array, seed: number): void {
  const { name, offset, length, initial } = parameter;
  const values = weights.subarray(offset, offset + length);
  if (typeof initial === "string") {
    values.fill(initial === "ones" ? 1 : 0);
    return;
  }
  const random = createRandom(seed, "weights", name);
  if (typeof initial === "object") {
    for (let i = 0; i < length; i++) values[i] = initial.bound * (2 * random() - 1);
    return;
  }
  for (let i = 0; i < length; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    values[i] = initial * radius * Math.cos(2 * Math.PI * random());
  }
}
