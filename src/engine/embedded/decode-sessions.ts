/** The sessions that sample, kept in step with the weights. */
import type { InferenceSession } from "onnxruntime-node";
import {
  buildDecodeGraph,
  buildPrefillGraph,
  DECODE_INPUTS,
  PROMPT_GRANULARITY,
  type DecodeGraph,
  type PrefillGraph,
} from "./decode-graph.ts";
import { MOST_PACKED_BYTES, type SampledWeights, type StepResult } from "./decoder.ts";
import type { KeyValueCache } from "./key-value-cache.ts";
import { headSize, type LlamaConfig } from "./llama-parameters.ts";
import { closeSession, floatTensor, integerTensor, openSession, runInto, runSession, type Feeds } from "./session.ts";
import type { PromptCaches } from "./shared-prompts.ts";
import { causalMask } from "./transformer-operators.ts";

/**
 * With more threads the runtime divides a product in ways that change the order of its sums with the number of rows. And a
 * second thread gains a step little, but costs it much whenever another process (a sandbox at work, say) has the second
 * core, since every operator waits for both.
 */
const THREADS = 1;

interface Opened<G> {
  readonly graph: G;
  readonly session: InferenceSession;
}

interface OpenedStep extends Opened<DecodeGraph> {
  /** Where its results go, [rows, vocabulary]. */
  readonly logProbabilities: Float32Array;
  readonly probabilities: Float32Array;
  readonly result: StepResult;
}

/**
 * The step graphs of a small model hold its weights as constants, which the runtime packs for its products; those of a
 * larger one read them where they are: a graph may not have 2 GiB, and there may be four of them.
 */
export class DecodeSessions {
  readonly #config: LlamaConfig;
  readonly #store: SampledWeights;
  #prefill: Opened<PrefillGraph> | undefined;
  readonly #packsWeights: boolean;
  /** By number of rows; they hold a copy of the weights of `#version` if weights are packed. */
  readonly #steps = new Map<number, OpenedStep>();
  #version = -1;
  readonly #prefillMasks = new Map<number, Float32Array>();

  constructor(config: LlamaConfig, store: SampledWeights, options: { readonly mostPackedBytes?: number } = {}) {
    this.#config = config;
    this.#store = store;
    this.#packsWeights = 4 * store.layout.totalLength <= (options.mostPackedBytes ?? MOST_PACKED_BYTES);
  }

  /** Keys and values of prompts; all are computed at the length of the longest. */
  async prefill(prompts: readonly Int32Array[]): Promise<PromptCaches> {
    this.#prefill ??= await this.#openPrefill();
    const { graph, session } = this.#prefill;
    const { headCount, keyValueHeadCount } = this.#config;
    const group = headCount / keyValueHeadCount;
    const longest = Math.max(1, ...prompts.map((prompt) => prompt.length));
    const time = Math.ceil(longest / PROMPT_GRANULARITY) * PROMPT_GRANULARITY;
    const tokens = new BigInt64Array(prompts.length * time);
    prompts.forEach((prompt, row) => prompt.forEach((token, t) => (tokens[row * time + t] = BigInt(token))));
    let mask = this.#prefillMasks.get(time);
    if (mask === undefined) {
      mask = causalMask({ group, start: 0, end: time });
      this.#prefillMasks.set(time, mask);
    }
    const heads = [prompts.length, time, headCount + 2 * keyValueHeadCount, headSize(this.#config)];
    const feeds: Feeds = {
      [DECODE_INPUTS.tokens]: integerTensor(tokens, [tokens.length]),
      [DECODE_INPUTS.mask]: floatTensor(mask, [group * time, time]),
      [DECODE_INPUTS.headShape]: integerTensor(BigInt64Array.from(heads, BigInt), [4]),
    };
    this.#feedParameters(session, feeds);
    const outputs = await runSession(session, feeds, graph.keysAndValues);
    return { layers: graph.keysAndValues.map((name) => outputs[name]!.data as Float32Array), time };
  }

  /**
   * One token of every row: `tokens[row]` at its next position, where its keys and values are written into the cache; its
   * lengths are left as they are.
   */
  async step(
    cache: KeyValueCache,
    input: { readonly tokens: BigInt64Array; readonly inverseTemperatures: Float32Array },
  ): Promise<StepResult> {
    const { rows } = cache;
    const { graph, session, result, ...memory } = await this.#openStep(rows);
    const feeds: Feeds = {
      ...cache.feeds(),
      [DECODE_INPUTS.tokens]: integerTensor(input.tokens, [rows]),
      [DECODE_INPUTS.inverseTemperature]: floatTensor(input.inverseTemperatures, [rows, 1]),
    };
    if (!this.#packsWeights) this.#feedParameters(session, feeds);
    const shape = [rows, this.#config.vocabularySize];
    const outputs: Feeds = {
      [graph.logProbabilities]: floatTensor(memory.logProbabilities, shape),
      [graph.probabilities]: floatTensor(memory.probabilities, shape),
    };
    graph.keysAndValues.forEach((name, i) => (outputs[name] = cache.keysAndValues[i]!));
    await runInto(session, feeds, { stopper: graph.stopper, outputs });
    return result;
  }

  async close(): Promise<void> {
    if (this.#prefill) await closeSession(this.#prefill.session);
    this.#prefill = undefined;
    await this.#closeSteps();
  }

  #feedParameters(session: InferenceSession, feeds: Feeds): void {
    const { weights } = this.#store;
    for (const { name, shape } of this.#store.layout.parameters) {
      if (!session.inputNames.includes(name)) continue;
      feeds[name] = floatTensor(this.#store.view(weights, name), shape);
    }
  }

  async #openPrefill(): Promise<Opened<PrefillGraph>> {
    const graph = buildPrefillGraph(this.#config, this.#store.layout);
    return { graph, session: await openSession(graph.model, { threads: THREADS }) };
  }

  async #openStep(rows: number): Promise<OpenedStep> {
    if (this.#packsWeights && this.#version !== this.#store.version) {
      await this.#closeSteps();
      this.#version = this.#store.version;
    }
    let opened = this.#steps.get(rows);
    if (opened === undefined) {
      const weights = this.#packsWeights ? this.#store.weights : undefined;
      const graph = buildDecodeGraph(this.#config, this.#store.layout, { weights, rows });
      const vocabulary = this.#config.vocabularySize;
      const logProbabilities = new Float32Array(rows * vocabulary);
      const probabilities = new Float32Array(rows * vocabulary);
      opened = {
        graph,
        session: await openSession(graph.model, { threads: THREADS }),
        logProbabilities,
        probabilities,
        result: {
          logProbabilities: rowsOf(logProbabilities, vocabulary),
          probabilities: rowsOf(probabilities, vocabulary),
        },
      };
      this.#steps.set(rows, opened);
    }
    return opened;
  }

  async #closeSteps(): Promise<void> {
    for (const { session } of this.#steps.values()) await closeSession(session);
    this.#steps.clear();
  }
}

const rowsOf = (values: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: values.length / width }, (_, row) => values.subarray(row * width, (row + 1) * width));
