/**
 * Scores and differentiates data of any number and length, micro-batch by micro-batch; what computes a micro-batch is
 * another's business (`MicroBatches`).
 */
import type { Datum } from "../engine.ts";
import type { LlamaConfig } from "./llama-parameters.ts";
import type { ParameterStore } from "./parameter-store.ts";

/** A sequence as far as it is to be computed, and where values are read in it. */
export interface ScoredSequence {
  readonly tokens: Int32Array;
  /** Ascending places in `tokens`. */
  readonly places: readonly number[];
  /** The tokens whose log-probabilities are read there; of no effect with a score head. */
  readonly targets: readonly number[];
  /** Of each value in the loss, Σ w·(−value). */
  readonly weights: readonly number[];
}

/** Computes micro-batches with the weights of a store, whose gradient it adds to. */
export interface MicroBatches {
  /** Cuts sequences of these lengths into micro-batches: indices into them. */
  plan(lengths: readonly number[], options: { readonly withGradients: boolean }): readonly (readonly number[])[];
  /** The values read, sequence after sequence. With gradients, settles and adds to the store's. */
  run(sequences: readonly ScoredSequence[], options: { readonly withGradients: boolean }): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface ComputeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called as sequences are done, with how many. */
  readonly onSequences?: (count: number) => void;
}

export class Trainer {
  /** What is trained. */
  readonly #store: ParameterStore;
  readonly #batches: MicroBatches;
  /** The value of token t is read at t − 1, where the token is predicted, or (1) at t itself, a score of what came so far. */
  readonly #reach: 0 | 1;
  #undo: (() => void) | undefined;

  /** `store` is what is trained. */
  constructor(config: LlamaConfig, store: ParameterStore, batches: MicroBatches) {
    this.#store = store;
    this.#batches = batches;
    this.#reach = config.output === "score" ? 1 : 0;
  }

  /** Values per datum, as `TrainableModel.forward`. */
  async forward(data: readonly Datum[], options: ComputeOptions = {}): Promise<Float32Array[]> {
    return this.#compute(data, { ...options, withGradients: false });
  }

  /**
   * As `TrainableModel.forwardBackward`: adds to the store's gradient. When it fails, by an abort say, the gradient is as
   * it was before; with `undoable` it can be made so after success as well, until the next call.
   */
  async forwardBackward(
    data: readonly Datum[],
    options: ComputeOptions & { readonly undoable?: boolean } = {},
  ): Promise<{ loss: number; logprobs: Float32Array[] }> {
    const store = this.#store;
    store.requireTrainable();
    const { undoable = options.signal !== undefined } = options;
    const before = undoable && !store.gradientIsClear ? store.gradient.slice() : undefined;
    const wasClear = store.gradientIsClear;
    this.#undo = (): void => {
      if (before) store.gradient.set(before);
      store.gradientIsClear = wasClear;
    };
    let logprobs: Float32Array[];
    try {
      logprobs = await this.#compute(data, { ...options, withGradients: true });
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

  close(): Promise<void> {
    return this.#batches.close();
  }

  async #compute(
    data: readonly Datum[],
    options: ComputeOptions & { readonly withGradients: boolean },
  ): Promise<Float32Array[]> {
    const { withGradients, signal, onSequences } = options;
    const logprobs = data.map(({ tokens }) => new Float32Array(tokens.length));
    const sequences = data.flatMap((datum, item) => {
      const sequence = this.#scoredSequence(datum);
      return sequence.places.length > 0 ? [{ item, sequence }] : [];
    });
    const plan = this.#batches.plan(
      sequences.map(({ sequence }) => sequence.tokens.length),
      { withGradients },
    );
    for (const batch of plan) {
      signal?.throwIfAborted();
      const chosen = batch.map((index) => sequences[index]!);
      const values = await this.#batches.run(
        chosen.map(({ sequence }) => sequence),
        { withGradients },
      );
      let next = 0;
      for (const { item, sequence } of chosen) {
        for (const place of sequence.places) logprobs[item]![place + 1 - this.#reach] = values[next++]!;
      }
      onSequences?.(chosen.length);
    }
    return logprobs;
  }

  /** Nothing is to be computed after the last token that carries weight. */
  #scoredSequence({ tokens, weights }: Datum): ScoredSequence {
    const last = weights.findLastIndex((weight) => weight !== 0);
    const places: number[] = [];
    const targets: number[] = [];
    const lossWeights: number[] = [];
    for (let time = 1 - this.#reach; time <= last; time++) {
      if (weights[time] === 0) continue;
      places.push(time - 1 + this.#reach);
      targets.push(tokens[time]!);
      lossWeights.push(weights[time]!);
    }
    return { tokens: tokens.subarray(0, Math.max(0, last + this.#reach)), places, targets, weights: lossWeights };
  }
}
