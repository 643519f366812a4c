/** A matrix, normalized by rows (or by heads, where the weight is shorter than a row), and the gradient of that. */
import { rowsOf, valuesOf, type Matrix, type Values } from "./matrix.ts";
import type { Trained } from "./projection.ts";
import type { Context } from "./training-program.ts";

export class Normed {
  readonly #context: Context;
  readonly #weight: Trained<Values>;
  readonly #x: Matrix;
  readonly #normed: Matrix;
  readonly #inverses: Values;

  /** Takes the memory for the norm of x; `write` writes it. */
  constructor(context: Context, weight: Trained<Values>, x: Matrix) {
    const { arena } = context;
    this.#context = context;
    this.#weight = weight;
    this.#x = x;
    this.#normed = arena.matrix(x.rows, x.columns);
    this.#inverses = arena.values(x.rows * this.#perRow);
  }

  /** Rows of the normalized matrix. */
  rows(start: number, count: number): Matrix {
    return rowsOf(this.#normed, start, count);
  }

  write(start: number, count: number): Matrix {
    const to = this.rows(start, count);
    this.#context.program.rmsNorm({
      x: rowsOf(this.#x, start, count),
      weight: this.#weight.value,
      epsilon: this.#context.config.rmsNormEpsilon,
      to,
      inverses: this.#inversesOf(start, count),
    });
    return to;
  }

  /** Writes the gradient of the rows of x from `start` on to `to`, or adds it, given that of their norm. */
  backward(gradient: Matrix, options: { readonly to: Matrix; readonly start: number; readonly add: boolean }): void {
    const { to, start, add } = options;
    this.#context.program.rmsNormBackward({
      x: rowsOf(this.#x, start, gradient.rows),
      weight: this.#weight.value,
      inverses: this.#inversesOf(start, gradient.rows),
      gradient,
      to,
      accumulate: add,
      weightGradient: this.#weight.gradient,
    });
  }

  get #perRow(): number {
    return this.#x.columns / this.#weight.value.length;
  }

  #inversesOf(start: number, count: number): Values {
    const { data, offset } = this.#inverses;
    return valuesOf(data, offset + start * this.#perRow, count * this.#perRow);
  }
}
