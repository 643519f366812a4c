/** Scores and differentiates data of any number and length with the training graph, micro-batch by micro-batch. */
import type { InferenceSession } from "onnxruntime-node";
import type { Datum } from "../engine.ts";
import { planMicroBatches, type MicroBatch } from "./batching.ts";
import { checkpointTensors, type LlamaConfig } from "./llama-parameters.ts";
import { buildTrainingGraph, TRAINING_INPUTS, type TrainingGraph } from "./llama-training-graph.ts";
import { buildLoraTrainingGraph } from "./lora-training-graph.ts";
import type { LoadedAdapter } from "./low-rank-adapter.ts";
import { microBatchTokens } from "./micro-batch-size.ts";
import type { ParameterStore } from "./parameter-store.ts";
import { closeSession, floatTensor, integerTensor, openSession, runInto, type Feeds } from "./session.ts";

/** Lengths are padded to multiples of this, a multiple of the number of query blocks. */
const LENGTH_GRANULARITY = 16;

interface OpenGraph {
  readonly graph: TrainingGraph;
  readonly session: InferenceSession;
}

export class Trainer {
  readonly #config: LlamaConfig;
  /** What is trained. */
  readonly #store: ParameterStore;
  readonly #buildGraph: (options: { readonly withGradients: boolean }) => TrainingGraph;
  /** What is read but not trained. */
  readonly #frozen: Feeds;
  readonly #threads: number;
  /** The value of token t is read at t − 1, where the token is predicted, or (1) at t itself, a score of what came so far. */
  readonly #reach: 0 | 1;
  readonly #graphs = new Map<boolean, Promise<OpenGraph>>();
  /** Of one micro-batch, where there is already a gradient to add it to; made when first needed. */
  #microGradient: Float32Array | undefined;
  #undo: (() => void) | undefined;

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
    this.#reach = config.output === "score" ? 1 : 0;
  }

  /** Values per datum, as `TrainableModel.forward`. */
  async forward(data: readonly Datum[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#compute(data, { withGradients: false, signal });
  }

  /**
   * As `TrainableModel.forwardBackward`: adds to the store's gradient. When it fails, by an abort say, the gradient is as
   * it was before; with `undoable` it can be made so after success as well, until the next call.
   */
  async forwardBackward(
    data: readonly Datum[],
    options: { readonly signal?: AbortSignal | undefined; readonly undoable?: boolean } = {},
  ): Promise<{ loss: number; logprobs: Float32Array[] }> {
    const store = this.#store;
    store.requireTrainable();
    const { signal, undoable = signal !== undefined } = options;
    const before = undoable && !store.gradientIsClear ? store.gradient.slice() : undefined;
    const wasClear = store.gradientIsClear;
    this.#undo = (): void => {
      if (before) store.gradient.set(before);
      store.gradientIsClear = wasClear;
    };
    let logprobs: Float32Array[];
    try {
      logprobs = await this.#compute(data, { withGradients: true, signal });
    } catch (error) {
      this.undo();
      throw error;
    }
    let loss = 0;
    data.forEach(({ weights }, i) => {
      for (let t = 1; t < weights.length; t++) if (weights[t] !== 0) loss -= weights[t]! * logprobs[i]![t]!;
    });
    return { loss, logprobs };
  }

  /** Takes the last `forwardBackward` back. */
  undo(): void {
    this.#undo?.();
    this.#undo = undefined;
  }

  async close(): Promise<void> {
    for (const opened of this.#graphs.values()) await closeSession((await opened).session);
    this.#graphs.clear();
  }

  async #compute(
    data: readonly Datum[],
    options: { withGradients: boolean; signal: AbortSignal | undefined },
  ): Promise<Float32Array[]> {
    const logprobs = data.map(({ tokens }) => new Float32Array(tokens.length));
    // Nothing is to be computed after the last token that carries weight.
    const lengths = data.map(({ weights }) => weights.findLastIndex((weight) => weight !== 0) + this.#reach);
    const scored = lengths.flatMap((length, i) => (length > this.#reach ? [i] : []));
    if (scored.length === 0) return logprobs;
    const opened = await this.#open(options.withGradients);
    const plan = planMicroBatches(
      scored.map((i) => lengths[i]!),
      { maxTokens: microBatchTokens(this.#config, options), granularity: LENGTH_GRANULARITY },
    );
    for (const { items, length } of plan) {
      options.signal?.throwIfAborted();
      await this.#run(opened, data, { items: items.map((i) => scored[i]!), length }, logprobs);
    }
    return logprobs;
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

  async #run(opened: OpenGraph, data: readonly Datum[], batch: MicroBatch, logprobs: Float32Array[]): Promise<void> {
    const { graph, session } = opened;
    const { items, length } = batch;
    const tokens = new BigInt64Array(items.length * length);
    const places: { item: number; time: number }[] = [];
    const scored: bigint[] = [];
    items.forEach((item, row) => {
      const datum = data[item]!;
      const used = Math.min(length, datum.tokens.length - 1 + this.#reach);
      for (let t = 0; t < used; t++) {
        tokens[row * length + t] = BigInt(datum.tokens[t]!);
        const time = t + 1 - this.#reach;
        if (datum.weights[time] === 0) continue;
        places.push({ item, time });
        scored.push(BigInt(row * length + t));
      }
    });
    const weights = Float32Array.from(places, ({ item, time }) => data[item]!.weights[time]!);

    const feeds: Feeds = {
      ...this.#frozen,
      [TRAINING_INPUTS.tokens]: integerTensor(tokens, [tokens.length]),
      [TRAINING_INPUTS.scored]: integerTensor(BigInt64Array.from(scored), [scored.length]),
      [TRAINING_INPUTS.weights]: floatTensor(weights, [scored.length, 1]),
    };
    if (this.#config.output !== "score") {
      const targets = BigInt64Array.from(places, ({ item, time }) => BigInt(data[item]!.tokens[time]!));
      feeds[TRAINING_INPUTS.targets] = integerTensor(targets, [scored.length, 1]);
    }
    for (const { name, data: mask, shape } of graph.masks(length)) feeds[name] = floatTensor(mask, shape);
    const bindings = graph.bindings({ rows: items.length, length, scored: scored.length });
    for (const [name, value] of graph.shapeFeeds(bindings)) feeds[name] = integerTensor(value, [value.length]);
    for (const { name, shape } of this.#store.layout.parameters) {
      feeds[name] = floatTensor(this.#store.view(this.#store.weights, name), shape);
    }

    const values = new Float32Array(scored.length);
    const outputs: Feeds = { [graph.values]: floatTensor(values, [scored.length, 1]) };
    const withGradients = graph.gradients.size > 0;
    const target = withGradients ? this.#gradientTarget() : undefined;
    for (const [name, output] of graph.gradients) {
      const { shape } = this.#store.layout.byName.get(name)!;
      outputs[output] = floatTensor(this.#store.view(target!, name), shape);
    }
    const width = this.#config.hiddenSize;
    const embeddedGradient = graph.embeddedGradient === undefined ? undefined : new Float32Array(tokens.length * width);
    if (embeddedGradient) outputs[graph.embeddedGradient!] = floatTensor(embeddedGradient, [tokens.length, width]);
    await runInto(session, feeds, { stopper: graph.stopper, outputs });

    places.forEach(({ item, time }, i) => {
      logprobs[item]![time] = values[i]!;
    });
    if (withGradients) this.#accumulate(graph, target!, { tokens, embeddedGradient });
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
