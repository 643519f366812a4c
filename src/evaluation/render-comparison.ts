/** The comparison as a person reads it: a row per protocol, a column per generator, differences with intervals. */
import type { Comparison, Difference, Protocol } from "./comparison.ts";
import { PROTOCOLS } from "./comparison.ts";
import type { Estimate } from "./statistics.ts";
import { renderTable, type TableOptions } from "./table.ts";

export interface RenderOptions {
  /** N and T of the search, for the headings. */
  readonly candidates: number;
  readonly turns: number;
  /** Places of a line, at most. Default: as many as it takes. */
  readonly width?: number;
}

export function renderComparison(comparison: Comparison, options: RenderOptions): string {
  const generators = [...new Set(comparison.solveRates.map(({ generator }) => generator))];
  const label = (protocol: string): string => protocolLabel(protocol as Protocol, options);
  const rateRows = PROTOCOLS.map((protocol) => [
    label(protocol),
    ...generators.map((generator) => {
      const rate = comparison.solveRates.find((one) => one.generator === generator && one.protocol === protocol);
      return rate ? showRate(rate.solved) : undefined;
    }),
  ]).filter((row) => row.some((cell, index) => index > 0 && cell !== undefined));
  const columns = [
    `solved of ${comparison.taskCount} held-out tasks, % [95 %]`,
    ...generators.map((header) => ({ header, align: "right" as const })),
  ];
  const table = (heads: TableOptions["columns"], rows: TableOptions["rows"]): string =>
    renderTable({ columns: heads, rows, width: options.width });
  const blocks = [table(columns, rateRows)];

  const between = comparison.differences.filter(({ of }) => of === "generator");
  const pairs = [...new Set(between.map(({ before, after }) => `${after} − ${before}`))];
  if (between.length > 0) {
    const rows = PROTOCOLS.map((protocol) => [
      label(protocol),
      ...pairs.map((pair) => {
        const found = between.find((one) => `${one.after} − ${one.before}` === pair && one.under === protocol);
        return found && showDifference(found.difference);
      }),
    ]).filter((row) => row.some((cell, index) => index > 0 && cell !== undefined));
    blocks.push(
      table(
        ["difference, points [95 %, paired]", ...pairs.map((header) => ({ header, align: "right" as const }))],
        rows,
      ),
    );
  }

  const steps = comparison.differences.filter(({ of }) => of === "protocol");
  if (steps.length > 0) {
    const names = [...new Set(steps.map((step) => stepName(step, label)))];
    const rows = names.map((name) => [
      name,
      ...generators.map((generator) => {
        const found = steps.find((step) => stepName(step, label) === name && step.under === generator);
        return found && showDifference(found.difference);
      }),
    ]);
    blocks.push(table(["what each part adds, points [95 %, paired]", ...columns.slice(1)], rows));
  }

  if (comparison.verifier.length > 0) {
    blocks.push(
      table(
        ["verifier on held-out tasks, programs by", "programs", "AUC", "ranking accuracy", "… public-passing"],
        comparison.verifier.map((one) => [
          one.generator,
          one.programs,
          one.auc?.toFixed(2),
          one.ranking ? `${one.ranking.accuracy.toFixed(2)} (${one.ranking.taskCount} tasks)` : undefined,
          one.rankingAmongPublicPassing
            ? `${one.rankingAmongPublicPassing.accuracy.toFixed(2)} (${one.rankingAmongPublicPassing.taskCount} tasks)`
            : undefined,
        ]),
      ),
    );
  }
  const failed = Object.entries(comparison.failures).filter(([, count]) => count > 0);
  for (const [generator, count] of failed) {
    const refused = comparison.refused[generator] ?? 0;
    const why = refused > 0 ? `, ${refused} of them refused by the server` : "";
    blocks.push(`Left out of the rates of ${generator}, as they could not be evaluated: ${count} of the tasks${why}.`);
  }
  return blocks.join("\n\n");
}

function protocolLabel(protocol: Protocol, { candidates, turns }: RenderOptions): string {
  if (protocol === "greedy-single-turn") return "greedy, single turn";
  if (protocol === "greedy-multi-turn") return `greedy, ${turns} turns`;
  return `best of ${candidates}, ${turns} turns: ${protocol}${protocol === "oracle" ? " (bound)" : ""}`;
}

function stepName({ before, after }: Difference, label: (protocol: string) => string): string {
  const short = (protocol: string): string => label(protocol).replace(/^best of .*: /, "");
  return `${short(after)} − ${short(before)}`;
}

/** `62.0 [55.5, 68.1]`, per cent. */
export function showRate({ mean, low, high }: Estimate): string {
  return `${percent(mean)} [${percent(low)}, ${percent(high)}]`;
}

/** `+3.1 [−0.4, +6.6]`, percentage points. */
export function showDifference({ mean, low, high }: Estimate): string {
  return `${signed(mean)} [${signed(low)}, ${signed(high)}]`;
}

/** One decimal, without the sign. */
export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** Percentage points with their sign, one decimal. */
export function signed(share: number): string {
  const text = percent(Math.abs(share));
  return Number(text) === 0 ? "0.0" : `${share < 0 ? "−" : "+"}${text}`;
}
