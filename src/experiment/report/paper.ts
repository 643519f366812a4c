/**
 * The paper's own figures ("Multi-Turn Code Generation Through Single-Step Rewards", ICML 2025, arXiv 2502.20380v2), per
 * cent solved, beside which the report puts what was measured. The paper gives no intervals.
 */

export type Benchmark = "1B MBPP" | "1B HumanEval" | "8B MBPP" | "8B HumanEval" | "8B CodeContests";

export const BENCHMARKS = [
  "1B MBPP",
  "1B HumanEval",
  "8B MBPP",
  "8B HumanEval",
  "8B CodeContests",
] as const satisfies readonly Benchmark[];

/** In the order of {@link BENCHMARKS}; N = 1 is greedy, `bestOf5` is N = 5 by PT+LV; T = 3 but for `singleTurn`. */
interface MethodFigures {
  readonly singleTurn?: readonly number[];
  readonly multiTurn: readonly number[];
  readonly bestOf5: readonly number[];
}

export const PAPER_METHODS = {
  base: {
    singleTurn: [35.1, 25.6, 52.1, 59.8, 3.6],
    multiTurn: [35.1, 31.1, 60.3, 59.7, 4.8],
    bestOf5: [47.3, 35.7, 69.7, 62.9, 13.8],
  },
  rft: { multiTurn: [31.1, 31.7, 58.9, 61.2, 7.2], bestOf5: [46.7, 34.1, 68.4, 62.8, 14.9] },
  mucode: { multiTurn: [37.9, 35.4, 62.1, 60.9, 7.9], bestOf5: [51.1, 41.5, 70.6, 63.8, 16.3] },
} as const satisfies Record<string, MethodFigures>;

/** µCode 1B, N = 5. */
export const PAPER_RULES = {
  random: { "1B MBPP": 37.5, "1B HumanEval": 31.5 },
  verifier: { "1B MBPP": 43.3, "1B HumanEval": 36.5 },
  "public-tests": { "1B MBPP": 49.4, "1B HumanEval": 39.7 },
  "public-tests-then-verifier": { "1B MBPP": 51.1, "1B HumanEval": 41.5 },
} as const;

/** µCode 1B on MBPP, PT+LV; N = 1 is greedy. */
export const PAPER_BY_CANDIDATES: Readonly<Record<number, number>> = {
  1: 37.9,
  3: 47.1,
  5: 51.0,
  7: 53.0,
  9: 53.6,
  11: 55.1,
};

/** Relabelling by both, by outcome alone, by verifier alone: 1B on MBPP, N = 5 by PT+LV. */
export const PAPER_RELABELLING = { both: 51.1, outcome: 48.2, verifier: 48.5 } as const;

/** The difference as the report writes it, with what it is of. */
export function paperDifference(after: number, before: number, where: Benchmark): string {
  return `${signedPoints(after - before)} ${where}`;
}

/** Differences on every benchmark. */
export function paperDifferences(after: readonly number[], before: readonly number[]): string {
  return BENCHMARKS.map((where, index) => paperDifference(after[index] ?? NaN, before[index] ?? NaN, where)).join(", ");
}

function signedPoints(points: number): string {
  const text = Math.abs(points).toFixed(1);
  return Number(text) === 0 ? "0.0" : `${points < 0 ? "−" : "+"}${text}`;
}
