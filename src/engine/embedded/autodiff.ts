/**
 * Reverse-mode automatic differentiation that emits ordinary ONNX operators: forward operators record how a gradient
 * flows back, `gradients` appends the backward pass to the same graph. Shapes may contain named dimensions; whatever
 * integer constant depends on them (targets of reshapes, bounds of slices) becomes an input that `shapeFeeds` fills
 * when the graph runs, so that one graph serves batches of every size.
 */
import { OnnxGraph, type Attributes, type Dimension, type ElementType } from "./onnx-writer.ts";

export type Shape = readonly Dimension[];

/** A tensor of the graph. */
export interface Value {
  readonly name: string;
  readonly shape: Shape;
}

/** What flows back to a value: a tensor, or a product or scatter that is fused with the sum of all contributions. */
export type Contribution =
  | Value
  /** `left · right` (transposed if asked for), added through Gemm's third input. */
  | { readonly product: { left: Value; right: Value; transposeLeft: boolean; transposeRight: boolean } }
  /** Row i of `gradient` belongs to row `indices[i]`; no index twice. */
  | { readonly scatter: { indices: Value; gradient: Value; shape: Shape } };

/** From the gradient of the output to the gradients of the inputs, in the inputs' order. */
export type BackwardRule = (gradient: Value) => readonly (Contribution | undefined)[];

interface TapeRecord {
  readonly outputs: readonly Value[];
  readonly inputs: readonly Value[];
  readonly backward: (gradients: readonly Value[]) => readonly (Contribution | undefined)[];
}

export const shapesEqual = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** Extents of named dimensions for one run. */
export type Bindings = Readonly<Record<string, number>>;

export function resolveDimension(dimension: Dimension, bindings: Bindings): number {
  if (typeof dimension === "number") return dimension;
  const extent = bindings[dimension];
  if (extent === undefined) throw new Error(`dimension ${dimension} is not bound`);
  return extent;
}

export class Tape {
  readonly graph = new OnnxGraph();
  readonly #records: TapeRecord[] = [];
  readonly #shapeInputs = new Map<string, Shape>();

  input(name: string, shape: Shape, type: ElementType = "float32"): Value {
    return { name: this.graph.input(name, type, shape), shape };
  }

  constant(data: Float32Array, shape: readonly number[]): Value {
    return { name: this.graph.constant("float32", shape, data), shape };
  }

  scalar(value: number): Value {
    return { name: this.graph.scalar(value), shape: [] };
  }

  /** An operator that nothing is recorded for: used inside backward rules and fused operators. */
  operator(
    name: string,
    inputs: readonly (Value | string)[],
    shape: Shape,
    attributes?: Attributes,
    domain?: string,
  ): Value {
    const names = inputs.map((input) => (typeof input === "string" ? input : input.name));
    return { name: this.graph.node(name, names, attributes, domain), shape };
  }

  /** Declares how the gradient of `output` flows back to `inputs`. */
  record(output: Value, inputs: readonly Value[], backward: BackwardRule): Value {
    this.#records.push({ outputs: [output], inputs, backward: ([gradient]) => backward(gradient!) });
    return output;
  }

  /** Like `record`, for operators with several outputs, all of which must contribute to the loss. */
  recordMany(
    outputs: readonly Value[],
    inputs: readonly Value[],
    backward: (gradients: readonly Value[]) => readonly (Contribution | undefined)[],
  ): void {
    this.#records.push({ outputs, inputs, backward });
  }

  /** A vector of integers, a constant if all are known, else an input filled by `shapeFeeds`. */
  integers(values: Shape): string {
    if (values.every((value) => typeof value === "number")) return this.graph.integers(...values);
    const name = `shape:${values.join()}`;
    if (!this.#shapeInputs.has(name)) {
      this.#shapeInputs.set(name, values);
      this.graph.input(name, "int64", [values.length]);
    }
    return name;
  }

  /** The inputs that depend on named dimensions only, by name. */
  shapeFeeds(bindings: Bindings): Map<string, BigInt64Array> {
    return new Map(
      [...this.#shapeInputs].map(([name, values]) => [
        name,
        BigInt64Array.from(values, (value) => BigInt(resolveDimension(value, bindings))),
      ]),
    );
  }

  // Operators without a record ------------------------------------------------------------------------------------

  reduce(kind: "ReduceSum" | "ReduceMean", x: Value, axes: readonly number[]): Value {
    const shape = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
    return this.operator(kind, [x, this.graph.integers(...axes)], shape, { keepdims: 1 });
  }

  /** x[…, start:end, …] along `axis`; `extent` is end − start. */
  slice(x: Value, axis: number, range: { start: Dimension; end: Dimension; extent: Dimension }): Value {
    if (range.start === 0 && range.end === x.shape[axis]) return x;
    const shape = x.shape.map((extent, i) => (i === axis ? range.extent : extent));
    const inputs = [x, this.integers([range.start]), this.integers([range.end]), this.graph.integers(axis)];
    return this.operator("Slice", inputs, shape);
  }

  /** Cuts x along `axis` into `count` pieces of `extent` each. */
  cut(x: Value, axis: number, { count, extent }: { readonly count: number; readonly extent: Dimension }): Value[] {
    if (count === 1) return [x];
    const shape = x.shape.map((whole, i) => (i === axis ? extent : whole));
    const names = this.graph.nodeWithOutputs("Split", [x.name], count, { axis, num_outputs: count });
    return names.map((name) => ({ name, shape }));
  }

  /** Reshape without a record. A named dimension is copied (0), inferred (−1) or, if neither is possible, fed. */
  reshapeOnly(x: Value, shape: Shape): Value {
    if (shapesEqual(x.shape, shape)) return x;
    const target = shape.map((extent, i) => (typeof extent === "string" && extent === x.shape[i] ? 0 : extent));
    const named = target.filter((extent) => typeof extent === "string");
    const integers = named.length <= 1 ? target.map((extent) => (typeof extent === "string" ? -1 : extent)) : shape;
    return this.operator("Reshape", [x, this.integers(integers)], shape);
  }

  /** Batched product over the last two axes, scaled by `alpha`. */
  batchedProduct(
    a: Value,
    b: Value,
    options: { transposeA?: boolean; transposeB?: boolean; alpha?: number } = {},
  ): Value {
    const rows = a.shape.at(options.transposeA ? -1 : -2)!;
    const columns = b.shape.at(options.transposeB ? -2 : -1)!;
    const attributes = {
      transA: options.transposeA ? 1 : undefined,
      transB: options.transposeB ? 1 : undefined,
      alpha: { float: options.alpha ?? 1 },
    };
    return this.operator("FusedMatMul", [a, b], [...a.shape.slice(0, -2), rows, columns], attributes, "com.microsoft");
  }

  // The backward pass ---------------------------------------------------------------------------------------------

  /**
   * Appends the backward pass and returns ∂loss/∂parameter for each parameter, in order; a parameter may be any value
   * of the graph. `loss` is a scalar.
   */
  gradients(loss: Value, parameters: readonly Value[]): Value[] {
    const contributions = new Map<string, Contribution[]>([[loss.name, [this.scalar(1)]]]);
    const relevant = new Set(parameters.map((parameter) => parameter.name));
    for (const { inputs, outputs } of this.#records) {
      if (inputs.some((input) => relevant.has(input.name))) for (const output of outputs) relevant.add(output.name);
    }
    const sums = new Map<string, Value>();
    const gradientOf = (value: Value): Value => {
      let sum = sums.get(value.name);
      if (sum === undefined) {
        sum = this.#sum(contributions.get(value.name) ?? [], value);
        sums.set(value.name, sum);
      }
      return sum;
    };
    for (const { inputs, outputs, backward } of this.#records.toReversed()) {
      if (!outputs.some((output) => contributions.has(output.name))) continue;
      if (!inputs.some((input) => relevant.has(input.name))) continue;
      const flowing = backward(outputs.map(gradientOf));
      inputs.forEach((input, i) => {
        const contribution = flowing[i];
        if (contribution === undefined || !relevant.has(input.name)) return;
        const list = contributions.get(input.name);
        if (list) list.push(contribution);
        else contributions.set(input.name, [contribution]);
      });
    }
    return parameters.map(gradientOf);
  }

  /** Sum of contributions: tensors with Add, then products through Gemm's third input, then scatters in place. */
  #sum(contributions: readonly Contribution[], target: Value): Value {
    let sum: Value | undefined;
    for (const item of contributions) {
      if ("name" in item) sum = sum ? this.operator("Add", [sum, item], item.shape) : item;
    }
    for (const item of contributions) {
      if (!("product" in item)) continue;
      const { left, right, transposeLeft, transposeRight } = item.product;
      const shape = [left.shape[transposeLeft ? 1 : 0]!, right.shape[transposeRight ? 0 : 1]!];
      sum = this.operator("Gemm", sum ? [left, right, sum] : [left, right], shape, {
        transA: transposeLeft ? 1 : undefined,
        transB: transposeRight ? 1 : undefined,
      });
    }
    for (const item of contributions) {
      if (!("scatter" in item)) continue;
      const { indices, gradient, shape } = item.scatter;
      sum ??= this.operator("Expand", [this.scalar(0), this.integers(shape)], shape);
      const column = this.reshapeOnly(indices, [indices.shape[0]!, 1]);
      sum = this.operator("ScatterND", [sum, column, gradient], shape, { reduction: "add" });
    }
    if (sum === undefined) throw new Error(`the loss does not depend on ${target.name}`);
    return sum;
  }
}
