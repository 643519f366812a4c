/** Tables as plain text with aligned columns, for terminals and logs. */
import { displayWidth } from "./display-width.ts";
import { fitColumns, type MeasuredColumn } from "./table-layout.ts";
import { wrapText, wrapWords } from "./wrap.ts";

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
  /** Places of a line, at most. Default: as many as the table takes. */
  readonly width?: number | undefined;
}

/**
 * Header, rule and rows, columns two spaces apart, without a final newline. Widths are those of a terminal: wide
 * characters take two places, combining marks and colour codes none. Line breaks in cells become spaces.
 *
 * Where `width` is too small, text in cells is wrapped; where that is not enough the table is cut into blocks, each with
 * the columns that tell the rows apart; where not even one column has room beside those, every row is a list.
 */
export function renderTable(options: TableOptions): string {
  const { rows, indent = "", width = Infinity } = options;
  const columns = options.columns.map((given, index): MeasuredColumn => {
    const { header, align = defaultAlign(rows.map((row) => row[index])) } =
      typeof given === "string" ? { header: given } : given;
    return { header, align, cells: rows.map((row) => show(row[index])), isName: index === 0 };
  });
  const room = width - displayWidth(indent);
  const blocks = fitColumns(columns, room);
  const lines =
    blocks === null
      ? renderLists(columns, room)
      : blocks.flatMap((block, index) => [...(index > 0 ? [""] : []), ...renderBlock(block)]);
  return lines.map((line) => `${indent}${line}`.trimEnd()).join("\n");
}

type SizedColumn = MeasuredColumn & { readonly width: number };

function renderBlock(columns: readonly SizedColumn[]): string[] {
  const rowCount = columns[0]?.cells.length ?? 0;
  const rows = Array.from({ length: rowCount }, (_, row) => renderRow(columns, (column) => column.cells[row]!));
  return [
    ...renderRow(columns, ({ header }) => header),
    columns.map(({ width }) => "─".repeat(width)).join("  "),
    ...rows.flat(),
  ];
}

/** As many lines as its longest cell. What goes on in the first column is set in, so that rows can be told apart. */
function renderRow(columns: readonly SizedColumn[], textOf: (column: SizedColumn) => string): string[] {
  const cells = columns.map((column, index) => {
    const text = textOf(column);
    if (displayWidth(text) <= column.width) return [text];
    const hang = index === 0 && column.width > 8 ? 2 : 0;
    const [first = "", ...more] = wrapWords(text, column.width - hang, { breakWords: true });
    return [first, ...more.map((line) => " ".repeat(hang) + line)];
  });
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    columns.map(({ width, align }, index) => pad(cells[index]![line] ?? "", width, align)).join("  "),
  );
}

function renderLists([first, ...others]: readonly MeasuredColumn[], width: number): string[] {
  const lines = (first?.cells ?? []).flatMap((name, row) => [
    name,
    ...others.flatMap(({ header, cells }) => (cells[row] === MISSING ? [] : [`  ${header}  ${cells[row]}`])),
  ]);
  return lines.flatMap((line) => wrapText(line, width).split("\n")).flatMap((line) => broken(line, width));
}

/** A word that is wider than everything. */
function broken(line: string, width: number): string[] {
  return displayWidth(line) <= width ? [line] : wrapWords(line.trim(), width, { breakWords: true });
}

const MISSING = "–";

function show(cell: Cell): string {
  return cell === undefined || cell === "" ? MISSING : String(cell).replace(/\s*[\r\n]+\s*/g, " ");
}

function defaultAlign(cells: readonly Cell[]): "left" | "right" {
  const filled = cells.filter((cell) => cell !== undefined && cell !== "" && cell !== MISSING);
  const numeric = filled.every((cell) => typeof cell === "number" || /^[+\-−±]?\.?\d/.test(cell as string));
  return filled.length > 0 && numeric ? "right" : "left";
}

function pad(cell: string, width: number, align: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(cell)));
  return align === "right" ? space + cell : cell + space;
}
