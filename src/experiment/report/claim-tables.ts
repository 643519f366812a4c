/** Verdicts and the comparisons behind them as tables. */
import { showDifference, signed } from "../../evaluation/render-comparison.ts";
import type { Cell } from "../../evaluation/table.ts";
import type { Claim, Comparison } from "./claims.ts";
import { left, right, showSeeds, type ReportTable } from "./tables.ts";

export function verdictTable(claims: readonly Claim[]): ReportTable {
  return {
    id: "verdicts",
    title: "The paper's claims",
    columns: [left("claim"), left("what the paper says"), left("here")],
    rows: claims.map((claim) => [String(claim.number), claim.statement, describeVerdict(claim)]),
  };
}

/** The verdict rests on each comparison's own interval; says so where adjusting for the family would undo it. */
export function describeVerdict({ verdict, deciding }: Claim): string {
  const survives = deciding.every(({ adjustedPValue }) => adjustedPValue !== null && adjustedPValue < 0.05);
  return verdict === "holds" && !survives ? "holds (not at 5 % once adjusted for all comparisons)" : verdict;
}

export function decidingTable(claims: readonly Claim[]): ReportTable {
  const deciding = claims.flatMap((claim) => claim.deciding.map((one) => ({ ...one, claim })));
  return {
    id: "deciding",
    title: `The comparisons that decide, points [95 %]`,
    columns: [
      left("claim"),
      left("comparison"),
      right("difference"),
      left("by seed"),
      left("verdict"),
      right("p"),
      right("p, Holm"),
      left("paper"),
    ],
    rows: deciding.map((one) => [
      String(one.claim.number),
      one.label,
      ...measuredCells(one),
      one.verdict,
      showPValue(one.measured?.pValue),
      showPValue(one.adjustedPValue ?? undefined),
      one.paper ?? "no figure",
    ]),
    note: `These ${deciding.length} comparisons are one family: intervals and p are of each alone, the last p is adjusted for all that were run (Holm).`,
  };
}

export function exploratoryTable(claims: readonly Claim[]): ReportTable {
  return {
    id: "exploratory",
    title: "Exploratory comparisons: they decide nothing, and are adjusted for nothing, points [95 %]",
    columns: [left("claim"), left("comparison"), right("difference"), left("by seed"), right("p"), left("paper")],
    rows: claims.flatMap(({ number, exploratory }) =>
      exploratory.map((one) => [
        String(number),
        one.label,
        ...measuredCells(one),
        showPValue(one.measured?.pValue),
        one.paper ?? undefined,
      ]),
    ),
  };
}

function measuredCells({ measured }: Comparison): [difference: Cell, bySeed: Cell] {
  if (measured === null) return ["not run", undefined];
  return [showDifference(measured.estimate), showSeeds(measured.perSeed, signed)];
}

function showPValue(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}
