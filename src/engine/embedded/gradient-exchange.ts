/**
 * How replicas with vectors of their own take an optimizer step together: each owns one slice of the flat vectors, of which it sums everyone's
 * gradient, keeps the optimizer's moments and updates the weights (Rajbhandari et al., "ZeRO", stage 1). What one gives
 * another lies in shared memory in between; the runtime reads no shared memory, so every replica computes on its own copy.
 *
 * The step: for round 1 … count − 1 all `publishGradient`, then all `addGradient`; the sums of squares give the norm; all
 * `update`, then all `adopt`. All must have done one thing before any does the next. Sums are made in an order that
 * depends on the number of replicas alone.
 */
import type { AdamWOptions } from "../engine.ts";
import type { ParameterStore, Slice } from "./parameter-store.ts";

/** The flat vectors whose slices can be handed to all. */
type SharedVector = "weights" | "moment1" | "moment2";

export class GradientExchange {
  readonly #store: ParameterStore;
  readonly #shared: Float32Array;
  readonly #index: number;
  readonly #slices: readonly Slice[];

  /** `shared` is as long as the flat vectors. */
  constructor(
    store: ParameterStore,
    options: { readonly shared: Float32Array; readonly index: number; readonly count: number },
  ) {
    const { shared, index, count } = options;
    this.#store = store;
    this.#shared = shared;
    this.#index = index;
    this.#slices = cutIntoSlices(store.gradient.length, count);
  }

  /** Hands out the slice of the gradient that belongs to the replica `round` places on. */
  publishGradient(round: number): void {
    this.#store.settleGradient();
    this.#publish("gradient", this.#slices[(this.#index + round) % this.#slices.length]!);
  }

  /** Adds what was handed out for the own slice to it; Σ g² over the slice so far. */
  addGradient(): number {
    const { start, end } = this.#slices[this.#index]!;
    const own = this.#store.gradient.subarray(start, end);
    const given = this.#shared.subarray(start, end);
    // In one pass, as it is memory that this waits for; four sums, as each addition waits for the one before it.
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < own.length; i += 4) {
      const w = (own[i] = Math.fround(own[i]! + given[i]!));
      const x = (own[i + 1] = Math.fround(own[i + 1]! + given[i + 1]!));
      const y = (own[i + 2] = Math.fround(own[i + 2]! + given[i + 2]!));
      const z = (own[i + 3] = Math.fround(own[i + 3]! + given[i + 3]!));
      a += w * w;
      b += x * x;
      c += y * y;
      d += z * z;
    }
    return a + b + (c + d);
  }

  /** One AdamW step of the own slice, whose weights are then handed out; with a norm that is not finite nothing changes. */
  update({ adamW, gradientNorm }: { readonly adamW: AdamWOptions; readonly gradientNorm: number }): void {
    const slice = this.#slices[this.#index]!;
    this.#store.stepSlice(adamW, gradientNorm, slice);
    if (Number.isFinite(gradientNorm)) this.#publish("weights", slice);
  }

  /** Hands out the own slice. */
  publish(vector: SharedVector): void {
    this.#publish(vector, this.#slices[this.#index]!);
  }

  /** Takes over the slices that the others handed out. */
  adopt(vector: SharedVector): void {
    this.#slices.forEach(({ start, end }, index) => {
      if (index !== this.#index) this.#store[vector].set(this.#shared.subarray(start, end), start);
    });
  }

  #publish(vector: SharedVector | "gradient", { start, end }: Slice): void {
    this.#shared.set(this.#store[vector].subarray(start, end), start);
  }
}

/** Slices of about equal length whose bounds are multiples of 4, as the optimizer wants them. */
export function cutIntoSlices(length: number, count: number): Slice[] {
  const bound = (index: number): number => (index === count ? length : 4 * Math.floor((length * index) / count / 4));
  return Array.from({ length: count }, (_, index) => ({ start: bound(index), end: bound(index + 1) }));
}
