/**
 * A list of kernel commands under construction, then run at once. Each method is one kernel of `native/kernels.h`, where
 * its formula is; the order of the arguments is the one in which `native/commands.c` reads them.
 */
import type { KernelArray, Kernels } from "./addon.ts";
import type { AdamWScalars } from "../optimizer.ts";
import type { Matrix, Values } from "./matrix.ts";

/** Integers, from `offset` on. */
export interface Indices {
  readonly data: Int32Array;
  readonly offset?: number;
}

/** What `product` computes. */
export interface Product {
  /** [m, k], or [k, m] if transposed. */
  readonly left: Matrix;
  readonly transposeLeft?: boolean;
  /** [k, n], [n, k] if transposed, or [k, n] packed. */
  readonly right: Matrix | Packed;
  readonly transposeRight?: boolean;
  /** Of the product; default 1. */
  readonly factor?: number;
  /** [m, n], added; may be `to`. */
  readonly addend?: Matrix | undefined;
  /** [n], added to every row. */
  readonly bias?: Values | undefined;
  /** [m, n] */
  readonly to: Matrix;
}

/** The right side [k, n] of products, in the order in which the kernels read it. */
export interface Packed {
  readonly packed: Values;
  readonly k: number;
  readonly n: number;
}

/** Sequences laid end to end; heads side by side in each row. */
export interface AttentionOperands {
  /** [sequences + 1]: where each begins, and the end. */
  readonly starts: Int32Array;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly headSize: number;
  /** [N, heads · size] */
  readonly queries: Matrix;
  /** [N, keyValueHeads · size] */
  readonly keys: Matrix;
  readonly values: Matrix;
  /** [N, heads · size] */
  readonly attended: Matrix;
  /** [N · heads], or nothing if no gradient is asked for. */
  readonly logSums: Values | undefined;
}

/** One layer of the pages that decoded sequences' keys and values lie in. */
export interface CacheLayer {
  readonly pages: Float32Array;
  readonly pageCount: number;
  readonly layerCount: number;
  readonly layer: number;
  readonly keyValueHeadCount: number;
  readonly headSize: number;
}

const NO_ARRAY = [-1, 0] as const;

export class KernelProgram {
  readonly #kernels: Kernels;
  readonly #numbers: number[] = [];
  #encoded = new Float64Array();
  readonly #arrays: KernelArray[] = [];
  readonly #places = new Map<KernelArray, number>();

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Runs what has been written so far, any number of times. */
  run(): void {
    if (this.#encoded.length !== this.#numbers.length) this.#encoded = Float64Array.from(this.#numbers);
    this.#kernels.run(this.#encoded, this.#arrays);
  }

  // Products --------------------------------------------------------------------------------------------------------

  /** to = factor · left·right + addend + bias */
  product({ left, transposeLeft, right, transposeRight, factor = 1, addend, bias, to }: Product): void {
    const depth = transposeLeft ? left.rows : left.columns;
    this.#command("gemm", to.rows, to.columns, depth, factor, transposeLeft ? 1 : 0);
    this.#numbers.push("packed" in right ? 2 : transposeRight ? 1 : 0);
    this.#matrix(left);
    if ("packed" in right) this.#values(right.packed);
    else this.#matrix(right);
    this.#matrix(addend);
    this.#values(bias);
    this.#matrix(to);
  }

  packedLength(columns: number, depth: number): number {
    return this.#kernels.packedLength(columns, depth);
  }

  /** `matrix` [k, n], or [n, k] if transposed, into `to`. */
  pack(matrix: Matrix, transposed: boolean, to: Values): Packed {
    const [n, k] = transposed ? [matrix.rows, matrix.columns] : [matrix.columns, matrix.rows];
    this.#command("pack", n, k, transposed ? 1 : 0);
    this.#matrix(matrix);
    this.#values(to);
    return { packed: to, n, k };
  }

  // Attention -------------------------------------------------------------------------------------------------------

  attention(operands: AttentionOperands): void {
    this.#command("attention");
    this.#attentionOperands(operands);
  }

  /** Writes the gradients of queries, keys and values, given that of what was attended to. */
  attentionBackward(
    operands: AttentionOperands,
    gradients: { readonly attended: Matrix; readonly queries: Matrix; readonly keys: Matrix; readonly values: Matrix },
  ): void {
    this.#command("attentionBackward");
    this.#attentionOperands(operands);
    this.#matrix(gradients.attended);
    this.#matrix(gradients.queries);
    this.#matrix(gradients.keys);
    this.#matrix(gradients.values);
  }

  /** Writes row i's keys and values at `places[i]`: its page times the positions of a page, plus its position there. */
  cacheWrite(cache: CacheLayer, places: Indices, keys: Matrix, values: Matrix): void {
    this.#command("cacheWrite");
    this.#cache(cache);
    this.#numbers.push(keys.rows);
    this.#indices(places);
    this.#matrix(keys);
    this.#matrix(values);
  }

  /** One query row per sequence; neighbours with one prompt form a group. */
  decodeAttention(
    cache: CacheLayer,
    operands: {
      /** [groups + 1]: rows. */
      readonly groupStarts: Int32Array;
      /** [groups, mostPromptPages] */
      readonly promptPages: Int32Array;
      readonly mostPromptPages: number;
      /** [groups] */
      readonly promptLengths: Int32Array;
      /** [rows, mostOwnPages] */
      readonly ownPages: Int32Array;
      readonly mostOwnPages: number;
      /** [rows]: with the present position, which is in the cache. */
      readonly ownLengths: Int32Array;
      readonly headCount: number;
      readonly queries: Matrix;
      readonly attended: Matrix;
    },
  ): void {
    this.#command("decodeAttention");
    this.#cache(cache);
    this.#numbers.push(operands.groupStarts.length - 1);
    this.#indices({ data: operands.groupStarts });
    this.#numbers.push(operands.mostPromptPages);
    this.#indices({ data: operands.promptPages });
    this.#indices({ data: operands.promptLengths });
    this.#numbers.push(operands.mostOwnPages);
    this.#indices({ data: operands.ownPages });
    this.#indices({ data: operands.ownLengths });
    this.#numbers.push(operands.headCount, 1 / Math.sqrt(cache.headSize));
    this.#matrix(operands.queries);
    this.#matrix(operands.attended);
  }

  /** logits [rows, n] become log-probabilities; `probabilities` are those at the rows' temperatures. */
  tokenProbabilities(logits: Matrix, inverseTemperatures: Values, probabilities: Values): void {
    this.#command("tokenProbabilities", logits.rows, logits.columns);
    this.#values(logits);
    this.#values(inverseTemperatures);
    this.#values(probabilities);
  }

  // Rows ------------------------------------------------------------------------------------------------------------

  /** to[i] = from[indices[i]] */
  gatherRows(from: Matrix, indices: Indices, to: Matrix): void {
    this.#command("gatherRows", to.rows, to.columns, from.rows);
    this.#indices(indices);
    this.#matrix(from);
    this.#matrix(to);
  }

  /** to[indices[i]] += from[i] */
  scatterAddRows(from: Matrix, indices: Indices, to: Matrix): void {
    this.#command("scatterAddRows", from.rows, from.columns, to.rows);
    this.#indices(indices);
    this.#matrix(from);
    this.#matrix(to);
  }

  fill(to: Matrix, value: number): void {
    this.#command("fill", to.rows, to.columns, value);
    this.#matrix(to);
  }

  /** to[n] += Σ of the rows of x. */
  addColumnSums(x: Matrix, to: Values): void {
    this.#command("addColumnSums", x.rows, x.columns);
    this.#matrix(x);
    this.#values(to);
  }

  // Between products ------------------------------------------------------------------------------------------------

  /** `heads` groups of the row are normalized one by one, each as long as `weight`; `inverses` [rows · heads]. */
  rmsNorm(options: {
    readonly x: Matrix;
    readonly weight: Values;
    readonly epsilon: number;
    readonly to: Matrix;
    readonly inverses: Values | undefined;
  }): void {
    const { x, weight, epsilon, to, inverses } = options;
    this.#command("rmsNorm", x.rows, x.columns / weight.length, weight.length, epsilon);
    this.#matrix(x);
    this.#values(weight);
    this.#matrix(to);
    this.#values(inverses);
  }

  /** to (+)= the gradient of x; weightGradient += that of the weight. */
  rmsNormBackward(options: {
    readonly x: Matrix;
    readonly weight: Values;
    readonly inverses: Values;
    readonly gradient: Matrix;
    readonly to: Matrix;
    readonly accumulate: boolean;
    readonly weightGradient: Values | undefined;
  }): void {
    const { x, weight, inverses, gradient, to, accumulate, weightGradient } = options;
    this.#command("rmsNormBackward", x.rows, x.columns / weight.length, weight.length, accumulate ? 1 : 0);
    this.#matrix(x);
    this.#values(weight);
    this.#values(inverses);
    this.#matrix(gradient);
    this.#matrix(to);
    this.#values(weightGradient);
  }

  /** Turns the heads of x by the angles of their rows' positions, or back with direction −1. */
  rotate(options: {
    readonly x: Matrix;
    readonly headSize: number;
    readonly positions: Indices;
    /** [positions, size / 2] each. */
    readonly cosine: Float32Array;
    readonly sine: Float32Array;
    readonly direction: 1 | -1;
  }): void {
    const { x, headSize, positions, cosine, sine, direction } = options;
    const limit = cosine.length / (headSize / 2);
    this.#command("rotate", x.rows, x.columns / headSize, headSize, limit, direction);
    this.#matrix(x);
    this.#indices(positions);
    this.#values({ data: cosine, offset: 0 });
    this.#values({ data: sine, offset: 0 });
  }

  /** to = silu(gate) ∘ up */
  swiGlu(gate: Matrix, up: Matrix, to: Matrix): void {
    this.#command("swiglu", gate.rows, gate.columns);
    this.#matrix(gate);
    this.#matrix(up);
    this.#matrix(to);
  }

  swiGluBackward(
    gate: Matrix,
    up: Matrix,
    gradients: { readonly to: Matrix; readonly gate: Matrix; readonly up: Matrix },
  ): void {
    this.#command("swigluBackward", gate.rows, gate.columns);
    this.#matrix(gate);
    this.#matrix(up);
    this.#matrix(gradients.to);
    this.#matrix(gradients.gate);
    this.#matrix(gradients.up);
  }

  /** values = log p of the targets; with weights w, logits become w · (p − onehot). */
  crossEntropy(logits: Matrix, targets: Indices, weights: Values | undefined, values: Values): void {
    this.#command("crossEntropy", logits.rows, logits.columns);
    this.#matrix(logits);
    this.#indices(targets);
    this.#values(weights);
    this.#values(values);
  }

  // The optimizer ---------------------------------------------------------------------------------------------------

  adamW(
    weights: Values,
    vectors: { readonly gradient: Values; readonly moment1: Values; readonly moment2: Values },
    scalars: AdamWScalars,
  ): void {
    this.#command("adamw", weights.length);
    for (const vector of [weights, vectors.gradient, vectors.moment1, vectors.moment2]) this.#values(vector);
    const { learningRate, keep, beta1, oneMinusBeta1, beta2, oneMinusBeta2 } = scalars;
    this.#numbers.push(learningRate, keep, beta1, oneMinusBeta1, beta2, oneMinusBeta2);
    this.#numbers.push(scalars.correction1, scalars.correction2, scalars.epsilon, scalars.gradientScale);
  }

  /** sum[0] = Σ x² */
  square(x: Values, sum: Float64Array): void {
    this.#command("square", x.length);
    this.#values(x);
    this.#place({ data: sum, offset: 0 });
  }

  /** to += x, and sum[0] = Σ to² */
  addAndSquare(x: Values, to: Values, sum: Float64Array): void {
    this.#command("addAndSquare", x.length);
    this.#values(x);
    this.#values(to);
    this.#place({ data: sum, offset: 0 });
  }

  // Arguments -------------------------------------------------------------------------------------------------------

  #command(name: string, ...numbers: number[]): void {
    this.#numbers.push(this.#kernels.commandNumber(name), ...numbers);
  }

  #matrix(matrix: Matrix | undefined): void {
    if (matrix === undefined) this.#numbers.push(0, ...NO_ARRAY);
    else {
      this.#numbers.push(matrix.stride);
      this.#place(matrix);
    }
  }

  #values(values: Pick<Values, "data" | "offset"> | undefined): void {
    if (values === undefined) this.#numbers.push(...NO_ARRAY);
    else this.#place(values);
  }

  #indices({ data, offset = 0 }: Indices): void {
    this.#place({ data, offset });
  }

  #place({ data, offset }: { readonly data: KernelArray; readonly offset: number }): void {
    let place = this.#places.get(data);
    if (place === undefined) {
      place = this.#arrays.push(data) - 1;
      this.#places.set(data, place);
    }
    this.#numbers.push(place, offset);
  }

  #cache({ pages, pageCount, layerCount, layer, keyValueHeadCount, headSize }: CacheLayer): void {
    this.#numbers.push(pageCount, layerCount, layer, keyValueHeadCount, headSize);
    this.#place({ data: pages, offset: 0 });
  }

  #attentionOperands(operands: AttentionOperands): void {
    const { starts, headCount, keyValueHeadCount, headSize } = operands;
    this.#numbers.push(starts.length - 1);
    this.#indices({ data: starts });
    this.#numbers.push(headCount, keyValueHeadCount, headSize, 1 / Math.sqrt(headSize));
    this.#matrix(operands.queries);
    this.#matrix(operands.keys);
    this.#matrix(operands.values);
    this.#matrix(operands.attended);
    this.#values(operands.logSums);
  }
}
