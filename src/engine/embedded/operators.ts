/**
 * General differentiable operators. In the comments g is the gradient of the loss with respect to the output, and
 * d(x) the gradient with respect to x. Fused operators of the transformer are in `transformer-operators.ts`.
 */
import { shapesEqual, type Contribution, type Shape, type Tape, type Value } from "./autodiff.ts";
import type { Dimension } from "./onnx-writer.ts";

function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    return x === 1 ? y : x;
  });
}

/** Undoes broadcasting: sums the gradient over the axes along which `shape` was repeated. */
function sumToShape(tape: Tape, gradient: Value, shape: Shape): Value {
  if (shapesEqual(gradient.shape, shape)) return gradient;
  const added = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((extent, i) =>
    i < added || (shape[i - added] === 1 && extent !== 1) ? [i] : [],
  );
  return tape.reshapeOnly(tape.reduce("ReduceSum", gradient, axes), shape);
}

const multiply = (tape: Tape, a: Value, b: Value): Value =>
  tape.operator("Mul", [a, b], broadcastShape(a.shape, b.shape));

/** y = a + b, broadcasting. d(a) = g, d(b) = g, each summed over its repeated axes. */
export function add(tape: Tape, a: Value, b: Value): Value {
  const y = tape.operator("Add", [a, b], broadcastShape(a.shape, b.shape));
  return tape.record(y, [a, b], (g) => [sumToShape(tape, g, a.shape), sumToShape(tape, g, b.shape)]);
}

/** y = a ∘ b, broadcasting. d(a) = g ∘ b, d(b) = g ∘ a, each summed over its repeated axes. */
export function mul(tape: Tape, a: Value, b: Value): Value {
  return tape.record(multiply(tape, a, b), [a, b], (g) => [
    sumToShape(tape, multiply(tape, g, b), a.shape),
    sumToShape(tape, multiply(tape, g, a), b.shape),
  ]);
}

/** y = Σ over all elements of x, a scalar. d(x) = g repeated. */
export function sumAll(tape: Tape, x: Value): Value {
  const y = tape.operator("ReduceSum", [x], [], { keepdims: 0 });
  return tape.record(y, [x], (g) => [tape.operator("Expand", [g, tape.integers(x.shape)], x.shape)]);
}

/** The same elements in another shape. d(x) = g in x's shape. */
export function reshape(tape: Tape, x: Value, shape: Shape): Value {
  if (shapesEqual(x.shape, shape)) return x;
  return tape.record(tape.reshapeOnly(x, shape), [x], (g) => [tape.reshapeOnly(g, x.shape)]);
}

/** y = x with axes permuted. d(x) = g with the inverse permutation. */
export function transpose(tape: Tape, x: Value, permutation: readonly number[]): Value {
  const permute = (v: Value, order: readonly number[]): Value =>
    tape.operator(
      "Transpose",
      [v],
      order.map((axis) => v.shape[axis]!),
      { perm: order },
    );
  const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
  return tape.record(permute(x, permutation), [x], (g) => [permute(g, inverse)]);
}

/** Cuts x along `axis` into pieces of the given extents. d(x) = the pieces' gradients, concatenated. */
export function split(tape: Tape, x: Value, axis: number, extents: readonly number[]): Value[] {
  const names = tape.graph.nodeWithOutputs("Split", [x.name, tape.graph.integers(...extents)], extents.length, {
    axis,
  });
  const pieces = names.map((name, i) => ({
    name,
    shape: x.shape.map((extent, j): Dimension => (j === axis ? extents[i]! : extent)),
  }));
  tape.recordMany(pieces, [x], (gradients) => [tape.operator("Concat", gradients, x.shape, { axis })]);
  return pieces;
}

/**
 * y = a·bᵀ + c with a [N, K], b [M, K] (the layout of weights in a checkpoint) and, if there is one, c, a bias [M] or
 * other summands [N, M]. d(a) = g·b, d(b) = gᵀ·a, d(c) = g, summed over the rows for a bias; the first two are added to
 * other contributions inside the product's own Gemm.
 */
export function linear(tape: Tape, a: Value, b: Value, c?: Value): Value {
  const operands = c === undefined ? [a, b] : [a, b, c];
  const y = tape.operator("Gemm", operands, [a.shape[0]!, b.shape[0]!], { transB: 1 });
  return tape.record(y, operands, (g): Contribution[] => [
    { product: { left: g, right: b, transposeLeft: false, transposeRight: false } },
    { product: { left: g, right: a, transposeLeft: true, transposeRight: false } },
    ...(c === undefined ? [] : [sumToShape(tape, g, c.shape)]),
  ]);
}

/** y = x·wᵀ + c like `linear`, with constants w and c, which get no gradient. d(x) = g·w. */
export function frozenLinear(tape: Tape, x: Value, w: Value, c?: Value): Value {
  const operands = c === undefined ? [x, w] : [x, w, c];
  const y = tape.operator("Gemm", operands, [x.shape[0]!, w.shape[0]!], { transB: 1 });
  return tape.record(y, [x], (g): Contribution[] => [
    { product: { left: g, right: w, transposeLeft: false, transposeRight: false } },
  ]);
}

/**
 * A constant matrix and a low-rank one that is trained, y = x·wᵀ + c + s·(x·aᵀ)·bᵀ: x [N, K], w [M, K], a [R, K],
 * b [M, R], c [M] if there is a bias. w and c get no gradient. With h = s·x·aᵀ [N, R] and e = s·g·b [N, R]:
 * d(x) = g·w + e·a, d(a) = eᵀ·x, d(b) = gᵀ·h. Nothing but y has the size of N·M, and no gradient that of w.
 */
export function adaptedLinear(
  tape: Tape,
  x: Value,
  frozen: { readonly w: Value; readonly c?: Value | undefined },
  adapter: { readonly a: Value; readonly b: Value; readonly scale: number },
): Value {
  const { w, c } = frozen;
  const { a, b, scale } = adapter;
  const alpha = { float: scale };
  const [rows, rank] = [x.shape[0]!, a.shape[0]!];
  const product = (left: Value, right: Value, sides: Partial<Record<"transposeLeft" | "transposeRight", boolean>>) => ({
    product: { left, right, transposeLeft: false, transposeRight: false, ...sides },
  });
  const base = tape.operator("Gemm", c === undefined ? [x, w] : [x, w, c], [rows, w.shape[0]!], { transB: 1 });
  const h = tape.operator("Gemm", [x, a], [rows, rank], { transB: 1, alpha });
  const y = tape.operator("Gemm", [h, b, base], base.shape, { transB: 1 });
  return tape.record(y, [x, x, a, b], (g): Contribution[] => {
    const e = tape.operator("Gemm", [g, b], [rows, rank], { alpha });
    return [
      product(g, w, {}),
      product(e, a, {}),
      product(e, x, { transposeLeft: true }),
      product(g, h, { transposeLeft: true }),
    ];
  });
}

/**
 * y[i] = x[indices[i]] for rows; no index may occur twice: the runtime adds repeated rows from several threads at once
 * and loses some. d(x)[indices[i]] = g[i], 0 elsewhere.
 */
export function gatherDistinctRows(tape: Tape, x: Value, indices: Value): Value {
  const y = tape.operator("Gather", [x, indices], [indices.shape[0]!, x.shape[1]!]);
  return tape.record(y, [x], (g) => [{ scatter: { indices, gradient: g, shape: x.shape } }]);
}
