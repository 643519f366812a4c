/**
 * How replicas that share weights and moments take an optimizer step together: each owns one slice of the flat vectors, of
 * which it sums everyone's gradient and moves the weights. The step: all `settle`; all `sum`; the sums of squares give the
 * norm; all `update`. All must have done one thing before any does the next.
 */
import type { AdamWOptions } from "../../engine.ts";
import { cutIntoSlices } from "../gradient-exchange.ts";
import type { ParameterStore, Slice } from "../parameter-store.ts";
import type { Kernels } from "./addon.ts";
import { KernelProgram } from "./kernel-program.ts";
import { valuesOf } from "./matrix.ts";

export class SharedExchange {
  readonly #kernels: Kernels;
  readonly #store: ParameterStore;
  readonly #others: readonly Float32Array[];
  readonly #slice: Slice;

  /** `gradients` are those of all replicas; `index` is the own one's. */
  constructor(
    store: ParameterStore,
    options: { readonly kernels: Kernels; readonly gradients: readonly Float32Array[]; readonly index: number },
  ) {
    const { kernels, gradients, index } = options;
    this.#kernels = kernels;
    this.#store = store;
    this.#others = gradients.filter((_, i) => i !== index);
    this.#slice = cutIntoSlices(store.gradient.length, gradients.length)[index]!;
  }

  /** Makes the own gradient's memory ready to be read by others. */
  settle(): void {
    this.#store.settleGradient();
  }

  /** Adds the others' gradients of the own slice to the own one; Σ g² over the slice. */
  sum(): number {
    const { start, end } = this.#slice;
    const part = (gradient: Float32Array) => valuesOf(gradient, start, end - start);
    const sum = new Float64Array(1);
    const program = new KernelProgram(this.#kernels);
    for (const other of this.#others) program.addAndSquare(part(other), part(this.#store.gradient), sum);
    program.run();
    return sum[0]!;
  }

  /** One AdamW step of the own slice; with a norm that is not finite nothing changes. */
  update({ adamW, gradientNorm }: { readonly adamW: AdamWOptions; readonly gradientNorm: number }): void {
    this.#store.stepSlice(adamW, gradientNorm, this.#slice);
  }
}
