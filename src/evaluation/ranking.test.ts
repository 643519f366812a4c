import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { auc, bestOfK, lexicographicScores, passAtK, rankingAccuracy, type ScoredOutcome } from "./ranking.ts";

const program = (score: number, outcome: boolean): ScoredOutcome => ({ score, outcome });

/** Few different scores, so that ties are common. */
const programs = (maxLength: number): fc.Arbitrary<ScoredOutcome[]> =>
  fc.array(fc.record({ score: fc.integer({ min: -2, max: 2 }), outcome: fc.boolean() }), { minLength: 1, maxLength });

/** Seeded, so that every run tries the same. */
function check<T>(property: fc.IProperty<T>): void {
  fc.assert(property, { seed: 1, numRuns: 200 });
}

function subsets<T>(items: readonly T[], k: number): T[][] {
  if (k === 0) return [[]];
  return items.flatMap((item, index) => subsets(items.slice(index + 1), k - 1).map((rest) => [item, ...rest]));
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("pass@k", () => {
  test("matches hand-computed values (n = 5, right = 2)", () => {
    expect(passAtK({ n: 5, right: 2, k: 1 })).toBeCloseTo(2 / 5, 12);
    expect(passAtK({ n: 5, right: 2, k: 2 })).toBeCloseTo(7 / 10, 12);
    expect(passAtK({ n: 5, right: 2, k: 3 })).toBeCloseTo(9 / 10, 12);
    expect(passAtK({ n: 5, right: 2, k: 4 })).toBe(1);
    expect(passAtK({ n: 5, right: 0, k: 5 })).toBe(0);
  });

  test("is undefined when fewer than k programs were drawn", () => {
    expect(passAtK({ n: 4, right: 4, k: 5 })).toBeUndefined();
  });

  test("does not overflow for large n", () => {
    expect(passAtK({ n: 10_000, right: 1, k: 100 })).toBeCloseTo(0.01, 10);
  });

  test("refuses counts that cannot be", () => {
    expect(() => passAtK({ n: 3, right: 4, k: 1 })).toThrow(RangeError);
    expect(() => passAtK({ n: 3, right: 1, k: 0 })).toThrow(RangeError);
  });
});

describe("best-of-k", () => {
  test("matches hand-computed values", () => {
    // Pairs of {3 wrong, 2 right, 1 wrong}: the best is 3 in two of three pairs and 2 in one.
    const three = [program(3, false), program(2, true), program(1, false)];
    expect(bestOfK(three, 1)).toBeCloseTo(1 / 3, 12);
    expect(bestOfK(three, 2)).toBeCloseTo(1 / 3, 12);
    expect(bestOfK(three, 3)).toBe(0);
    expect(bestOfK(three, 4)).toBeUndefined();
    expect(bestOfK([program(-Infinity, true), program(-Infinity, false)], 2)).toBe(0.5);
    expect(() => bestOfK([program(Number.NaN, true)], 1)).toThrow(RangeError);
  });

  test("equals the mean over all draws of k, ties broken evenly", () => {
    check(
      fc.property(programs(7), fc.integer({ min: 1, max: 7 }), (candidates, k) => {
        fc.pre(k <= candidates.length);
        const perDraw = subsets(candidates, k).map((draw) => {
          const top = Math.max(...draw.map(({ score }) => score));
          return mean(draw.filter(({ score }) => score === top).map(({ outcome }) => Number(outcome)));
        });
        expect(bestOfK(candidates, k)).toBeCloseTo(mean(perDraw), 10);
      }),
    );
  });

  test("under the outcome itself is pass@k, and lies between 0 and pass@k under any ranking", () => {
    check(
      fc.property(programs(12), fc.integer({ min: 1, max: 12 }), (candidates, k) => {
        const right = candidates.filter(({ outcome }) => outcome).length;
        const bound = passAtK({ n: candidates.length, right, k });
        const oracle = candidates.map(({ outcome }) => program(Number(outcome), outcome));
        const chosen = bestOfK(candidates, k);
        fc.pre(bound !== undefined);
        expect(bestOfK(oracle, k)).toBeCloseTo(bound, 10);
        expect(chosen).toBeGreaterThanOrEqual(-1e-12);
        expect(chosen).toBeLessThanOrEqual(bound + 1e-12);
      }),
    );
  });

  test("of one, and under equal scores, is the share of right programs", () => {
    check(
      fc.property(programs(10), (candidates) => {
        const share = mean(candidates.map(({ outcome }) => Number(outcome)));
        expect(bestOfK(candidates, 1)).toBeCloseTo(share, 10);
        const equal = candidates.map(({ outcome }) => program(0, outcome));
        expect(bestOfK(equal, candidates.length)).toBeCloseTo(share, 10);
      }),
    );
  });
});

describe("AUC and ranking accuracy", () => {
  test("match hand-computed values with ties", () => {
    // Pairs: 3>2, 3>1, 2=2 (half), 2>1: 3.5 of 4.
    const candidates = [program(3, true), program(2, true), program(2, false), program(1, false)];
    expect(auc(candidates)).toBe(3.5 / 4);
    const perfect = [program(1, true), program(0, false)];
    expect(rankingAccuracy([candidates, perfect, [program(1, true)], [program(9, false)], []])).toEqual({
      accuracy: (3.5 / 4 + 1) / 2,
      taskCount: 2,
    });
    expect(rankingAccuracy([[program(1, true)]])).toBeUndefined();
    expect(auc([])).toBeUndefined();
  });

  test("equal a count over all pairs, and turn to 1 − AUC under reversed scores", () => {
    check(
      fc.property(programs(20), (candidates) => {
        const right = candidates.filter(({ outcome }) => outcome);
        const wrong = candidates.filter(({ outcome }) => !outcome);
        const pairs = right.flatMap((a) => wrong.map((b) => (a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0)));
        fc.pre(pairs.length > 0);
        expect(auc(candidates)).toBeCloseTo(mean(pairs), 10);
        const reversed = candidates.map(({ score, outcome }) => program(-score, outcome));
        expect(auc(reversed)).toBeCloseTo(1 - mean(pairs), 10);
      }),
    );
  });
});

describe("lexicographic scores", () => {
  test("rank by the first key, then by the second; equal keys are equal", () => {
    const keys = [
      [1, -5],
      [0, 9],
      [1, 2],
      [0, 9],
    ];
    expect(lexicographicScores(keys)).toEqual([1, 0, 2, 0]);
    expect(lexicographicScores([])).toEqual([]);
    expect(() => lexicographicScores([[Number.NaN]])).toThrow(RangeError);
  });

  test("agree with comparing the keys, for every pair", () => {
    const key = fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: -2, max: 2 }));
    check(
      fc.property(fc.array(key, { maxLength: 12 }), (keys) => {
        const scores = lexicographicScores(keys);
        for (const [i, a] of keys.entries()) {
          for (const [j, b] of keys.entries()) {
            const expected = Math.sign(a[0] - b[0]) || Math.sign(a[1] - b[1]);
            expect(Math.sign((scores[i] as number) - (scores[j] as number))).toBe(expected);
          }
        }
      }),
    );
  });
});
