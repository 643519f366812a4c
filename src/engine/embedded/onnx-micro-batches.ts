/** Micro-batches computed by ONNX Runtime: the training graph on sequences padded to a common length. */
import type { InferenceSession } from "onnxruntime-node";
import { planMicroBatches } from "./batching.ts";
import { checkpointTensors, type LlamaConfig } from "./llama-parameters.ts";
import { buildTrainingGraph, TRAINING_INPUTS, type TrainingGraph } from "./llama-training-graph.ts";
import { buildLoraTrainingGraph } from "./lora-training-graph.ts";
import type { LoadedAdapter } from "./low-rank-adapter.ts";
import { microBatchTokens } from "./micro-batch-size.ts";
import type { ParameterStore } from "./parameter-store.ts";
import { closeSession, floatTensor, integerTensor, openSession, runInto, type Feeds } from "./session.ts";
import type { MicroBatches, ScoredSequence } from "./trainer.ts";

/** Lengths are padded to multiples of this, a multiple of the number of query blocks. */
const LENGTH_GRANULARITY = 16;

interface OpenGraph {
  readonly graph: TrainingGraph;
  readonly session: InferenceSession;
}

export class OnnxMicroBatches implements MicroBatches {
  readonly #config: LlamaConfig;
  /** What is trained. */
  readonly #store: ParameterStore;
  readonly #buildGraph: (options: { readonly withGradients: boolean }) => TrainingGraph;
  /** What is read but not trained. */
  readonly #frozen: Feeds;
  readonly #threads: number;
  readonly #graphs = new Map<boolean, Promise<OpenGraph>>();
  /** Of one micro-batch, where there is already a gradient to add it to; made when first needed. */
  #microGradient: Float32Array | undefined;

  /** Trains all of `store`, or with an adapter that alone, `store` being its base. */
  constructor(
    config: LlamaConfig,
    store: ParameterStore,
    options: { readonly threads: number; readonly adapter?: LoadedAdapter | undefined },
  ) {
    const { threads, adapter } = options;
    this.#config = config;
    this.#store = adapter?.store ?? store;
    this.#buildGraph = adapter
      ? ({ withGradients }) => {
          const { settings } = adapter;
          return buildLoraTrainingGraph(config, store.layout, {
            withGradients,
            settings,
            adapter: adapter.store.layout,
          });
        }
      : (graphOptions) => buildTrainingGraph(config, store.layout, graphOptions);
    this.#frozen = adapter ? frozenFeeds(store) : {};
    this.#threads = threads;
  }

  plan(lengths: readonly number[], options: { readonly withGradients: boolean }): readonly (readonly number[])[] {
    const maxTokens = microBatchTokens(this.#config, { ...options, byKernels: false });
    return planMicroBatches(lengths, { maxTokens, granularity: LENGTH_GRANULARITY }).map(({ items }) => items);
  }

  async close(): Promise<void> {
    for (const opened of this.#graphs.values()) await closeSession((await opened).session);
    this.#graphs.clear();
  }

  async run(
    sequences: readonly ScoredSequence[],
    { withGradients }: { readonly withGradients: boolean },
  ): Promise<Float32Array> {
    const { graph, session } = await this.#open(withGradients);
    const longest = sequences.reduce((most, { tokens }) => Math.max(most, tokens.length), 1);
    const length = Math.ceil(longest / LENGTH_GRANULARITY) * LENGTH_GRANULARITY;
    const tokens = new BigInt64Array(sequences.length * length);
    sequences.forEach((sequence, row) => {
      for (const [t, token] of sequence.tokens.entries()) tokens[row * length + t] = BigInt(token);
    });
    const scored = sequences.flatMap(({ places }, row) => places.map((place) => BigInt(row * length + place)));
    const weights = Float32Array.from(sequences.flatMap((sequence) => sequence.weights));

    const feeds: Feeds = {
      ...this.#frozen,
      [TRAINING_INPUTS.tokens]: integerTensor(tokens, [tokens.length]),
      [TRAINING_INPUTS.scored]: integerTensor(BigInt64Array.from(scored), [scored.length]),
      [TRAINING_INPUTS.weights]: floatTensor(weights, [scored.length, 1]),
    };
    if (this.#config.output !== "score") {
      const targets = BigInt64Array.from(sequences.flatMap((sequence) => sequence.targets.map(BigInt)));
      feeds[TRAINING_INPUTS.targets] = integerTensor(targets, [scored.length, 1]);
    }
    for (const { name, data: mask, shape } of graph.masks(length)) feeds[name] = floatTensor(mask, shape);
    const bindings = graph.bindings({ rows: sequences.length, length, scored: scored.length });
    for (const [name, value] of graph.shapeFeeds(bindings)) feeds[name] = integerTensor(value, [value.length]);
    for (const { name, shape } of this.#store.layout.parameters) {
      feeds[name] = floatTensor(this.#store.view(this.#store.weights, name), shape);
    }

    const values = new Float32Array(scored.length);
    const outputs: Feeds = { [graph.values]: floatTensor(values, [scored.length, 1]) };
    const target = withGradients ? this.#gradientTarget() : undefined;
    for (const [name, output] of graph.gradients) {
      const { shape } = this.#store.layout.byName.get(name)!;
      outputs[output] = floatTensor(this.#store.view(target!, name), shape);
    }
    const width = this.#config.hiddenSize;
    const embeddedGradient = graph.embeddedGradient === undefined ? undefined : new Float32Array(tokens.length * width);
    if (embeddedGradient) outputs[graph.embeddedGradient!] = floatTensor(embeddedGradient, [tokens.length, width]);
    await runInto(session, feeds, { stopper: graph.stopper, outputs });

    if (withGradients) this.#accumulate(graph, target!, { tokens, embeddedGradient });
    return values;
  }

  #open(withGradients: boolean): Promise<OpenGraph> {
    let opened = this.#graphs.get(withGradients);
    if (opened === undefined) {
      const graph = this.#buildGraph({ withGradients });
      opened = openSession(graph.model, { threads: this.#threads }).then((session) => ({ graph, session }));
      this.#graphs.set(withGradients, opened);
    }
    return opened;
  }

  /** Where a micro-batch's gradient is written: into the store's own where that is clear, so that there is nothing to add. */
  #gradientTarget(): Float32Array {
    if (this.#store.gradientIsClear) return this.#store.gradient;
    this.#microGradient ??= new Float32Array(this.#store.layout.totalLength);
    return this.#microGradient;
  }

  /** Adds the micro-batch's gradient, the embedded tokens' row by row, to the store's. */
  #accumulate(
    graph: TrainingGraph,
    computed: Float32Array,
    embedded: { readonly tokens: BigInt64Array; readonly embeddedGradient: Float32Array | undefined },
  ): void {
    const { gradient, layout } = this.#store;
    if (computed === gradient) {
      for (const { name } of layout.parameters) {
        if (!graph.gradients.has(name)) this.#store.view(gradient, name).fill(0);
      }
      this.#store.gradientIsClear = false;
    } else {
      for (let i = 0; i < gradient.length; i++) gradient[i]! += computed[i]!;
    }
    const { tokens, embeddedGradient } = embedded;
    if (embeddedGradient === undefined) return;
    const width = this.#config.hiddenSize;
    const embedding = this.#store.view(gradient, "embedding");
    for (let row = 0; row < tokens.length; row++) {
      const target = Number(tokens[row]) * width;
      const source = row * width;
      for (let j = 0; j < width; j++) embedding[target + j]! += embeddedGradient[source + j]!;
    }
  }
}

/** Every tensor of a base model that is read, where it lies. */
function frozenFeeds(base: ParameterStore): Feeds {
  const feeds: Feeds = {};
  for (const { tensor, start, end } of checkpointTensors(base.layout)) {
    if (tensor.name !== "score.weight")
      feeds[tensor.name] = floatTensor(base.weights.subarray(start, end), tensor.shape);
  }
  return feeds;
}
