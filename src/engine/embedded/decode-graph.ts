/**
 * The graphs that sample: one step of decoding over a cache of keys and values, and the prefill that writes the cache
 * of whole prompts.
 *
 * What a row computes must not depend, in its last bit, on what else is in the batch, nor on how much of the cache is
 * padding. Three things see to that. Products with weights run with a number of rows of which the accumulation order
 * does not depend. Softmaxes run over a multiple of 64 columns in which masked columns come last, so that the vector
 * lanes into which a column is summed stay the same and padding adds exact zeros; the token's own score stands first,
 * which is why caches hold 64·n − 1 positions. Products with the cache sum over positions in order.
 */
import {
  headSize,
  layerFeatures,
  layerParameterNames,
  paddedContextLength,
  type LlamaConfig,
  type ParameterLayout,
} from "./llama-parameters.ts";
import { MICROSOFT_DOMAIN, OnnxGraph, type Dimension } from "./onnx-writer.ts";
import { rotaryTables } from "./transformer-operators.ts";

/** Softmaxes run over multiples of so many columns. */
export const COLUMN_GRANULARITY = 64;

/** Rows of the prefill graph. */
export const PREFILL_ROWS = 8;

/** Inputs, besides caches and (in prefill) the parameters under their own names. */
export const DECODE_INPUTS = {
  /** int64 [rows] (decode) or [rows·T] (prefill). */
  tokens: "tokens",
  /** int64 [rows, 1]: the tokens' positions (decode). */
  positions: "positions",
  /** float32 [rows, 1]: 1 / temperature (decode). */
  inverseTemperature: "inverseTemperature",
  /** float32 [rows, 1, 1, 1 + capacity] (decode) or [group·T, T] (prefill): 0 where to look, else −1e30. */
  mask: "mask",
  /** int64 [4]: rows, T, heads, head size (prefill). */
  headShape: "headShape",
  /** float32 [rows, keyValueHeads, capacity, headSize]. */
  keys: (layer: number): string => `keys${layer}`,
  values: (layer: number): string => `values${layer}`,
} as const;

export interface DecodeGraph {
  readonly model: Uint8Array;
  /** float32 [rows, vocabulary]: log p at temperature 1, nats. */
  readonly logProbabilities: string;
  /** float32 [rows, vocabulary]: p at each row's temperature. */
  readonly probabilities: string;
  /** float32 [rows, keyValueHeads, 2·layers, headSize]: this token's key and value of each layer in turn. */
  readonly newKeysAndValues: string;
}

export interface PrefillGraph {
  readonly model: Uint8Array;
  /** float32 [rows, keyValueHeads, T, headSize]: keys and values of layer 0, then of layer 1, … */
  readonly keysAndValues: readonly string[];
}

/** Parts that both graphs share; activations are [N, width]. */
class LayerGraph {
  readonly graph = new OnnxGraph();
  readonly config: LlamaConfig;
  readonly features: ReturnType<typeof layerFeatures>;
  readonly parameter: (name: string) => string;
  readonly cosine: string;
  readonly sine: string;

  /** With weights these become constants (packed once by the runtime); else the parameters are inputs. */
  constructor(config: LlamaConfig, layout: ParameterLayout, weights: Float32Array | undefined) {
    this.config = config;
    this.features = layerFeatures(config);
    const names = new Map(
      layout.parameters.map(({ name, shape, offset, length }) => [
        name,
        weights
          ? this.graph.constant("float32", shape, weights.subarray(offset, offset + length), name)
          : this.graph.input(name, "float32", shape),
      ]),
    );
    this.parameter = (name) => names.get(name)!;
    const size = headSize(config);
    const positions = paddedContextLength(config);
    const tables = rotaryTables({ positions, headSize: size, theta: config.ropeTheta, scaling: config.ropeScaling });
    this.cosine = this.graph.constant("float32", [positions, size / 2], tables.cosine);
    this.sine = this.graph.constant("float32", [positions, size / 2], tables.sine);
  }

  norm(x: string, weight: string): string {
    const attributes = { axis: -1, epsilon: { float: this.config.rmsNormEpsilon } };
    return this.graph.node("SimplifiedLayerNormalization", [x, this.parameter(weight)], attributes);
  }

  /** With a bias if it is named. */
  linear(x: string, matrix: string, bias?: string | false): string {
    const operands = bias ? [matrix, bias] : [matrix];
    return this.graph.node("Gemm", [x, ...operands.map(this.parameter)], { transB: 1 });
  }

  split(x: string, extents: readonly number[]): string[] {
    return this.graph.nodeWithOutputs("Split", [x, this.graph.integers(...extents)], extents.length, { axis: 1 });
  }

  rotate(x: string, positions: string): string {
    return this.graph.node("RotaryEmbedding", [x, positions, this.cosine, this.sine], {}, MICROSOFT_DOMAIN);
  }

  /** Queries, keys and values of a layer in one, [rows, width of all heads]. */
  project(hidden: string, index: number): string {
    const names = layerParameterNames(index);
    const input = this.norm(hidden, names.attentionNorm);
    return this.linear(input, names.queryKeyValue, this.features.queryKeyValueBias && names.queryKeyValueBias);
  }

  /** Queries and keys in their positions, from [rows, heads, T, size]. */
  turn(queryKey: string, positions: string, index: number): string[] {
    const heads = [this.config.headCount, this.config.keyValueHeadCount];
    if (!this.features.queryKeyNorm) return this.split(this.rotate(queryKey, positions), heads);
    const names = layerParameterNames(index);
    const [query, key] = this.split(queryKey, heads);
    const normalized = [this.norm(query!, names.queryNorm), this.norm(key!, names.keyNorm)];
    return normalized.map((x) => this.rotate(x, positions));
  }

  /** What attention adds to the residual stream. */
  attentionOutput(joined: string, index: number): string {
    const names = layerParameterNames(index);
    return this.linear(joined, names.attentionOutput, this.features.attentionOutputBias && names.attentionOutputBias);
  }

  /** α·queries·keysᵀ with α = 1/√headSize. */
  scores(queries: string, keys: string): string {
    const attributes = { transB: 1, alpha: { float: 1 / Math.sqrt(headSize(this.config)) } };
    return this.graph.node("FusedMatMul", [queries, keys], attributes, MICROSOFT_DOMAIN);
  }

  softmax(x: string): string {
    return this.graph.node("Softmax", [x], { axis: -1 });
  }

  add(a: string, b: string): string {
    return this.graph.node("Add", [a, b]);
  }

  reshape(x: string, shape: readonly number[]): string {
    return this.graph.node("Reshape", [x, this.graph.integers(...shape)]);
  }

  feedForward(hidden: string, index: number): string {
    const names = layerParameterNames(index);
    const input = this.norm(hidden, names.feedForwardNorm);
    const { feedForwardBias } = this.features;
    const gate = this.linear(input, names.gate, feedForwardBias && names.gateBias);
    const silu = this.graph.node("QuickGelu", [gate], { alpha: { float: 1 } }, MICROSOFT_DOMAIN);
    const gated = this.graph.node("Mul", [silu, this.linear(input, names.up, feedForwardBias && names.upBias)]);
    return this.add(hidden, this.linear(gated, names.down, feedForwardBias && names.downBias));
  }
}

/** One decoding step of `rows` sequences, with the weights as constants or, without them, the parameters as inputs. */
export function buildDecodeGraph(
  config: LlamaConfig,
  layout: ParameterLayout,
  options: { readonly weights: Float32Array | undefined; readonly rows: number },
): DecodeGraph {
  const { rows } = options;
  const { headCount, keyValueHeadCount, vocabularySize, layerCount } = config;
  const size = headSize(config);
  const layers = new LayerGraph(config, layout, options.weights);
  const { graph } = layers;
  const tokens = graph.input(DECODE_INPUTS.tokens, "int64", [rows]);
  const positions = graph.input(DECODE_INPUTS.positions, "int64", [rows, 1]);
  const inverseTemperature = graph.input(DECODE_INPUTS.inverseTemperature, "float32", [rows, 1]);
  const mask = graph.input(DECODE_INPUTS.mask, "float32", [rows, 1, 1, "columns"]);
  const cacheShape: Dimension[] = [rows, keyValueHeadCount, "capacity", size];
  const columns = (x: string, start: number, end: number): string =>
    graph.node("Slice", [x, graph.integers(start), graph.integers(end), graph.integers(3)]);

  let hidden = graph.node("Gather", [layers.parameter("embedding"), tokens]);
  const made: string[] = [];
  for (let index = 0; index < layerCount; index++) {
    const cachedKeys = graph.input(DECODE_INPUTS.keys(index), "float32", cacheShape);
    const cachedValues = graph.input(DECODE_INPUTS.values(index), "float32", cacheShape);
    const byHead = layers.reshape(layers.project(hidden, index), [rows, headCount + 2 * keyValueHeadCount, 1, size]);
    const [queryKey, value] = layers.split(byHead, [headCount + keyValueHeadCount, keyValueHeadCount]);
    const [query, key] = layers.turn(queryKey!, positions, index);
    made.push(key!, value!);
    const grouped = layers.reshape(query!, [rows, keyValueHeadCount, headCount / keyValueHeadCount, size]);
    const own = layers.scores(grouped, key!);
    const past = layers.scores(grouped, cachedKeys);
    const scores = layers.add(graph.node("Concat", [own, past], { axis: 3 }), mask);
    const probabilities = layers.softmax(scores);
    const fromOwn = graph.node("Mul", [columns(probabilities, 0, 1), value!]);
    const fromPast = graph.node("MatMul", [columns(probabilities, 1, 1 << 30), cachedValues]);
    const joined = layers.reshape(layers.add(fromPast, fromOwn), [rows, headCount * size]);
    hidden = layers.add(hidden, layers.attentionOutput(joined, index));
    hidden = layers.feedForward(hidden, index);
  }
  const logits = layers.linear(layers.norm(hidden, "finalNorm"), config.tieEmbeddings ? "embedding" : "head");
  const logProbabilities = graph.node("LogSoftmax", [logits], { axis: -1 });
  const probabilities = layers.softmax(graph.node("Mul", [logits, inverseTemperature]));
  const newKeysAndValues = graph.node("Concat", made, { axis: 2 });
  graph.output(logProbabilities, "float32", [rows, vocabularySize]);
  graph.output(probabilities, "float32", [rows, vocabularySize]);
  graph.output(newKeysAndValues, "float32", [rows, keyValueHeadCount, 2 * layerCount, size]);
  return { model: graph.encode(), logProbabilities, probabilities, newKeysAndValues };
}

/** Keys and values of PREFILL_ROWS prompts of T tokens, with the parameters as inputs. */
export function buildPrefillGraph(config: LlamaConfig, layout: ParameterLayout): PrefillGraph {
  const { headCount, keyValueHeadCount, layerCount } = config;
  const size = headSize(config);
  const layers = new LayerGraph(config, layout, undefined);
  const { graph } = layers;
  const tokens = graph.input(DECODE_INPUTS.tokens, "int64", ["N"]);
  const mask = graph.input(DECODE_INPUTS.mask, "float32", ["GT", "T"]);
  const headShape = graph.input(DECODE_INPUTS.headShape, "int64", [4]);
  const swapHeadsAndTime = (x: string): string => graph.node("Transpose", [x], { perm: [0, 2, 1, 3] });

  let hidden = graph.node("Gather", [layers.parameter("embedding"), tokens]);
  const made: string[] = [];
  for (let index = 0; index < layerCount; index++) {
    const projected = layers.project(hidden, index);
    const byHead = swapHeadsAndTime(graph.node("Reshape", [projected, headShape]));
    const [queryKey, value] = layers.split(byHead, [headCount + keyValueHeadCount, keyValueHeadCount]);
    const [query, key] = layers.turn(queryKey!, graph.integers(0), index);
    made.push(key!, value!);
    // The last layer's keys and values are all that is asked of it.
    if (index === layerCount - 1) break;
    const grouped = layers.reshape(query!, [PREFILL_ROWS, keyValueHeadCount, -1, size]);
    const probabilities = layers.softmax(layers.add(layers.scores(grouped, key!), mask));
    const attended = layers.reshape(graph.node("MatMul", [probabilities, value!]), [PREFILL_ROWS, headCount, -1, size]);
    const joined = layers.reshape(swapHeadsAndTime(attended), [-1, headCount * size]);
    hidden = layers.add(hidden, layers.attentionOutput(joined, index));
    hidden = layers.feedForward(hidden, index);
  }
  for (const name of made) graph.output(name, "float32", [PREFILL_ROWS, keyValueHeadCount, "T", size]);
  return { model: graph.encode(), keysAndValues: made };
}
