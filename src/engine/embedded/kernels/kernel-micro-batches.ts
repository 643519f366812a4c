/** Micro-batches computed by the engine's own kernels: sequences laid end to end, without padding. */
import type { LlamaConfig } from "../llama-parameters.ts";
import type { LoadedAdapter } from "../low-rank-adapter.ts";
import { microBatchTokens } from "../micro-batch-size.ts";
import type { ParameterStore } from "../parameter-store.ts";
import type { MicroBatches, ScoredSequence } from "../trainer.ts";
import type { Kernels } from "./addon.ts";
import { Arena, START } from "./arena.ts";
import { KernelProgram } from "./kernel-program.ts";
import { positionTables } from "./llama-weights.ts";
import { writeBatch, type Batch, type TrainingModel } from "./training-program.ts";
import { trainingWeights } from "./training-weights.ts";

export class KernelMicroBatches implements MicroBatches {
  readonly #kernels: Kernels;
  readonly #model: TrainingModel;
  /** What is trained. */
  readonly #store: ParameterStore;
  readonly #arena = new Arena();
  readonly #temporary = new Arena();

  /** Trains all of `store`, or with an adapter that alone, `store` being its base. */
  constructor(
    config: LlamaConfig,
    store: ParameterStore,
    options: { readonly kernels: Kernels; readonly adapter?: LoadedAdapter | undefined },
  ) {
    const { kernels, adapter } = options;
    this.#kernels = kernels;
    this.#store = adapter?.store ?? store;
    this.#model = { config, weights: trainingWeights(config, store, adapter), tables: positionTables(config) };
  }

  /** In the order given, each as full as it may be. */
  plan(lengths: readonly number[], options: { readonly withGradients: boolean }): number[][] {
    const most = microBatchTokens(this.#model.config, { ...options, byKernels: true });
    const batches: number[][] = [];
    let room = 0;
    lengths.forEach((length, index) => {
      const batch = batches.at(-1);
      if (batch && length <= room) {
        batch.push(index);
        room -= length;
      } else {
        batches.push([index]);
        room = most - length;
      }
    });
    return batches;
  }

  async run(
    sequences: readonly ScoredSequence[],
    { withGradients }: { readonly withGradients: boolean },
  ): Promise<Float32Array> {
    const batch = layEndToEnd(sequences);
    const values = new Float32Array(batch.scored.length);
    const program = new KernelProgram(this.#kernels);
    const accumulate = withGradients && this.#beginGradient();
    this.#arena.release(START);
    const writing = { program, arena: this.#arena, temporary: this.#temporary };
    writeBatch(writing, this.#model, batch, { values, withGradients, accumulate });
    program.run();
    // Calls and aborts that came in meanwhile have their turn before the next micro-batch.
    await new Promise((resolve) => setImmediate(resolve));
    return values;
  }

  async close(): Promise<void> {
    this.#arena.clear();
    this.#temporary.clear();
  }

  /** Whether there is a gradient to add to. Where there is none, a micro-batch writes that of matrices anew. */
  #beginGradient(): boolean {
    const store = this.#store;
    if (!store.gradientIsClear) return true;
    store.gradient.fill(0, store.layout.decayedLength);
    store.gradientIsClear = false;
    return false;
  }
}

function layEndToEnd(sequences: readonly ScoredSequence[]): Batch {
  const count = sequences.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const tokens = new Int32Array(count);
  const positions = new Int32Array(count);
  const starts = new Int32Array(sequences.length + 1);
  const scored: number[] = [];
  let start = 0;
  sequences.forEach((sequence, index) => {
    tokens.set(sequence.tokens, start);
    for (let t = 0; t < sequence.tokens.length; t++) positions[start + t] = t;
    for (const place of sequence.places) scored.push(start + place);
    start += sequence.tokens.length;
    starts[index + 1] = start;
  });
  return {
    tokens,
    positions,
    starts,
    scored: Int32Array.from(scored),
    targets: Int32Array.from(sequences.flatMap(({ targets }) => targets)),
    weights: Float32Array.from(sequences.flatMap(({ weights }) => weights)),
  };
}
