/** The parameters of a model in training as the kernels' commands want them, each with the place of its gradient. */
import { layerParameterNames, type LlamaConfig, type Parameter } from "../llama-parameters.ts";
import { adapterNames, type LoadedAdapter } from "../low-rank-adapter.ts";
import type { ParameterStore } from "../parameter-store.ts";
import { LlamaWeights } from "./llama-weights.ts";
import type { Matrix, Values } from "./matrix.ts";
import type { AdapterPart, Projection, ProjectionPart, Trained } from "./projection.ts";

export interface LayerWeights {
  readonly attentionNorm: Trained<Values>;
  readonly queryKeyValue: Projection;
  /** Of every head's query and key, in some architectures. */
  readonly queryNorm: Trained<Values> | undefined;
  readonly keyNorm: Trained<Values> | undefined;
  readonly attentionOutput: Projection;
  readonly feedForwardNorm: Trained<Values>;
  /** Gate, then up, side by side. */
  readonly gateAndUp: Projection;
  readonly down: Projection;
}

export interface TrainingWeights {
  readonly embedding: Trained<Matrix>;
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: Trained<Values>;
  /** To logits or a score. */
  readonly head: Projection;
  /** Whether the head's matrix is the embedding. */
  readonly headIsEmbedding: boolean;
  /** No gradient is wanted of what lies before the projections of this layer; −1 where the embedding's is. */
  readonly lowestLayer: number;
}

/** The weights of `store`, all of them trained, or with an adapter that alone. */
export function trainingWeights(
  config: LlamaConfig,
  store: ParameterStore,
  adapter: LoadedAdapter | undefined,
): TrainingWeights {
  const { layout } = store;
  const values = new LlamaWeights(layout, store.weights);
  const gradients = adapter ? undefined : new LlamaWeights(layout, store.gradient);
  const matrix = (name: string): Trained<Matrix> => ({
    value: values.matrix(name),
    gradient: gradients?.matrix(name),
  });
  const vector = (name: string): Trained<Values> => ({
    value: values.values(name),
    gradient: gradients?.values(name),
  });
  const vectorIfAny = (name: string) => (layout.byName.has(name) ? vector(name) : undefined);
  const part = (name: string, bias: string, start = 0): ProjectionPart => ({
    start,
    weight: matrix(name),
    bias: vectorIfAny(bias),
  });
  const adaptersOf = (name: string, start = 0): AdapterPart[] =>
    adapter ? adapterParts(layout.byName.get(name)!, adapter, start) : [];
  const projection = (name: string, bias: string): Projection => ({
    parts: [part(name, bias)],
    adapters: adaptersOf(name),
  });
  const gateAndUp = (index: number): Projection => {
    const names = layerParameterNames(index);
    const both = values.gateAndUp(index);
    const gradient = gradients?.gateAndUp(index);
    const width = config.intermediateSize;
    const adapters = [...adaptersOf(names.gate), ...adaptersOf(names.up, width)];
    if (both === undefined)
      return { parts: [part(names.gate, names.gateBias), part(names.up, names.upBias, width)], adapters };
    const weight = { value: both.matrix, gradient: gradient?.matrix };
    return {
      parts: [{ start: 0, weight, bias: both.bias && { value: both.bias, gradient: gradient?.bias } }],
      adapters,
    };
  };

  const layers = Array.from({ length: config.layerCount }, (_, index): LayerWeights => {
    const names = layerParameterNames(index);
    return {
      attentionNorm: vector(names.attentionNorm),
      queryKeyValue: projection(names.queryKeyValue, names.queryKeyValueBias),
      queryNorm: vectorIfAny(names.queryNorm),
      keyNorm: vectorIfAny(names.keyNorm),
      attentionOutput: projection(names.attentionOutput, names.attentionOutputBias),
      feedForwardNorm: vector(names.feedForwardNorm),
      gateAndUp: gateAndUp(index),
      down: projection(names.down, names.downBias),
    };
  });
  const headIsEmbedding = config.output !== "score" && config.tieEmbeddings;
  const lowest = layers.findIndex((layer) => hasAdapter(layer));
  return {
    embedding: matrix("embedding"),
    layers,
    finalNorm: vector("finalNorm"),
    head: { parts: [{ start: 0, weight: headWeight(), bias: undefined }], adapters: [] },
    headIsEmbedding,
    lowestLayer: adapter ? (lowest < 0 ? config.layerCount : lowest) : -1,
  };

  function headWeight(): Trained<Matrix> {
    if (config.output !== "score") return matrix(headIsEmbedding ? "embedding" : "head");
    // A score head is trained whole beside an adapter.
    return adapter ? trainedOf(adapter.store, "score") : matrix("score");
  }
}

const hasAdapter = (layer: LayerWeights): boolean =>
  [layer.queryKeyValue, layer.attentionOutput, layer.gateAndUp, layer.down].some(({ adapters }) => adapters.length > 0);

const trainedOf = ({ layout, weights, gradient }: ParameterStore, name: string): Trained<Matrix> => ({
  value: new LlamaWeights(layout, weights).matrix(name),
  gradient: new LlamaWeights(layout, gradient).matrix(name),
});

/** The adapters of the tensors that are a parameter's rows, the first of which gives column `first`. */
function adapterParts(parameter: Parameter, { settings, store }: LoadedAdapter, first: number): AdapterPart[] {
  const parts: AdapterPart[] = [];
  let start = first;
  for (const tensor of parameter.tensors) {
    const { a, b } = adapterNames(tensor.name.replace(/\.weight$/, ""));
    if (store.layout.byName.has(a)) {
      parts.push({ start, a: trainedOf(store, a), b: trainedOf(store, b), scale: settings.alpha / settings.rank });
    }
    start += tensor.shape[0]!;
  }
  return parts;
}
