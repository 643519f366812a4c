/**
 * Products with weights, as commands: y = x·Wᵀ + bias, what flows back through it, and the same beside a low-rank adapter.
 * In the comments x is [N, K], y and its gradient g [N, M], W [M, K].
 */
import type { Arena } from "./arena.ts";
import type { KernelProgram } from "./kernel-program.ts";
import { columnsOf, type Matrix, type Values } from "./matrix.ts";

/** A parameter, and where its gradient is added up if it is trained. */
export interface Trained<T> {
  readonly value: T;
  readonly gradient: T | undefined;
}

/** W, or some rows of it one after the other: those from `start` on give the columns of y from `start` on. */
export interface ProjectionPart {
  readonly start: number;
  readonly weight: Trained<Matrix>;
  readonly bias: Trained<Values> | undefined;
}

/** A [R, K], B [rows, R]: adds s·x·Aᵀ·Bᵀ to the columns from `start` on. */
export interface AdapterPart {
  readonly start: number;
  readonly a: Trained<Matrix>;
  readonly b: Trained<Matrix>;
  readonly scale: number;
}

export interface Projection {
  readonly parts: readonly ProjectionPart[];
  readonly adapters: readonly AdapterPart[];
}

/** M */
export const outputsOf = ({ parts }: Projection): number =>
  parts.reduce((most, { start, weight }) => Math.max(most, start + weight.value.rows), 0);

/** What commands are written with. */
export interface Writing {
  readonly program: KernelProgram;
  /** For what is kept until the commands are all written, */
  readonly arena: Arena;
  /** and for what is not. */
  readonly temporary: Arena;
}

/** What the backward pass needs of the forward pass: h = s·x·Aᵀ of every adapter. */
export type ProjectionRecord = readonly Matrix[];

/** to = x·Wᵀ + bias (+ addend), with what the adapters add. */
export function project(
  { program, arena }: Writing,
  projection: Projection,
  x: Matrix,
  { to, addend }: { readonly to: Matrix; readonly addend?: Matrix },
): ProjectionRecord {
  for (const { start, weight, bias } of projection.parts) {
    const columns = (matrix: Matrix): Matrix => columnsOf(matrix, start, weight.value.rows);
    program.product({
      left: x,
      right: weight.value,
      transposeRight: true,
      to: columns(to),
      addend: addend && columns(addend),
      bias: bias?.value,
    });
  }
  return projection.adapters.map(({ start, a, b, scale }) => {
    const h = arena.matrix(x.rows, a.value.rows);
    const target = columnsOf(to, start, b.value.rows);
    program.product({ left: x, right: a.value, transposeRight: true, factor: scale, to: h });
    program.product({ left: h, right: b.value, transposeRight: true, to: target, addend: target });
    return h;
  });
}

/**
 * Adds to the parameters' gradients (`accumulate`; else writes those of matrices anew): d(W) = gᵀ·x, d(bias) = Σ g over
 * rows; for an adapter with e = s·g·B: d(A) = eᵀ·x, d(B) = gᵀ·h. Writes d(x) = g·W + e·A to `to`, if there is one.
 */
export function projectBackward(
  { program, temporary }: Writing,
  projection: Projection,
  flow: { readonly x: Matrix; readonly gradient: Matrix; readonly record: ProjectionRecord },
  { to, accumulate }: { readonly to: Matrix | undefined; readonly accumulate: boolean },
): void {
  const { x, gradient, record } = flow;
  const addTo = (sum: Matrix | undefined, left: Matrix, right: Matrix): void => {
    if (sum) program.product({ left, transposeLeft: true, right, to: sum, addend: accumulate ? sum : undefined });
  };
  projection.parts.forEach(({ start, weight, bias }, i) => {
    const g = columnsOf(gradient, start, weight.value.rows);
    addTo(weight.gradient, g, x);
    if (bias?.gradient) program.addColumnSums(g, bias.gradient);
    if (to) program.product({ left: g, right: weight.value, to, addend: i === 0 ? undefined : to });
  });
  projection.adapters.forEach(({ start, a, b, scale }, i) => {
    const mark = temporary.mark;
    const g = columnsOf(gradient, start, b.value.rows);
    const e = temporary.matrix(x.rows, a.value.rows);
    program.product({ left: g, right: b.value, factor: scale, to: e });
    addTo(a.gradient, e, x);
    addTo(b.gradient, g, record[i]!);
    if (to) program.product({ left: e, right: a.value, to, addend: to });
    temporary.release(mark);
  });
}
