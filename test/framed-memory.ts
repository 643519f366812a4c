/**
 * Memory for the tests of kernels: matrices among guard values, which are not numbers. A kernel that reads one of them has
 * it in its results, and one that writes there is found out.
 */
import type { Matrix, Values } from "../src/engine/embedded/kernels/matrix.ts";
import type { Random } from "../src/random.ts";

/** The bits of guard values, a NaN that no arithmetic makes. */
const GUARD = 0x7fc5a5a5;

const bitsIn = ({ buffer, byteOffset, length }: Float32Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length);

/** A matrix, or so many values if there is no gap between its rows. */
export type Framed = Matrix & Values;

/** A number from the standard normal distribution (Box and Muller). */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Guards around rows * columns, and `gap` of them between rows; guards inside as well where nothing fills it. */
export function framed(rows: number, columns: number, fill?: () => number, options?: { readonly gap: number }): Framed {
  const offset = 35;
  const stride = columns + (options?.gap ?? 0);
  const data = new Float32Array(offset + rows * stride + 37);
  bitsIn(data).fill(GUARD);
  if (fill) {
    for (let at = 0; at < rows * columns; at++)
      data[offset + Math.floor(at / columns) * stride + (at % columns)] = fill();
  }
  return { data, offset, rows, columns, stride, length: rows * columns };
}

/** A matrix's values, row by row. */
export function valuesIn({ data, offset, rows, columns, stride }: Matrix): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const start = offset + i * stride;
    values.set(data.subarray(start, start + columns), i * columns);
  }
  return values;
}

/** Their bits, to compare. */
export const bitsOf = (matrix: Matrix): Uint32Array => bitsIn(valuesIn(matrix));

/** How many guards around and between the rows have been written. */
export function strayWrites({ data, offset, rows, columns, stride }: Matrix): number {
  return bitsIn(data).reduce((count, bits, at) => {
    const row = Math.floor((at - offset) / stride);
    const isInside = at >= offset && row < rows && at - offset - row * stride < columns;
    return count + (!isInside && bits !== GUARD ? 1 : 0);
  }, 0);
}

/** Sums in double precision, and of what they are made: the measure of the error that single precision may have. */
export class ReferenceSums {
  readonly values: Float64Array;
  readonly magnitudes: Float64Array;

  constructor(length: number) {
    this.values = new Float64Array(length);
    this.magnitudes = new Float64Array(length);
  }

  add(at: number, term: number, magnitude: number = Math.abs(term)): void {
    this.values[at]! += term;
    this.magnitudes[at]! += magnitude;
  }

  /** To the values from `at` on, `factor` times so many of `terms` from `from` on. */
  addScaled(at: number, factor: number, terms: Float32Array, from: number, count: number): void {
    const { values, magnitudes } = this;
    for (let j = 0; j < count; j++) {
      const term = factor * terms[from + j]!;
      values[at + j]! += term;
      magnitudes[at + j]! += Math.abs(term);
    }
  }
}

/** 2^-23 */
const ULP = 2 ** -23;

/** The largest error of all values, in units in the last place of what they are sums of; NaN if any is NaN. */
export function worstError(found: Float32Array, expected: ReferenceSums): number {
  if (found.length !== expected.values.length) return Number.NaN;
  return found.reduce((worst, value, at) => {
    const error = Math.abs(value - expected.values[at]!);
    return Math.max(worst, error / (ULP * expected.magnitudes[at]! + 1e-37));
  }, 0);
}
