/** Tables as plain text with aligned columns, for terminals and logs. */

export type Cell = string | number | undefined;

export interface TableColumn {
  readonly header: string;
  /** Default: right when every filled cell is or begins with a number, left otherwise. */
  readonly align?: "left" | "right";
}

export interface TableOptions {
  readonly columns: readonly (TableColumn | string)[];
  /** `rows[rowIndex][columnIndex]`; `undefined` and missing cells show as `–`. */
  readonly rows: readonly (readonly Cell[])[];
  /** Put before every line. Default empty. */
  readonly indent?: string;
}

/**
 * Header, rule and rows, columns two spaces apart, without a final newline. Widths are those of a terminal: wide
 * characters take two places, combining marks and colour codes none. Line breaks in cells become spaces.
 */
export function renderTable(options: TableOptions): string {
  const { rows, indent = "" } = options;
  const columns = options.columns.map((column) => (typeof column === "string" ? { header: column } : column));
  const cells = rows.map((row) => columns.map((_, index) => show(row[index])));
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.header), ...cells.map((row) => displayWidth(row[index] as string))),
  );
  const aligns = columns.map((column, index) => column.align ?? defaultAlign(rows.map((row) => row[index])));
  const line = (row: readonly string[]): string => {
    const padded = row.map((cell, index) => pad(cell, widths[index] as number, aligns[index] as "left" | "right"));
    return `${indent}${padded.join("  ")}`.trimEnd();
  };
  const rule = `${indent}${widths.map((width) => "─".repeat(width)).join("  ")}`;
  return [line(columns.map(({ header }) => header)), rule, ...cells.map(line)].join("\n");
}

/** Places that a text takes in a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text.replace(colourCodes, ""))) width += graphemeWidth(segment);
  return width;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
// eslint-disable-next-line no-control-regex -- ESC is what begins a colour code
const colourCodes = /\u001b\[[0-9;]*m/g;
const emoji = /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|[\d#*]\uFE0F\u20E3)/u;
/** East Asian wide and full-width blocks (Unicode UAX 11), which hold nothing narrow. */
const wide =
  /^[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{17000}-\u{18CFF}\u{1B000}-\u{1B2FF}\u{20000}-\u{3FFFD}]/u;
const invisible = /^[\p{Mark}\p{Control}\p{Format}]+$/u;

function graphemeWidth(grapheme: string): number {
  if (invisible.test(grapheme)) return 0;
  return emoji.test(grapheme) || wide.test(grapheme) ? 2 : 1;
}

function show(cell: Cell): string {
  return cell === undefined || cell === "" ? "–" : String(cell).replace(/\s*[\r\n]+\s*/g, " ");
}

function defaultAlign(cells: readonly Cell[]): "left" | "right" {
  const filled = cells.filter((cell) => cell !== undefined && cell !== "" && cell !== "–");
  const numeric = filled.every((cell) => typeof cell === "number" || /^[+\-−±]?\.?\d/.test(cell as string));
  return filled.length > 0 && numeric ? "right" : "left";
}

function pad(cell: string, width: number, align: "left" | "right"): string {
  const space = " ".repeat(width - displayWidth(cell));
  return align === "right" ? space + cell : cell + space;
}
