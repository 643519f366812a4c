/**
 * Solve rates after each turn. What a search does at a turn depends on the turns before alone, so the first t turns of a
 * search of T are the search of t: one run gives the results of every number of turns, the single turn among them.
 */
import type { SelectionRule } from "../search/selection-rules.ts";
import type { GeneratorEvaluation, TaskEvaluation } from "./evaluate-generator.ts";
import { estimateMean, type Estimate } from "./statistics.ts";
import { renderTable } from "./table.ts";

/** `greedy`: one greedy conversation. A rule: best of N at each turn; `random` is one sampled conversation. */
export type Conversations = "greedy" | SelectionRule;

export interface SolveRateByTurn {
  readonly conversations: Conversations;
  /** Most turns allowed, from 1. */
  readonly turns: number;
  /** Share of tasks solved by all tests. */
  readonly solved: Estimate;
}

const ORDER: readonly Conversations[] = [
  "greedy",
  "random",
  "public-tests",
  "verifier",
  "public-tests-then-verifier",
  "oracle",
];

/** For every kind of conversation that was evaluated and every number of turns up to `turns`. */
export function solveRatesByTurn(
  { tasks }: Pick<GeneratorEvaluation, "tasks">,
  options: { readonly turns: number; readonly seed: number },
): SolveRateByTurn[] {
  return ORDER.flatMap((conversations) => {
    const outcomes = tasks.map((record) => outcomesOf(record, conversations)).filter((found) => found !== undefined);
    if (outcomes.length === 0) return [];
    return Array.from({ length: options.turns }, (_, index): SolveRateByTurn => {
      // A conversation that has ended by then stays as it ended.
      const solved = outcomes.map((byTurn) => Number(byTurn[Math.min(index, byTurn.length - 1)]));
      return { conversations, turns: index + 1, solved: estimateMean(solved, { seed: options.seed }) };
    });
  });
}

function outcomesOf(record: TaskEvaluation, conversations: Conversations): readonly boolean[] | undefined {
  return (conversations === "greedy" ? record.greedy : record.search[conversations])?.outcomes;
}

export function renderByTurn(
  rates: readonly SolveRateByTurn[],
  { candidates, width }: { readonly candidates: number; readonly width?: number },
): string {
  const turns = Math.max(...rates.map((rate) => rate.turns));
  const kinds = [...new Set(rates.map(({ conversations }) => conversations))];
  const percent = (share: number): string => (100 * share).toFixed(1);
  const rows = kinds.map((kind) => [
    labelOf(kind, candidates),
    ...rates
      .filter(({ conversations }) => conversations === kind)
      .map(({ solved: { mean, low, high } }) => `${percent(mean)} [${percent(low)}, ${percent(high)}]`),
  ]);
  const headers = Array.from({ length: turns }, (_, index) => (index === 0 ? "1 turn" : `${index + 1} turns`));
  return renderTable({
    columns: ["solved within, % [95 %]", ...headers.map((header) => ({ header, align: "right" as const }))],
    rows,
    width,
  });
}

function labelOf(kind: Conversations, candidates: number): string {
  if (kind === "greedy") return "greedy";
  if (kind === "random") return "one sample (random)";
  return `best of ${candidates}: ${kind}${kind === "oracle" ? " (bound)" : ""}`;
}
