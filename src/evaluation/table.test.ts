import { expect, test } from "vitest";
import { displayWidth } from "./display-width.ts";
import { renderTable } from "./table.ts";

test("text goes left, numbers go right, unknown cells show a dash", () => {
  const table = renderTable({
    columns: ["rule", "solved", "95 %"],
    rows: [
      ["random", "4.0 %", "[3.1, 5.2]"],
      ["public-tests", "41.5 %"],
      ["oracle", 7, ""],
    ],
  });
  expect(table).toBe(
    [
      "rule          solved  95 %",
      "────────────  ──────  ──────────",
      "random         4.0 %  [3.1, 5.2]",
      "public-tests  41.5 %  –",
      "oracle             7  –",
    ].join("\n"),
  );
});

test("signed numbers count as numbers, and an alignment given wins", () => {
  const table = renderTable({
    columns: [{ header: "change" }, { header: "n", align: "left" }],
    rows: [
      ["+12.0", 10],
      ["−3.5", 7],
    ],
    indent: "  ",
  });
  expect(table.split("\n")).toEqual(["  change  n", "  ──────  ──", "   +12.0  10", "    −3.5  7"]);
});

test("columns stay aligned with wide, combining and coloured text, and with line breaks in cells", () => {
  const cells = ["plain", "日本語", "e\u0301te\u0301", "👩‍👩‍👧 ok", "\u001b[31mred\u001b[0m", "two\n lines", "µCode"];
  const lines = renderTable({ columns: ["x", "n"], rows: cells.map((cell) => [cell, 1]) }).split("\n");
  expect(new Set(lines.map(displayWidth)).size).toBe(1);
  expect(cells.map(displayWidth)).toEqual([5, 6, 3, 5, 3, 9, 5]);
});

test("no rows leave the header and its rule", () => {
  expect(renderTable({ columns: ["a", "bc"], rows: [] })).toBe("a  bc\n─  ──");
});
