import { describe, expect, it } from "vitest";
import { createRandom } from "../random.ts";
import { estimateGap, estimateRatio, type RatioPart } from "./ratio.ts";
import { estimateMean } from "./statistics.ts";

const meanParts = (values: readonly number[]): RatioPart[] =>
  values.map((numerator) => ({ numerator, denominator: 1 }));
const draws = (name: string, count: number, low: number): number[] => {
  const random = createRandom(name);
  return Array.from({ length: count }, () => low + 0.5 * random());
};

describe("a ratio over tasks", () => {
  it("weighs a task by its denominator and leaves out those that say nothing", () => {
    const estimate = estimateRatio([
      { numerator: 1, denominator: 4 },
      { numerator: 2, denominator: 2 },
      { numerator: 0, denominator: 0 },
    ])!;
    expect(estimate).toMatchObject({ mean: 0.5, low: 0.25, high: 1, taskCount: 2, method: "bootstrap" });
    expect(estimateRatio([{ numerator: 0, denominator: 0 }])).toBeNull();
  });

  it("with denominators of 1 is a mean over tasks, with an interval as wide", () => {
    const values = draws("mean", 80, 0.2);
    const [ratio, mean] = [estimateRatio(meanParts(values))!, estimateMean(values)];
    expect(ratio.mean).toBeCloseTo(mean.mean, 12);
    expect(ratio.low).toBeCloseTo(mean.low, 2);
    expect(ratio.high).toBeCloseTo(mean.high, 2);
  });

  it("has an interval of tasks and not of their parts: a task counted a hundredfold adds no certainty", () => {
    const parts = draws("clusters", 30, 0.1).map((numerator) => ({ numerator, denominator: 1 }));
    const hundredfold = parts.map((part) => ({ numerator: 100 * part.numerator, denominator: 100 }));
    const [once, often] = [estimateRatio(parts)!, estimateRatio(hundredfold)!];
    expect(often.low).toBeCloseTo(once.low, 9);
    expect(often.high).toBeCloseTo(once.high, 9);
  });

  it("keeps an interval at 0 and at 1", () => {
    expect(estimateRatio(meanParts([1, 1, 1]))).toMatchObject({ mean: 1, high: 1, method: "wilson" });
    expect(estimateRatio(meanParts([1, 1, 1]))!.low).toBeLessThan(0.5);
    expect(estimateRatio(meanParts([0, 0, 0]))!.high).toBeGreaterThan(0.5);
  });
});

describe("a gap between two sets of tasks", () => {
  it("is their difference, with both sides' uncertainty in its interval", () => {
    const [of, from] = [meanParts(draws("of", 60, 0.3)), meanParts(draws("from", 40, 0.1))];
    const gap = estimateGap({ of, from })!;
    const [left, right] = [estimateRatio(of)!, estimateRatio(from)!];
    expect(gap.mean).toBeCloseTo(left.mean - right.mean, 12);
    expect(gap.taskCount).toBe(100);
    const half = Math.hypot(left.high - left.low, right.high - right.low) / 2;
    expect((gap.high - gap.low) / 2).toBeCloseTo(half, 2);
    expect(gap.low).toBeGreaterThan(0);
  });

  it("covers no difference where there is none, and is unknown where a side is", () => {
    const gap = estimateGap({ of: meanParts(draws("a", 50, 0.2)), from: meanParts(draws("b", 50, 0.2)) })!;
    expect(gap.low).toBeLessThan(0);
    expect(gap.high).toBeGreaterThan(0);
    expect(estimateGap({ of: [], from: meanParts([1]) })).toBeNull();
  });
});
