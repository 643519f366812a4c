/**
 * The graphs that sample: one step of decoding over a cache of keys and values, and the prefill that writes the cache
 * of whole prompts.
 *
 * Rows that share a prompt attend to it in common: a step's time is the reading of its caches, and a prompt is read once
 * for all members of a sharing, in one product. What a row decodes itself lies in a cache of its own. The two parts are
 * columns of one softmax.
 *
 * What a row computes must not depend, in its last bit, on what else is in the batch: on the other rows, on those it
 * shares its prompt with, on how much of a cache is padding. Four things see to that. A session has one thread. Products
 * whose number of rows may vary have two at least: then every row is summed in one order, which is another than that of a
 * product of a single row. Softmaxes put a column into a vector lane by its index (16 lanes at most) and sum each lane in
 * order, so the parts begin at multiples of 16 columns, masked columns come last in them and add exact zeros. Products
 * with caches sum over positions in order.
 */
import {
  headSize,
  layerFeatures,
  layerParameterNames,
  paddedContextLength,
  type LlamaConfig,
  type ParameterLayout,
} from "./llama-parameters.ts";
import { MICROSOFT_DOMAIN, OnnxGraph } from "./onnx-writer.ts";
import { rotaryTables } from "./transformer-operators.ts";

/** Prompts are padded to multiples of so many positions. */
export const PROMPT_GRANULARITY = 64;

/** Most prompts of one prefill. */
export const PREFILL_ROWS = 8;

/** Inputs, besides (in prefill, or where they are no constants) the parameters under their own names. */
export const DECODE_INPUTS = {
  /** int64 [rows] (decode) or [rows·T] (prefill). */
  tokens: "tokens",
  /** int64 [rows, 1]: the tokens' positions (decode). */
  positions: "positions",
  /** float32 [rows, 1]: 1 / temperature (decode). */
  inverseTemperature: "inverseTemperature",
  /** float32 [rows, 1, 1, P + S] (decode) or [group·T, T] (prefill): 0 where to look, else −1e30. */
  mask: "mask",
  /** int64 [2]: P and S, the extents of the columns' two parts (decode). */
  parts: "parts",
  /** int64 [rows, keyValueHeads, 1, 3]: row, head and position of this token in the rows' caches (decode). */
  places: "places",
  /** int64 [sharings, keyValueHeads, members·group]: which of the [rows·heads] queries (decode). */
  toSharings: "toSharings",
  /** int64 [rows, keyValueHeads, group]: the inverse, which of the [sharings·keyValueHeads·members·group] (decode). */
  toRows: "toRows",
  /** int64 [4]: rows, T, heads, head size (prefill). */
  headShape: "headShape",
  /** float32 [sharings, keyValueHeads, P, headSize]: of the prompts (decode). */
  promptKeys: (layer: number): string => `promptKeys${layer}`,
  promptValues: (layer: number): string => `promptValues${layer}`,
  /** float32 [rows, keyValueHeads, S, headSize]: of each row's own tokens (decode). */
  keys: (layer: number): string => `keys${layer}`,
  values: (layer: number): string => `values${layer}`,
} as const;

export interface DecodeGraph {
  readonly model: Uint8Array;
  /** The first output, for `runInto`. */
  readonly stopper: string;
  /** float32 [rows, vocabulary]: log p at temperature 1, nats. */
  readonly logProbabilities: string;
  /** float32 [rows, vocabulary]: p at each row's temperature. */
  readonly probabilities: string;
  /**
   * float32 [rows, keyValueHeads, S, headSize]: the rows' own keys and values with this token's, of layer 0, then of layer 1,
   * … They are to go into the memory of the inputs: then the runtime writes what is new and copies nothing.
   */
  readonly keysAndValues: readonly string[];
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
  /** Cosine and sine of each position. */
  readonly #keyTurns: readonly string[];
  /** The same, times 1/√headSize: turning queries scales them, too. */
  readonly #queryTurns: readonly string[];

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
    const turns = (scale: number): string[] =>
      [tables.cosine, tables.sine].map((table) =>
        this.graph.constant(
          "float32",
          [positions, size / 2],
          table.map((value) => scale * value),
        ),
      );
    this.#keyTurns = turns(1);
    this.#queryTurns = turns(1 / Math.sqrt(size));
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

  /** Queries, keys and values of a layer in one, [rows, width of all heads]. */
  project(hidden: string, index: number): string {
    const names = layerParameterNames(index);
    const input = this.norm(hidden, names.attentionNorm);
    return this.linear(input, names.queryKeyValue, this.features.queryKeyValueBias && names.queryKeyValueBias);
  }

  /** Queries (times 1/√headSize) and keys in their positions, and values, from [rows, heads, T, size]. */
  attended(byHead: string, positions: string, index: number): { query: string; key: string; value: string } {
    const { headCount, keyValueHeadCount } = this.config;
    const parts = this.split(byHead, [headCount, keyValueHeadCount, keyValueHeadCount]);
    const [query, key, value] = parts as [string, string, string];
    const names = layerParameterNames(index);
    const normalized = (x: string, weight: string): string => (this.features.queryKeyNorm ? this.norm(x, weight) : x);
    const turned = (x: string, turns: readonly string[]): string =>
      this.graph.node("RotaryEmbedding", [x, positions, ...turns], {}, MICROSOFT_DOMAIN);
    return {
      query: turned(normalized(query, names.queryNorm), this.#queryTurns),
      key: turned(normalized(key, names.keyNorm), this.#keyTurns),
      value,
    };
  }

  /** What attention adds to the residual stream. */
  attentionOutput(joined: string, index: number): string {
    const names = layerParameterNames(index);
    return this.linear(joined, names.attentionOutput, this.features.attentionOutputBias && names.attentionOutputBias);
  }

  /** queries·keysᵀ. No factor here: with one, the runtime has no direct product of a single query. */
  scores(queries: string, keys: string): string {
    return this.graph.node("FusedMatMul", [queries, keys], { transB: 1 }, MICROSOFT_DOMAIN);
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
  const parts = graph.input(DECODE_INPUTS.parts, "int64", [2]);
  const places = graph.input(DECODE_INPUTS.places, "int64", [rows, keyValueHeadCount, 1, 3]);
  const group = headCount / keyValueHeadCount;
  const toSharings = graph.input(DECODE_INPUTS.toSharings, "int64", ["sharings", keyValueHeadCount, "queries"]);
  const toRows = graph.input(DECODE_INPUTS.toRows, "int64", [rows, keyValueHeadCount, group]);
  // Both pick vectors of a four-dimensional x along its last axis.
  const gather = (x: string, which: string): string =>
    graph.node("Gather", [graph.node("Flatten", [x], { axis: 3 }), which]);

  let hidden = graph.node("Gather", [layers.parameter("embedding"), tokens]);
  const made: string[] = [];
  for (let index = 0; index < layerCount; index++) {
    const cached = (name: string, extents: readonly [string | number, string]): string =>
      graph.input(name, "float32", [extents[0], keyValueHeadCount, extents[1], size]);
    const promptKeys = cached(DECODE_INPUTS.promptKeys(index), ["sharings", "P"]);
    const promptValues = cached(DECODE_INPUTS.promptValues(index), ["sharings", "P"]);
    const pastKeys = cached(DECODE_INPUTS.keys(index), [rows, "S"]);
    const pastValues = cached(DECODE_INPUTS.values(index), [rows, "S"]);
    const byHead = layers.reshape(layers.project(hidden, index), [rows, headCount + 2 * keyValueHeadCount, 1, size]);
    const { query, key, value } = layers.attended(byHead, positions, index);
    const keys = graph.node("ScatterND", [pastKeys, places, key]);
    const values = graph.node("ScatterND", [pastValues, places, value]);
    made.push(keys, values);
    const grouped = layers.reshape(query, [rows, keyValueHeadCount, group, size]);
    const scores = [
      gather(layers.scores(gather(grouped, toSharings), promptKeys), toRows),
      layers.scores(grouped, keys),
    ];
    const probabilities = layers.softmax(layers.add(graph.node("Concat", scores, { axis: 3 }), mask));
    const [toPrompt, toOwn] = graph.nodeWithOutputs("Split", [probabilities, parts], 2, { axis: 3 });
    const fromPrompt = gather(graph.node("MatMul", [gather(toPrompt!, toSharings), promptValues]), toRows);
    const fromOwn = graph.node("MatMul", [toOwn!, values]);
    const joined = layers.reshape(layers.add(fromPrompt, fromOwn), [rows, headCount * size]);
    hidden = layers.add(hidden, layers.attentionOutput(joined, index));
    hidden = layers.feedForward(hidden, index);
  }
  const logits = layers.linear(layers.norm(hidden, "finalNorm"), config.tieEmbeddings ? "embedding" : "head");
  const logProbabilities = graph.node("LogSoftmax", [logits], { axis: -1 });
  const probabilities = layers.softmax(graph.node("Mul", [logits, inverseTemperature]));
  const stopper = graph.sequenceOutput();
  graph.output(logProbabilities, "float32", [rows, vocabularySize]);
  graph.output(probabilities, "float32", [rows, vocabularySize]);
  for (const name of made) graph.output(name, "float32", [rows, keyValueHeadCount, "S", size]);
  return { model: graph.encode(), stopper, logProbabilities, probabilities, keysAndValues: made };
}

/** Keys and values of prompts of T tokens, with the parameters as inputs. */
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
    const { query, key, value } = layers.attended(byHead, graph.integers(0), index);
    made.push(key, value);
    // The last layer's keys and values are all that is asked of it.
    if (index === layerCount - 1) break;
    // A reshaped extent of 0 stays as it is.
    const grouped = layers.reshape(query, [0, keyValueHeadCount, -1, size]);
    const probabilities = layers.softmax(layers.add(layers.scores(grouped, key), mask));
    const attended = layers.reshape(graph.node("MatMul", [probabilities, value]), [0, headCount, -1, size]);
    const joined = layers.reshape(swapHeadsAndTime(attended), [-1, headCount * size]);
    hidden = layers.add(hidden, layers.attentionOutput(joined, index));
    hidden = layers.feedForward(hidden, index);
  }
  for (const name of made) graph.output(name, "float32", ["rows", keyValueHeadCount, "T", size]);
  return { model: graph.encode(), keysAndValues: made };
}
