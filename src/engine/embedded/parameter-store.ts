/**
 * Weights, accumulated gradient and optimizer moments, each one flat vector. With kernels they lie in memory that threads
 * share; else in a common WebAssembly memory. What is never written there takes no memory: a model that is only sampled has
 * its weights alone.
 */
import type { AdamWOptions } from "../engine.ts";
import { EngineError } from "../../errors.ts";
import { createWasmMemory } from "./adamw-wasm.ts";
import { discardValues, newValues, type Kernels } from "./kernels/addon.ts";
import type { ParameterLayout } from "./llama-parameters.ts";
import { kernelOptimizer, wasmOptimizer, type Optimizer } from "./optimizer.ts";

/** More than 4 GiB for four floats per parameter are more than a WebAssembly memory has. */
export const MOST_TRAINED_PARAMETERS = 2 ** 28;

/** Part of a flat vector, `end` not included. */
export interface Slice {
  readonly start: number;
  readonly end: number;
}

/** What replicas of a model may have in common; moments are empty where nothing is trained. */
export interface SharedVectors {
  readonly weights: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
}

export interface StoreOptions {
  /** The weights are never to be trained. */
  readonly frozen?: boolean;
  /** Compute on the vectors, which lie in shared memory then. */
  readonly kernels?: Kernels | undefined;
  /** With kernels: those of another replica, to be used as well. */
  readonly shared?: SharedVectors | undefined;
}

export class ParameterStore implements SharedVectors {
  readonly layout: ParameterLayout;
  readonly weights: Float32Array;
  /** Empty, as are the moments, for a model that is frozen or too large to be trained. */
  readonly gradient: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
  /** Optimizer steps taken. */
  stepCount = 0;
  /** Counts changes of the weights, so that whoever copied them knows when to copy again. */
  version = 0;
  /** Whether `gradient` is to be taken for zero, whatever it holds. */
  gradientIsClear = true;
  readonly #isShared: boolean;
  readonly #optimizer: Optimizer | undefined;

  constructor(layout: ParameterLayout, { frozen = false, kernels, shared }: StoreOptions = {}) {
    this.layout = layout;
    this.#isShared = kernels !== undefined;
    const length = layout.totalLength;
    const isTrained = !frozen && length <= MOST_TRAINED_PARAMETERS;
    if (kernels) {
      const vector = (values: number) => newValues(values, { shared: true });
      const trainedLength = isTrained ? length : 0;
      this.weights = shared?.weights ?? vector(length);
      this.gradient = vector(trainedLength);
      this.moment1 = shared?.moment1 ?? vector(trainedLength);
      this.moment2 = shared?.moment2 ?? vector(trainedLength);
      if (isTrained) this.#optimizer = kernelOptimizer(kernels, this);
    } else if (isTrained) {
      const memory = createWasmMemory(4 * 4 * length);
      const vector = (index: number) => new Float32Array(memory.buffer, 4 * index * length, length);
      this.weights = vector(0);
      this.gradient = vector(1);
      this.moment1 = vector(2);
      this.moment2 = vector(3);
      this.#optimizer = wasmOptimizer(memory, this);
    } else {
      this.weights = new Float32Array(length);
      this.gradient = this.moment1 = this.moment2 = new Float32Array();
    }
  }

  /** @throws {EngineError} when the model is too large to be trained. */
  requireTrainable(): void {
    if (this.#optimizer !== undefined) return;
    const { parameterCount } = this.layout;
    const message = `a model of ${parameterCount} parameters can be sampled and scored, not trained; at most ${MOST_TRAINED_PARAMETERS} can be trained, or a low-rank adapter of any`;
    throw new EngineError(message, { parameterCount });
  }

  /** The part of a flat vector that belongs to a parameter. */
  view(vector: Float32Array, name: string): Float32Array {
    const { offset, length } = this.layout.byName.get(name)!;
    return vector.subarray(offset, offset + length);
  }

  /** Gives memory that threads share back: the own gradient's, and with `all` that of what replicas have in common. */
  discard({ all }: { readonly all: boolean }): void {
    if (!this.#isShared) return;
    const { weights, moment1, moment2 } = this;
    for (const vector of all ? [this.gradient, weights, moment1, moment2] : [this.gradient]) discardValues(vector);
  }

  /** Makes the gradient's memory be what it is to be taken for. */
  settleGradient(): void {
    if (this.gradientIsClear) this.gradient.fill(0);
    this.gradientIsClear = false;
  }

  /**
   * One AdamW step with the accumulated gradient, scaled down to `maxGradientNorm` if it is longer; then clears it.
   * Returns the norm before scaling. With a norm that is not finite nothing but the gradient changes.
   */
  step(options: AdamWOptions): { gradientNorm: number } {
    this.requireTrainable();
    this.settleGradient();
    const whole = { start: 0, end: this.layout.totalLength };
    const gradientNorm = Math.sqrt(this.#optimizer!.sumOfSquares());
    this.stepSlice(options, gradientNorm, whole);
    return { gradientNorm };
  }

  /**
   * The part of `step` that concerns the weights from `start` to `end` (multiples of 4), when the gradient's norm as a
   * whole is known.
   */
  stepSlice(options: AdamWOptions, gradientNorm: number, { start, end }: Slice): void {
    this.gradientIsClear = true;
    if (!Number.isFinite(gradientNorm)) return;
    this.stepCount++;
    const scale = gradientNorm > options.maxGradientNorm ? options.maxGradientNorm / gradientNorm : 1;
    const decayedEnd = Math.min(Math.max(this.layout.decayedLength, start), end);
    this.#update(start, decayedEnd, options, scale, options.weightDecay);
    this.#update(decayedEnd, end, options, scale, 0);
    this.version++;
  }

  #update(start: number, end: number, options: AdamWOptions, gradientScale: number, weightDecay: number): void {
    if (start === end) return;
    const { learningRate, beta1, beta2, epsilon } = options;
    this.#optimizer!.update(
      { start, end },
      {
        learningRate,
        keep: 1 - learningRate * weightDecay,
        beta1,
        oneMinusBeta1: 1 - beta1,
        beta2,
        oneMinusBeta2: 1 - beta2,
        correction1: 1 / (1 - beta1 ** this.stepCount),
        correction2: 1 / (1 - beta2 ** this.stepCount),
        epsilon,
        gradientScale,
      },
    );
  }
}
