/**
 * What computes on a model in one thread. A model has one replica per thread, each with its share of every batch. With the
 * engine's own kernels they share weights and the optimizer's moments, and each has a gradient of its own. ONNX Runtime reads
 * no shared memory, so there each has a copy of all, and a model too large for that has one replica whose operators share the
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
  type SharedModel,
} from "./checkpoint.ts";
import type { Decoder } from "./decoder.ts";
import { GradientExchange } from "./gradient-exchange.ts";
import { findKernels, type Kernels } from "./kernels/addon.ts";
import { onnxRuntime } from "./onnx-runtime.ts";
import { KernelDecoder } from "./kernels/kernel-decoder.ts";
import { SharedExchange } from "./kernels/shared-exchange.ts";
import { initializeParameters, layoutParameters, validateLlamaConfig, type LlamaConfig } from "./llama-parameters.ts";
import { MergedWeights } from "./low-rank-adapter.ts";
import { openMicroBatches } from "./micro-batches.ts";
import { OnnxDecoder } from "./onnx-decoder.ts";
import { ParameterStore, type SharedVectors } from "./parameter-store.ts";
import { Sampler, type PendingRequest } from "./sampler.ts";
import { replicasFor } from "./shares.ts";
import { Trainer, type ComputeOptions } from "./trainer.ts";
import { readTrainingState, writeTrainingState } from "./training-state.ts";

/** Where a replica's weights come from; the same for all replicas of a model. */
export type ReplicaSource =
  | { readonly config: LlamaConfig; readonly tokenizer: TokenizerFiles; readonly seed: number }
  | ({ readonly directory: string } & Omit<ReadCheckpointOptions, "onNotice" | "threads" | "memory">);

/** What a replica tells of itself. */
export interface ReplicaDescription {
  readonly config: LlamaConfig;
  readonly tokenizerFiles: TokenizerFiles;
  /** The tokens that end a text, that of the tokenizer first. */
  readonly endTokens: readonly number[];
  readonly parameterCount: number;
  /** How many replicas the model is to have in all. */
  readonly replicaCount: number;
  /** Values of the flat vector that is trained; 0 where nothing can be. */
  readonly trainedLength: number;
  /** What the other replicas are to compute on, too; nothing if each has a copy of its own. */
  readonly shared: SharedModel | undefined;
}

/** How a replica joins the others: through memory for what they hand each other, or with all their gradients in its reach. */
export type Joining =
  | { readonly index: number; readonly count: number; readonly shared: Float32Array }
  | { readonly index: number; readonly gradients: readonly Float32Array[] };

export class Replica {
  readonly #checkpoint: LoadedCheckpoint;
  readonly #replicaCount: number;
  readonly #trained: ParameterStore;
  readonly #trainer: Trainer;
  readonly #decoder: Decoder;
  readonly #sampler: Sampler;
  readonly #pending: PendingRequest[] = [];
  #sampling = false;
  readonly #kernels: Kernels | undefined;
  /** Whether it has read the weights itself, as the first of the replicas does. */
  readonly #hasRead: boolean;
  #exchange: GradientExchange | undefined;
  #sharedExchange: SharedExchange | undefined;

  /** `threads` are those of the whole model, of which the replica takes its share; `shared` is what another one has read. */
  static async open(
    source: ReplicaSource,
    options: {
      readonly threads: number;
      readonly shared?: SharedModel | undefined;
      readonly onNotice?: (line: string) => void;
    },
  ): Promise<Replica> {
    const { threads, shared, onNotice } = options;
    const kernels = findKernels();
    // Whoever must install it learns so before anything is read or computed.
    if (!kernels) onnxRuntime();
    if ("directory" in source) {
      const { directory, ...how } = source;
      const reading = { ...how, threads, memory: { kernels, shared }, ...(onNotice && { onNotice }) };
      return new Replica(await readCheckpoint(directory, reading), { threads, kernels, hasRead: !shared });
    }
    const { config, tokenizer: tokenizerFiles, seed } = source;
    validateLlamaConfig(config);
    const tokenizer = openTokenizer(tokenizerFiles, config);
    const store = new ParameterStore(layoutParameters(config), { kernels, shared: shared?.model });
    if (!shared) initializeParameters(store.layout, store.weights, seed);
    const checkpoint = { config, tokenizerFiles, tokenizer, endTokens: [tokenizer.endToken], store };
    return new Replica(checkpoint, { threads, kernels, hasRead: !shared });
  }

  private constructor(
    checkpoint: LoadedCheckpoint,
    options: { readonly threads: number; readonly kernels: Kernels | undefined; readonly hasRead: boolean },
  ) {
    const { config, endTokens, store, adapter } = checkpoint;
    const { kernels } = options;
    this.#checkpoint = checkpoint;
    this.#kernels = kernels;
    this.#hasRead = options.hasRead;
    const { replicas, threadsEach } = replicasFor(options.threads, kernels ? 0 : store.weights.byteLength);
    this.#replicaCount = replicas;
    this.#trained = adapter?.store ?? store;
    const batches = openMicroBatches(config, store, { kernels, threads: threadsEach, adapter });
    this.#trainer = new Trainer(config, this.#trained, batches);
    const sampled = adapter ? new MergedWeights(store, adapter) : store;
    this.#decoder = kernels
      ? new KernelDecoder(config, sampled, { kernels: kernels.forFewRows })
      : new OnnxDecoder(config, sampled);
    this.#sampler = new Sampler(config, this.#decoder, { endTokens });
  }

  describe(): ReplicaDescription {
    const { config, tokenizerFiles, endTokens, store, adapter } = this.#checkpoint;
    return {
      config,
      tokenizerFiles,
      endTokens,
      parameterCount: store.layout.parameterCount,
      replicaCount: this.#replicaCount,
      trainedLength: this.#trained.gradient.length,
      shared: this.#kernels && { model: vectorsOf(store), adapter: adapter && vectorsOf(adapter.store) },
    };
  }

  /** What it adds up; others read it where memory is shared. */
  get gradient(): Float32Array {
    return this.#trained.gradient;
  }

  /** Joins the other replicas of its model. */
  join(joining: Joining): void {
    if ("shared" in joining) this.#exchange = new GradientExchange(this.#trained, joining);
    else this.#sharedExchange = new SharedExchange(this.#trained, { ...joining, kernels: this.#kernels! });
  }

  /** With others that are being sampled, or come in while they are, in common batches. */
  sample(request: SampleRequest, signal?: AbortSignal): Promise<Sample[]> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ request, signal, resolve, reject });
      if (!this.#sampling) void this.#sampleAll();
    });
  }

  forward(batch: readonly Datum[], options: ComputeOptions = {}): Promise<Float32Array[]> {
    return this.#trainer.forward(batch, options);
  }

  forwardBackward(
    batch: readonly Datum[],
    options: ComputeOptions & { readonly undoable?: boolean } = {},
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

  /** Its part in the optimizer step of replicas with copies of their own: see there. */
  get exchange(): GradientExchange {
    // Whatever is exchanged changes the weights in the end.
    this.#decoder.reset();
    return this.#exchange!;
  }

  /** Its part in the optimizer step of replicas that share their memory: see there. */
  get sharedExchange(): SharedExchange {
    this.#decoder.reset();
    return this.#sharedExchange!;
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

  /** The replica that has read what all share is to be closed last. */
  async close(): Promise<void> {
    await this.#trainer.close();
    await this.#decoder.close();
    const { store, adapter } = this.#checkpoint;
    store.discard({ all: this.#hasRead });
    adapter?.store.discard({ all: this.#hasRead });
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

const vectorsOf = ({ weights, moment1, moment2 }: ParameterStore): SharedVectors => ({ weights, moment1, moment2 });
