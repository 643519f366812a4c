/** Rows go through neighbouring products in blocks, so that what lies between them stays in the processor's cache. */

const BLOCK_ROWS = 256;

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
