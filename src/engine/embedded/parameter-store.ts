/**
 * Weights, accumulated gradient and optimizer moments, each one flat vector in a common WebAssembly memory. What is
 * never written there takes no memory: a model that is only sampled has its weights alone.
 */
import type { AdamWOptions } from "../engine.ts";
import { EngineError } from "../../errors.ts";
import { createAdamWKernel, createWasmMemory, type AdamWKernel } from "./adamw-wasm.ts";
import type { ParameterLayout } from "./llama-parameters.ts";

/** A WebAssembly memory has at most 4 GiB, for four floats per parameter. */
export const MOST_TRAINED_PARAMETERS = 2 ** 28;

/** Part of a flat vector, `end` not included. */
export interface Slice {
  readonly start: number;
  readonly end: number;
}

export class ParameterStore {
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
  readonly #kernel: AdamWKernel | undefined;

  /** With `frozen` the weights are never to be trained and lie outside of the common memory. */
  constructor(layout: ParameterLayout, options: { readonly frozen?: boolean } = {}) {
    this.layout = layout;
    const length = layout.totalLength;
    if (options.frozen || length > MOST_TRAINED_PARAMETERS) {
      this.weights = new Float32Array(length);
      this.gradient = this.moment1 = this.moment2 = new Float32Array();
      return;
    }
    const memory = createWasmMemory(4 * 4 * length);
    const vector = (index: number) => new Float32Array(memory.buffer, 4 * index * length, length);
    this.weights = vector(0);
    this.gradient = vector(1);
    this.moment1 = vector(2);
    this.moment2 = vector(3);
    this.#kernel = createAdamWKernel(memory);
  }

  /** @throws {EngineError} when the model is too large to be trained. */
  requireTrainable(): void {
    if (this.#kernel !== undefined) return;
    const { parameterCount } = this.layout;
    const message = `a model of ${parameterCount} parameters can be sampled and scored, not trained; at most ${MOST_TRAINED_PARAMETERS} can be trained, or a low-rank adapter of any`;
    throw new EngineError(message, { parameterCount });
  }

  /** The part of a flat vector that belongs to a parameter. */
  view(vector: Float32Array, name: string): Float32Array {
    const { offset, length } = this.layout.byName.get(name)!;
    return vector.subarray(offset, offset + length);
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
    const gradientNorm = Math.sqrt(sumOfSquares(this.gradient));
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
    const address = (vector: Float32Array): number => vector.byteOffset + 4 * start;
    this.#kernel!(
      address(this.weights),
      address(this.gradient),
      address(this.moment1),
      address(this.moment2),
      this.weights.byteOffset + 4 * end,
      learningRate,
      1 - learningRate * weightDecay,
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      1 / (1 - beta1 ** this.stepCount),
      1 / (1 - beta2 ** this.stepCount),
      epsilon,
      gradientScale,
    );
  }
}

/** Σ x², in double precision. */
function sumOfSquares(vector: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < vector.length; i += 4) {
    a += vector[i]! * vector[i]!;
    b += vector[i + 1]! * vector[i + 1]!;
    c += vector[i + 2]! * vector[i + 2]!;
    d += vector[i + 3]! * vector[i + 3]!;
  }
  return a + b + (c + d);
}
