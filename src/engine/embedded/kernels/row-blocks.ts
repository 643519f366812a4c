/** Rows go through neighbouring products in blocks, so that what lies between them takes little memory. */

/** So many rows that packing a matrix for their product costs little. */
const BLOCK_ROWS = 1024;

/** A run of rows. */
export interface RowBlock {
  readonly start: number;
  readonly count: number;
}

export function rowBlocks(rows: number, most = BLOCK_ROWS): RowBlock[] {
  const count = Math.ceil(rows / most);
  const bound = (index: number): number => Math.round((index * rows) / count);
  return Array.from({ length: count }, (_, i) => ({ start: bound(i), count: bound(i + 1) - bound(i) }));
}
