import { describe, expect, it } from "vitest";
import type { ExperimentResults } from "../results.ts";
import { combineVerdicts, judgeClaims, SMALLEST_GAIN, verdictOf } from "./claims.ts";
import { bestOfFive, greedy, madeUpInfo, noResults, outcomesOf } from "../../../test/made-up-experiment.ts";

const interval = (low: number, high: number, taskCount = 1000) =>
  ({ mean: (low + high) / 2, low, high, taskCount, method: "bootstrap" }) as const;

describe("a verdict", () => {
  it("holds only when the interval lies above 0", () => {
    expect(verdictOf(interval(0.0001, 0.2))).toBe("holds");
    expect(verdictOf(interval(0, 0.2))).toBe("cannot be told");
    expect(verdictOf(interval(0.001, 0.01))).toBe("holds");
  });

  it("does not hold only when the interval lies below the smallest gain worth having", () => {
    expect(verdictOf(interval(-0.02, SMALLEST_GAIN - 0.0001))).toBe("does not hold");
    expect(verdictOf(interval(-0.02, SMALLEST_GAIN))).toBe("cannot be told");
    expect(verdictOf(interval(-0.2, -0.1))).toBe("does not hold");
  });

  it("is not taken from an interval that is a point for want of tasks", () => {
    expect(verdictOf(interval(0, 0, 200))).toBe("cannot be told");
    expect(verdictOf(interval(0, 0, 201))).toBe("does not hold");
  });

  it("on several parts holds when all hold, and fails when one fails", () => {
    expect(combineVerdicts(["holds", "holds"])).toBe("holds");
    expect(combineVerdicts(["holds", "cannot be told"])).toBe("cannot be told");
    expect(combineVerdicts(["not run", "cannot be told"])).toBe("not run");
    expect(combineVerdicts(["does not hold", "not run"])).toBe("does not hold");
  });
});

describe("the five claims", () => {
  const many = (count: number, turn: number) => Array.from({ length: count }, () => turn);
  const results: ExperimentResults = {
    ...noResults,
    outcomes: [
      outcomesOf("rft", 1, greedy, [...many(50, 1), ...many(50, 0)]),
      outcomesOf("mucode", 1, greedy, [...many(80, 1), ...many(20, 0)]),
      outcomesOf("mucode", 1, bestOfFive, [...many(80, 1), ...many(20, 0)]),
      outcomesOf("mucode-outcome", 1, bestOfFive, [...many(90, 1), ...many(10, 0)]),
      outcomesOf("mucode-verifier", 1, bestOfFive, [...many(70, 1), ...many(30, 0)]),
    ],
  };
  const claims = judgeClaims(results, madeUpInfo);
  const claim = (number: number) => claims[number - 1]!;

  it("rest on seven deciding comparisons", () => {
    expect(claims.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
    expect(claims.flatMap(({ deciding }) => deciding)).toHaveLength(7);
  });

  it("get a verdict with the difference, its seeds and the paper's figure", () => {
    expect(claim(1).verdict).toBe("holds");
    const [decider] = claim(1).deciding;
    expect(decider?.measured?.estimate.mean).toBeCloseTo(0.3, 10);
    expect(decider?.measured?.perSeed).toHaveLength(1);
    expect(decider?.paper).toBe(
      "+6.8 1B MBPP, +3.7 1B HumanEval, +3.2 8B MBPP, −0.3 8B HumanEval, +0.7 8B CodeContests",
    );
  });

  it("fail when a part does", () => {
    expect(claim(4).deciding.map(({ verdict }) => verdict)).toEqual(["does not hold", "holds"]);
    expect(claim(4).deciding.map(({ paper }) => paper)).toEqual(["+2.9 1B MBPP", "+2.6 1B MBPP"]);
    expect(claim(4).verdict).toBe("does not hold");
  });

  it("are adjusted for each other: Holm over the comparisons that were run", () => {
    const run = claims.flatMap(({ deciding }) => deciding).filter(({ measured }) => measured !== null);
    expect(run).toHaveLength(3);
    const raw = run.map(({ measured }) => measured?.pValue ?? NaN);
    const adjusted = run.map(({ adjustedPValue }) => adjustedPValue ?? NaN);
    expect(Math.min(...adjusted)).toBeCloseTo(3 * Math.min(...raw), 10);
    expect(adjusted.every((value, index) => value >= (raw[index] ?? NaN))).toBe(true);
  });

  it("say what was not run", () => {
    expect(claim(2).verdict).toBe("not run");
    expect(claim(3).deciding.map(({ verdict }) => verdict)).toEqual(["not run", "not run"]);
    expect(claim(5).deciding[0]?.adjustedPValue).toBeNull();
    expect(judgeClaims(noResults, madeUpInfo).every(({ verdict }) => verdict === "not run")).toBe(true);
  });
});
