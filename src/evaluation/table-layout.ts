/** Which columns of a table stand side by side in a given width, and how wide each is. */
import { displayWidth } from "./display-width.ts";
import { hyphenated } from "./wrap.ts";

export interface MeasuredColumn {
  readonly header: string;
  readonly align: "left" | "right";
  /** One line each. */
  readonly cells: readonly string[];
  /** Names the rows: not made as narrow as other text. */
  readonly isName?: boolean;
}

type SizedColumn<C> = C & { readonly width: number };

const GAP = 2;
/** A column of text is not made narrower than this, nor than its longest word up to the last. */
const LEAST_TEXT = 14;
const LEAST_NAME = 21;
const LONGEST_WORD = 30;
/** The share of a line that the columns with the rows' names may take when others have to go into further blocks. */
const SHARE_OF_NAMES = 0.45;

/**
 * The blocks to be shown one below the other: all columns in one if they fit, wrapped or not; else as many as fit beside
 * the columns that tell the rows apart. `null` where not even one has room beside those.
 */
export function fitColumns<C extends MeasuredColumn>(
  columns: readonly C[],
  room: number,
): (readonly SizedColumn<C>[])[] | null {
  if (sum(columns, leastWidth) <= room) return [share(columns, room)];
  const nameCount = countNames(columns);
  const names = columns.slice(0, nameCount);
  const leastOfNames = sum(names, leastWidth);
  const wished = Math.max(leastOfNames, Math.min(sum(names, naturalWidth), Math.floor(SHARE_OF_NAMES * room)));
  for (const reserved of [wished, leastOfNames]) {
    const groups = pack(columns.slice(nameCount), room - reserved - GAP);
    if (groups !== null) return groups.map((group) => share([...names, ...group], room));
  }
  return null;
}

/** How many of the first columns it takes to tell the rows apart; 1 where that cannot be. */
function countNames(columns: readonly MeasuredColumn[]): number {
  const rows = columns[0]?.cells.length ?? 0;
  for (let count = 1; count < columns.length; count++) {
    const keys = Array.from({ length: rows }, (_, row) =>
      JSON.stringify(columns.slice(0, count).map(({ cells }) => cells[row])),
    );
    if (new Set(keys).size === rows) return count;
  }
  return 1;
}

/** Groups of neighbours, each at most so wide; `null` where a column is wider by itself. */
function pack<C extends MeasuredColumn>(columns: readonly C[], room: number): C[][] | null {
  const groups: C[][] = [];
  for (const column of columns) {
    if (leastWidth(column) > room) return null;
    const last = groups.at(-1);
    if (last !== undefined && sum([...last, column], leastWidth) <= room) last.push(column);
    else groups.push([column]);
  }
  return groups;
}

/** Every column has its natural width or, where that is too much in all, the widest have one that is as equal as can be. */
function share<C extends MeasuredColumn>(columns: readonly C[], room: number): SizedColumn<C>[] {
  const natural = columns.map(naturalWidth);
  const least = columns.map(leastWidth);
  const limited = (limit: number): number[] =>
    natural.map((width, index) => Math.min(width, Math.max(least[index]!, limit)));
  let limit = Math.max(...natural);
  while (limit > 1 && total(limited(limit)) > room) limit--;
  const widths = limited(limit);
  return columns.map((column, index) => ({ ...column, width: widths[index]! }));
}

function naturalWidth({ header, cells }: MeasuredColumn): number {
  return Math.max(displayWidth(header), ...cells.map(displayWidth));
}

/** Numbers stay whole; text and headers may be wrapped at spaces. */
function leastWidth(column: MeasuredColumn): number {
  const { header, align, cells, isName = false } = column;
  const natural = naturalWidth(column);
  if (align === "right") return Math.max(longestWord(header), ...cells.map(displayWidth));
  const least = isName ? LEAST_NAME : LEAST_TEXT;
  const words = Math.min(LONGEST_WORD, Math.max(longestWord(header), ...cells.map(longestWord)));
  return Math.min(natural, Math.max(least, words));
}

function longestWord(text: string): number {
  return Math.max(...text.split(" ").flatMap(hyphenated).map(displayWidth));
}

function sum(columns: readonly MeasuredColumn[], widthOf: (column: MeasuredColumn) => number): number {
  return total(columns.map(widthOf));
}

function total(widths: readonly number[]): number {
  return widths.reduce((all, width) => all + width, 0) + GAP * Math.max(0, widths.length - 1);
}
