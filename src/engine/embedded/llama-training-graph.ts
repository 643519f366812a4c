/**
 * The graph that scores sequences and, if asked, differentiates the weighted sum of the values read at M positions:
 * log-probabilities of the tokens that follow them, or scores. One graph serves every batch size and length: B rows of T
 * tokens.
 */
import { Tape, type Bindings, type Value } from "./autodiff.ts";
import {
  headSize,
  layerFeatures,
  layerParameterNames,
  paddedContextLength,
  type LlamaConfig,
  type ParameterLayout,
} from "./llama-parameters.ts";
import { add, gatherDistinctRows, linear, reshape, split, transpose } from "./operators.ts";
import {
  causalAttention,
  causalMask,
  rmsNorm,
  rotaryTables,
  rotate,
  swiGlu,
  weightedCrossEntropy,
  weightedSum,
  type QueryBlock,
} from "./transformer-operators.ts";

/**
 * T must be a multiple of this: attention works in as many blocks of queries. With n blocks (n + 1) / 2n of the scores are
 * computed, but in smaller products. Four pay from about 400 tokens on; with two, training is up to 5 % faster below 200.
 */
const queryBlockCount = (config: LlamaConfig): number => (config.contextLength > 512 ? 4 : 2);

/** Names of the graph's data inputs; parameters are inputs under their own names. */
export const TRAINING_INPUTS = {
  /** int64 [B·T], row after row. */
  tokens: "tokens",
  /** int64 [M]: the places in B·T where a value is read. */
  scored: "scored",
  /** int64 [M, 1]: the tokens that follow them; no input with a score head. */
  targets: "targets",
  /** float32 [M, 1]. */
  weights: "weights",
  /** float32, one per block of queries. */
  mask: (block: number): string => `mask${block}`,
} as const;

export interface TrainingGraph {
  readonly model: Uint8Array;
  /** The first output, for `runInto`. */
  readonly stopper: string;
  /** Output [M, 1]: log-probabilities of the targets in nats, or scores. */
  readonly values: string;
  /** Output per parameter name, of the parameter's shape; empty if only scoring. An embedding that is not the head has none. */
  readonly gradients: ReadonlyMap<string, string>;
  /**
   * Output [N, width]: the gradient of the embedded tokens. Whoever runs the graph adds row i to the embedding's
   * gradient at token i, which the graph leaves out: the runtime's scatter is not deterministic for repeated rows.
   */
  readonly embeddedGradient: string | undefined;
  /** Inputs that depend on the batch's shape alone. */
  shapeFeeds(bindings: Bindings): Map<string, BigInt64Array>;
  /** The named dimensions for B rows of T tokens with M scored positions. */
  bindings(options: { rows: number; length: number; scored: number }): Bindings;
  /** Per block of queries, the mask and its shape for sequences of `length` tokens. */
  masks(length: number): { name: string; data: Float32Array; shape: [number, number] }[];
}

/** What a graph computes with: every parameter trained, or a frozen base and an adapter. */
export interface GraphModel {
  /** [vocabulary, width] */
  readonly embedding: Value;
  /** Whether the embedded tokens' gradient is an output. */
  readonly trainsEmbedding: boolean;
  /** By parameter name; each gets a gradient of its shape. */
  readonly trained: readonly (readonly [name: string, value: Value])[];
  /**
   * Makes one transformer layer on the residual stream [N, width]. With `scored` [M] it continues, once all positions have
   * been attended to, with the rows named there alone: [M, width].
   */
  layers(blocks: readonly QueryBlock[]): (hidden: Value, index: number, scored?: Value) => Value;
  /** Logits [M, vocabulary] or scores [M, 1] of rows [M, width] of the last layer, not yet normalized. */
  read(rows: Value): Value;
}

export function buildTrainingGraph(
  config: LlamaConfig,
  layout: ParameterLayout,
  options: { readonly withGradients: boolean },
): TrainingGraph {
  return assembleGraph(config, options, (tape) => {
    const parameters = new Map(layout.parameters.map(({ name, shape }) => [name, tape.input(name, shape)]));
    const parameter = (name: string): Value => parameters.get(name)!;
    const onlyGathered = config.output === "score" || !config.tieEmbeddings;
    return {
      embedding: parameter("embedding"),
      trainsEmbedding: true,
      trained: [...parameters].filter(([name]) => name !== "embedding" || !onlyGathered),
      layers: (blocks) => {
        const layer = layerBuilder(tape, config, blocks);
        return (hidden, index, scored) => layer(hidden, parameter, layerParameterNames(index), scored);
      },
      read: (rows) => {
        const normalized = rmsNorm(tape, rows, parameter("finalNorm"), { epsilon: config.rmsNormEpsilon });
        return linear(tape, normalized, parameter(headParameter(config)));
      },
    };
  });
}

const headParameter = (config: LlamaConfig): string =>
  config.output === "score" ? "score" : config.tieEmbeddings ? "embedding" : "head";

/** The frame around a model: embedding and layers, the values at the scored positions, and the backward pass. */
export function assembleGraph(
  config: LlamaConfig,
  options: { readonly withGradients: boolean },
  open: (tape: Tape) => GraphModel,
): TrainingGraph {
  const tape = new Tape();
  const group = config.headCount / config.keyValueHeadCount;
  const model = open(tape);
  const tokens = tape.input(TRAINING_INPUTS.tokens, ["N"], "int64");
  const scored = tape.input(TRAINING_INPUTS.scored, ["M"], "int64");
  const blockCount = queryBlockCount(config);
  const boundary = (block: number) => (block === 0 ? 0 : block === blockCount ? "T" : `E${block}`);
  const blocks = Array.from({ length: blockCount }, (_, block): QueryBlock => {
    const end = boundary(block + 1);
    const mask = tape.input(TRAINING_INPUTS.mask(block), ["GC", end]);
    return { start: boundary(block), end, extent: "C", rows: "GC", mask };
  });

  const embedded = tape.operator("Gather", [model.embedding, tokens], ["N", config.hiddenSize]);
  let hidden = embedded;
  const layer = model.layers(blocks);
  // After the last attention only the scored rows are of use: less than half of them when prompts are long, one in a
  // sequence that gets a score.
  const last = config.layerCount - 1;
  for (let index = 0; index <= last; index++) hidden = layer(hidden, index, index === last ? scored : undefined);
  const weights = tape.input(TRAINING_INPUTS.weights, ["M", 1]);
  const { loss, values } = readValues(tape, config, { read: () => model.read(hidden), weights });
  const stopper = tape.graph.sequenceOutput();
  tape.graph.output(values.name, "float32", ["M", 1]);
  const gradients = new Map<string, string>();
  let embeddedGradient: string | undefined;
  if (options.withGradients) {
    const outside = model.trainsEmbedding ? [embedded] : [];
    const derived = tape.gradients(loss, [...outside, ...model.trained.map(([, value]) => value)]);
    for (const { name, shape } of derived) tape.graph.output(name, "float32", shape);
    if (model.trainsEmbedding) embeddedGradient = derived[0]!.name;
    model.trained.forEach(([name], i) => gradients.set(name, derived[outside.length + i]!.name));
  } else {
    tape.graph.output(loss.name, "float32", []);
  }

  return {
    model: tape.graph.encode(),
    stopper,
    values: values.name,
    gradients,
    embeddedGradient,
    shapeFeeds: (bindings) => tape.shapeFeeds(bindings),
    bindings: ({ rows, length, scored: scoredCount }) => {
      const extent = length / blockCount;
      const bound: Record<string, number> = { N: rows * length, B: rows, T: length, M: scoredCount };
      for (let block = 1; block < blockCount; block++) bound[`E${block}`] = block * extent;
      return { ...bound, C: extent, GC: group * extent };
    },
    masks: (length) =>
      blocks.map((_, block) => {
        const extent = length / blockCount;
        const end = (block + 1) * extent;
        const data = causalMask({ group, start: block * extent, end });
        return { name: TRAINING_INPUTS.mask(block), data, shape: [group * extent, end] };
      }),
  };
}

/** The values at the scored positions and the loss, Σ w · (−value). */
function readValues(
  tape: Tape,
  config: LlamaConfig,
  { read, weights }: { read: () => Value; weights: Value },
): { loss: Value; values: Value } {
  if (config.output === "score") {
    const values = read();
    return { loss: weightedSum(tape, values, weights), values };
  }
  const targets = tape.input(TRAINING_INPUTS.targets, ["M", 1], "int64");
  const { loss, logProbabilities } = weightedCrossEntropy(tape, read(), targets, weights);
  return { loss, values: logProbabilities };
}

/** The tables of `rotate` for every position of the context. */
export function rotaryConstants(tape: Tape, config: LlamaConfig): { cosine: Value; sine: Value; negativeSine: Value } {
  const positions = paddedContextLength(config);
  const size = headSize(config);
  const { ropeTheta: theta, ropeScaling: scaling } = config;
  const { cosine, sine } = rotaryTables({ positions, headSize: size, theta, scaling });
  const shape = [positions, size / 2];
  return {
    cosine: tape.constant(cosine, shape),
    sine: tape.constant(sine, shape),
    negativeSine: tape.constant(
      sine.map((x) => -x),
      shape,
    ),
  };
}

/** The rows of several matrices that are named; all rows if none are. */
export const gatherAll = (tape: Tape, matrices: readonly Value[], rows: Value | undefined): Value[] =>
  matrices.map((matrix) => (rows === undefined ? matrix : gatherDistinctRows(tape, matrix, rows)));

/** Queries [B, H, T, size] over keys and values [B, K, T, size] → the heads of each token side by side, [N, H·size]. */
export function attend(
  tape: Tape,
  config: LlamaConfig,
  { query, key, value }: { readonly query: Value; readonly key: Value; readonly value: Value },
  blocks: readonly QueryBlock[],
): Value {
  const { headCount, keyValueHeadCount } = config;
  const size = headSize(config);
  const grouped = reshape(tape, query, ["B", keyValueHeadCount, headCount / keyValueHeadCount, "T", size]);
  const attended = causalAttention(tape, grouped, key, value, blocks);
  const heads = transpose(tape, reshape(tape, attended, ["B", headCount, "T", size]), [0, 2, 1, 3]);
  return reshape(tape, heads, ["N", headCount * size]);
}

type LayerNames = ReturnType<typeof layerParameterNames>;

/** One transformer layer, as `GraphModel.layers`. */
function layerBuilder(tape: Tape, config: LlamaConfig, blocks: readonly QueryBlock[]) {
  const { headCount, keyValueHeadCount } = config;
  const features = layerFeatures(config);
  const size = headSize(config);
  const tables = rotaryConstants(tape, config);
  const norm = (x: Value, weight: Value): Value => rmsNorm(tape, x, weight, { epsilon: config.rmsNormEpsilon });

  return (hidden: Value, parameter: (name: string) => Value, names: LayerNames, scored?: Value): Value => {
    const biasOf = (name: string, exists: boolean): Value | undefined => (exists ? parameter(name) : undefined);
    /** stream + x·wᵀ + bias. The stream is the product's third input, which spares a pass over it. */
    const addTo = (stream: Value, x: Value, matrix: string, bias: Value | undefined): Value => {
      const sum = linear(tape, x, parameter(matrix), stream);
      return bias === undefined ? sum : add(tape, sum, bias);
    };
    /** Heads [B, heads, T, size] in their positions; normalized one by one before if asked for. */
    const turn = (heads: Value, weight: string): Value =>
      rotate(tape, features.queryKeyNorm ? norm(heads, parameter(weight)) : heads, tables);

    const attentionInput = norm(hidden, parameter(names.attentionNorm));
    const projectionBias = biasOf(names.queryKeyValueBias, features.queryKeyValueBias);
    const projected = linear(tape, attentionInput, parameter(names.queryKeyValue), projectionBias);
    const byHead = reshape(tape, projected, ["B", "T", headCount + 2 * keyValueHeadCount, size]);
    const counts = [headCount, keyValueHeadCount, keyValueHeadCount];
    const [query, key, value] = split(tape, transpose(tape, byHead, [0, 2, 1, 3]), 1, counts);
    const turned = { query: turn(query!, names.queryNorm), key: turn(key!, names.keyNorm), value: value! };
    const joined = attend(tape, config, turned, blocks);
    const outputBias = biasOf(names.attentionOutputBias, features.attentionOutputBias);
    const [stream, attended] = gatherAll(tape, [hidden, joined], scored);
    const afterAttention = addTo(stream!, attended!, names.attentionOutput, outputBias);

    const feedForwardInput = norm(afterAttention, parameter(names.feedForwardNorm));
    const read = (matrix: string, bias: string): Value =>
      linear(tape, feedForwardInput, parameter(matrix), biasOf(bias, features.feedForwardBias));
    const gate = read(names.gate, names.gateBias);
    const up = read(names.up, names.upBias);
    const downBias = biasOf(names.downBias, features.feedForwardBias);
    return addTo(afterAttention, swiGlu(tape, gate, up), names.down, downBias);
  };
}
