/**
 * One copy of a model: weights, gradient and optimizer's moments, with the graphs that compute on them. A model has one
 * replica per thread, each with its share of every batch; a model too large for that has one whose operators share the
 * threads. Calls that train or score must not overlap with others; samples may with samples.
 */
import type { AdamWOptions, Datum, Sample, SampleRequest } from "../engine.ts";
import type { TokenizerFiles } from "../tokenizer-files.ts";
import {
  openTokenizer,
  readCheckpoint,
  writeCheckpoint,
  type LoadedCheckpoint,
  type ReadCheckpointOptions,
} from "./checkpoint.ts";
import type { Decoder } from "./decoder.ts";
import { GradientExchange } from "./gradient-exchange.ts";
import { initializeParameters, layoutParameters, validateLlamaConfig, type LlamaConfig } from "./llama-parameters.ts";
import { MergedWeights } from "./low-rank-adapter.ts";
import { OnnxDecoder } from "./onnx-decoder.ts";
import { findKernels } from "./kernels/addon.ts";
import { KernelDecoder } from "./kernels/kernel-decoder.ts";
import { ParameterStore } from "./parameter-store.ts";
import { Sampler, type PendingRequest } from "./sampler.ts";
import { replicasFor } from "./shares.ts";
import { Trainer } from "./trainer.ts";
import { readTrainingState, writeTrainingState } from "./training-state.ts";

/** Where a replica's weights come from; the same for all replicas of a model. */
export type ReplicaSource =
  | { readonly config: LlamaConfig; readonly tokenizer: TokenizerFiles; readonly seed: number }
  | ({ readonly directory: string } & Omit<ReadCheckpointOptions, "onNotice" | "threads">);

/** What a replica tells of itself. */
export interface ReplicaDescription {
  readonly config: LlamaConfig;
  readonly tokenizerFiles: TokenizerFiles;
  readonly parameterCount: number;
  /** How many replicas the model is to have in all. */
  readonly replicaCount: number;
  /** Values of the flat vector that is trained; 0 where nothing can be. */
  readonly trainedLength: number;
}

export class Replica {
  readonly #checkpoint: LoadedCheckpoint;
  readonly #replicaCount: number;
  readonly #trained: ParameterStore;
  readonly #trainer: Trainer;
  readonly #decoder: Decoder;
  readonly #sampler: Sampler;
  readonly #pending: PendingRequest[] = [];
  #sampling = false;
  #exchange: GradientExchange | undefined;

  /** `threads` are those of the whole model, of which the replica takes its share. */
  static async open(
    source: ReplicaSource,
    options: { readonly threads: number; readonly onNotice?: (line: string) => void },
  ): Promise<Replica> {
    const { threads, onNotice } = options;
    if ("directory" in source) {
      const { directory, ...how } = source;
      return new Replica(await readCheckpoint(directory, { ...how, threads, ...(onNotice && { onNotice }) }), threads);
    }
    const { config, tokenizer: tokenizerFiles, seed } = source;
    validateLlamaConfig(config);
    const tokenizer = openTokenizer(tokenizerFiles, config);
    const store = new ParameterStore(layoutParameters(config));
    initializeParameters(store.layout, store.weights, seed);
    return new Replica({ config, tokenizerFiles, tokenizer, endTokens: [tokenizer.endToken], store }, threads);
  }

  private constructor(checkpoint: LoadedCheckpoint, allThreads: number) {
    const { config, endTokens, store, adapter } = checkpoint;
    this.#checkpoint = checkpoint;
    const { replicas, threadsEach: threads } = replicasFor(allThreads, store.weights.byteLength);
    this.#replicaCount = replicas;
    this.#trained = adapter?.store ?? store;
    this.#trainer = new Trainer(config, store, { threads, adapter });
    const kernels = findKernels();
    const sampled = adapter ? new MergedWeights(store, adapter) : store;
    this.#decoder = kernels ? new KernelDecoder(config, sampled, { kernels }) : new OnnxDecoder(config, sampled);
    this.#sampler = new Sampler(config, this.#decoder, { endTokens });
  }

  describe(): ReplicaDescription {
    const { config, tokenizerFiles, store } = this.#checkpoint;
    return {
      config,
      tokenizerFiles,
      parameterCount: store.layout.parameterCount,
      replicaCount: this.#replicaCount,
      trainedLength: this.#trained.gradient.length,
    };
  }

  /** Joins the other replicas of its model. `shared` has `trainedLength` values. */
  join(options: { readonly shared: Float32Array; readonly index: number; readonly count: number }): void {
    this.#exchange = new GradientExchange(this.#trained, options);
  }

  /** With others that are being sampled, or come in while they are, in common batches. */
  sample(request: SampleRequest, signal?: AbortSignal): Promise<Sample[]> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ request, signal, resolve, reject });
      if (!this.#sampling) void this.#sampleAll();
    });
  }

  forward(batch: readonly Datum[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#trainer.forward(batch, signal);
  }

  forwardBackward(
    batch: readonly Datum[],
    options: { readonly signal?: AbortSignal | undefined; readonly undoable?: boolean } = {},
  ): Promise<{ loss: number; logprobs: Float32Array[] }> {
    return this.#trainer.forwardBackward(batch, options);
  }

  /** Takes the last `forwardBackward` back. */
  undo(): void {
    this.#trainer.undo();
  }

  /** The optimizer step of a model with this replica alone. */
  step(options: AdamWOptions): { gradientNorm: number } {
    this.#decoder.reset();
    return this.#trained.step(options);
  }

  /** Its part in the optimizer step of all replicas: see there. */
  get exchange(): GradientExchange {
    // Whatever is exchanged changes the weights in the end.
    this.#decoder.reset();
    return this.#exchange!;
  }

  save(directory: string): Promise<void> {
    return writeCheckpoint(directory, this.#checkpoint);
  }

  saveTrainingState(file: string): Promise<void> {
    return writeTrainingState(file, this.#stateConfig, this.#trained);
  }

  async loadTrainingState(file: string): Promise<void> {
    this.#decoder.reset();
    await readTrainingState(file, this.#stateConfig, this.#trained);
  }

  /** @throws {EngineError} when nothing can be trained. */
  requireTrainable(): void {
    this.#trained.requireTrainable();
  }

  async close(): Promise<void> {
    await this.#trainer.close();
    await this.#decoder.close();
  }

  /** What a training state has to fit. */
  get #stateConfig(): object {
    const { config, adapter } = this.#checkpoint;
    return adapter ? { ...config, lora: adapter.settings } : config;
  }

  async #sampleAll(): Promise<void> {
    this.#sampling = true;
    // Calls made in the same turn of the event loop come in before the first batch is formed.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#pending.length > 0) await this.#sampler.run(() => this.#pending.shift());
    this.#sampling = false;
  }
}
