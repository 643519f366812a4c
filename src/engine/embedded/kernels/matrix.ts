/** Matrices in flat memory, as kernels take them. */

/** float32 [rows, columns]; `stride` values from one row to the next. */
export interface Matrix {
  readonly data: Float32Array;
  /** Of the first value in `data`. */
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
}

/** A vector, or values in a layout of their own. */
export interface Values {
  readonly data: Float32Array;
  readonly offset: number;
  readonly length: number;
}

export const matrixOf = (data: Float32Array, rows: number, columns: number, offset = 0): Matrix => ({
  data,
  offset,
  rows,
  columns,
  stride: columns,
});

/** The columns from `start` on. */
export const columnsOf = (matrix: Matrix, start: number, count: number): Matrix => ({
  ...matrix,
  offset: matrix.offset + start,
  columns: count,
});

/** The rows from `start` on. */
export const rowsOf = (matrix: Matrix, start: number, count: number): Matrix => ({
  ...matrix,
  offset: matrix.offset + start * matrix.stride,
  rows: count,
});

export const valuesOf = (data: Float32Array, offset = 0, length = data.length - offset): Values => ({
  data,
  offset,
  length,
});
