/** Verdicts and the comparisons behind them as tables. */
import { showDifference, signed } from "../../evaluation/render-comparison.ts";
import type { Cell } from "../../evaluation/table.ts";
import { SMALLEST_GAIN, type Claim, type Comparison, type DecidingComparison, type Verdict } from "./claims.ts";
import { left, right, showSeeds, type ReportTable } from "./tables.ts";

export function verdictTable(claims: readonly Claim[]): ReportTable {
  return {
    id: "verdicts",
    title: "The paper's claims",
    columns: [left("claim"), left("what the paper says"), left("here")],
    rows: claims.map((claim) => [String(claim.number), claim.statement, describeVerdict(claim)]),
  };
}

/**
 * The verdict rests on each comparison's own interval over tasks; says so where adjusting for the family would undo it,
 * or where other seeds might.
 */
export function describeVerdict({ verdict, deciding }: Claim): string {
  const doubts = doubtsAbout(verdict, deciding);
  return doubts.length === 0 ? verdict : `${verdict} (${doubts.join("; ")})`;
}

function doubtsAbout(verdict: Verdict, deciding: readonly DecidingComparison[]): string[] {
  const doubts: string[] = [];
  if (verdict === "holds") {
    if (!deciding.every(({ adjustedPValue }) => adjustedPValue !== null && adjustedPValue < 0.05)) {
      doubts.push("not at 5 % once adjusted for all comparisons");
    }
    if (!deciding.every(({ measured }) => (measured?.overSeeds?.low ?? 0) > 0)) doubts.push("other seeds may differ");
  }
  if (verdict === "does not hold") {
    const failing = deciding.filter((one) => one.verdict === verdict);
    if (!failing.some(({ measured }) => (measured?.overSeeds?.high ?? Infinity) < SMALLEST_GAIN)) {
      doubts.push("other seeds may differ");
    }
  }
  return doubts;
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
      right("over seeds too"),
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
    note:
      `These ${deciding.length} comparisons are one family: intervals and p are of each alone, the last p is adjusted ` +
      "for all that were run (Holm). The first interval is over tasks, with the generators that these seeds trained; the " +
      "second (two-way clustering, Student's t) is over other seeds as well, which would draw other training tasks.",
  };
}

export function exploratoryTable(claims: readonly Claim[]): ReportTable {
  return {
    id: "exploratory",
    title: "Exploratory comparisons: they decide nothing, and are adjusted for nothing, points [95 %]",
    columns: [
      left("claim"),
      left("comparison"),
      right("difference"),
      right("over seeds too"),
      left("by seed"),
      right("p"),
      left("paper"),
    ],
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

function measuredCells({ measured }: Comparison): [difference: Cell, overSeeds: Cell, bySeed: Cell] {
  if (measured === null) return ["not run", undefined, undefined];
  const { estimate, overSeeds, perSeed } = measured;
  const interval = overSeeds === null ? undefined : `[${signed(overSeeds.low)}, ${signed(overSeeds.high)}]`;
  return [showDifference(estimate), interval, showSeeds(perSeed, signed)];
}

function showPValue(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}
