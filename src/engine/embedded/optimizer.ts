/** AdamW over slices of a store's flat vectors, by the engine's own kernels or as WebAssembly. */
import { createAdamWKernel, type WasmMemory } from "./adamw-wasm.ts";
import type { Kernels } from "./kernels/addon.ts";
import { KernelProgram } from "./kernels/kernel-program.ts";
import { valuesOf } from "./kernels/matrix.ts";
import type { ParameterStore, Slice } from "./parameter-store.ts";

/** The scalars of one update; the formula is at `assembleModule` in `adamw-wasm.ts`. */
export interface AdamWScalars {
  readonly learningRate: number;
  /** 1 − learningRate · weightDecay */
  readonly keep: number;
  readonly beta1: number;
  readonly oneMinusBeta1: number;
  readonly beta2: number;
  readonly oneMinusBeta2: number;
  /** 1 / (1 − beta1^step) */
  readonly correction1: number;
  /** 1 / (1 − beta2^step) */
  readonly correction2: number;
  readonly epsilon: number;
  readonly gradientScale: number;
}

export interface Optimizer {
  /** Moves the weights of a slice, whose bounds are multiples of 4. */
  update(slice: Slice, scalars: AdamWScalars): void;
  /** Σ g² over the whole gradient, in double precision. */
  sumOfSquares(): number;
}

type Vectors = Pick<ParameterStore, "weights" | "gradient" | "moment1" | "moment2">;

export function kernelOptimizer(kernels: Kernels, { weights, gradient, moment1, moment2 }: Vectors): Optimizer {
  return {
    update({ start, end }, scalars) {
      const part = (vector: Float32Array) => valuesOf(vector, start, end - start);
      const program = new KernelProgram(kernels);
      const vectors = { gradient: part(gradient), moment1: part(moment1), moment2: part(moment2) };
      program.adamW(part(weights), vectors, scalars);
      program.run();
    },
    sumOfSquares() {
      const sum = new Float64Array(1);
      const program = new KernelProgram(kernels);
      program.square(valuesOf(gradient), sum);
      program.run();
      return sum[0]!;
    },
  };
}

/** The vectors lie in `memory`. */
export function wasmOptimizer(memory: WasmMemory, { weights, gradient, moment1, moment2 }: Vectors): Optimizer {
  const kernel = createAdamWKernel(memory);
  return {
    update({ start, end }, scalars) {
      const [w, g, m, v] = [weights, gradient, moment1, moment2].map((vector) => vector.byteOffset + 4 * start);
      kernel(
        w!,
        g!,
        m!,
        v!,
        weights.byteOffset + 4 * end,
        scalars.learningRate,
        scalars.keep,
        scalars.beta1,
        scalars.oneMinusBeta1,
        scalars.beta2,
        scalars.oneMinusBeta2,
        scalars.correction1,
        scalars.correction2,
        scalars.epsilon,
        scalars.gradientScale,
      );
    },
    sumOfSquares() {
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let i = 0; i < gradient.length; i += 4) {
        a += gradient[i]! * gradient[i]!;
        b += gradient[i + 1]! * gradient[i + 1]!;
        c += gradient[i + 2]! * gradient[i + 2]!;
        d += gradient[i + 3]! * gradient[i + 3]!;
      }
      return a + b + (c + d);
    },
  };
}
