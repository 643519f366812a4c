import { describe, expect, test } from "vitest";
import { createRandom } from "../random.ts";
import { averagePerTask, estimateDifference, estimateMean, intervalOverRuns, wilsonInterval } from "./statistics.ts";

describe("averaging seeds per task", () => {
  test("leaves unknown values out and keeps a task without any unknown", () => {
    const runs = [
      [1, undefined, 0, undefined],
      [0, 1, 0, undefined],
    ];
    expect(averagePerTask(runs)).toEqual([0.5, 1, 0, undefined]);
  });

  test("refuses runs of different numbers of tasks", () => {
    expect(() => averagePerTask([[1], [1, 0]])).toThrow(RangeError);
  });
});

describe("the interval of a mean", () => {
  test("of outcomes is Wilson's (hand-computed: 8 of 10 gives 49.0 % to 94.3 %)", () => {
    const interval = wilsonInterval({ successes: 8, trials: 10 });
    expect(interval.low).toBeCloseTo(0.490162, 6);
    expect(interval.high).toBeCloseTo(0.943318, 6);
    const estimate = estimateMean([1, 1, 1, 1, 0, 1, 1, undefined, 1, 0, 1]);
    expect(estimate).toEqual({ mean: 0.8, ...interval, taskCount: 10, method: "wilson" });
  });

  test("does not collapse at no success and at nothing but successes", () => {
    expect(wilsonInterval({ successes: 0, trials: 10 })).toEqual({ low: 0, high: expect.closeTo(0.277533, 6) });
    expect(wilsonInterval({ successes: 10, trials: 10 })).toEqual({ low: expect.closeTo(0.722467, 6), high: 1 });
    expect(() => wilsonInterval({ successes: 0, trials: 0 })).toThrow(RangeError);
    expect(() => estimateMean([undefined])).toThrow(RangeError);
  });

  test("of shares is a bootstrap over tasks, equal for equal seeds, near mean ± 1.96 standard errors", () => {
    const random = createRandom("shares");
    const values = Array.from({ length: 400 }, () => Math.round(random() * 4) / 4);
    const estimate = estimateMean(values, { seed: 3 });
    expect(estimate.method).toBe("bootstrap");
    expect(estimateMean(values, { seed: 3 })).toEqual(estimate);
    expect(estimateMean(values, { seed: 4 })).not.toEqual(estimate);
    const variance = values.reduce((sum, value) => sum + (value - estimate.mean) ** 2, 0) / values.length;
    const half = 1.96 * Math.sqrt(variance / values.length);
    expect(estimate.high - estimate.mean).toBeCloseTo(half, 2);
    expect(estimate.mean - estimate.low).toBeCloseTo(half, 2);
  });

  test("of two tasks is the exact spread of their resamples (means 0.25, 0.375, 0.5 at 1/4, 1/2, 1/4)", () => {
    expect(estimateMean([0.25, 0.5])).toMatchObject({ mean: 0.375, low: 0.25, high: 0.5, taskCount: 2 });
  });
});

describe("the paired difference", () => {
  test("drops tasks that are unknown on either side", () => {
    const estimate = estimateDifference({ before: [0, undefined, 1, 0.5], after: [1, 1, undefined, 1] });
    expect(estimate).toMatchObject({ mean: 0.75, taskCount: 2, low: 0.5, high: 1 });
    expect(() => estimateDifference({ before: [0], after: [] })).toThrow(RangeError);
    expect(() => estimateDifference({ before: [0], after: [undefined] })).toThrow(RangeError);
  });

  test("is zero with no width between equal results, and turns its sign with its sides", () => {
    const before = [0, 1, 0, 1, 1];
    expect(estimateDifference({ before, after: before })).toMatchObject({ mean: 0, low: 0, high: 0 });
    const after = [1, 1, 0.5, 1, 0];
    const there = estimateDifference({ before, after });
    const back = estimateDifference({ before: after, after: before });
    expect(back.mean).toBeCloseTo(-there.mean, 12);
    expect(back.low).toBeCloseTo(-there.high, 1);
  });

  test("is narrower than the unpaired one when the difficulty of tasks is shared", () => {
    const random = createRandom("difficulty");
    const before = Array.from({ length: 200 }, () => (random() < 0.5 ? 1 : 0) as number);
    const after = before.map((value) => (random() < 0.1 ? 1 : value));
    const paired = estimateDifference({ before, after });
    const unpaired = Math.hypot(
      ...[before, after].map((values) => (({ low, high }) => high - low)(estimateMean(values))),
    );
    expect(paired.high - paired.low).toBeLessThan(unpaired / 2);
  });
});

test("the bootstrap interval holds the true difference in about 95 of 100 experiments", () => {
  const random = createRandom("coverage");
  const experiments = 400;
  let held = 0;
  for (let experiment = 0; experiment < experiments; experiment++) {
    // A task is solved with chance p before and p + 0.1 after; two seeds each, averaged per task.
    const before: number[] = [];
    const after: number[] = [];
    for (let task = 0; task < 80; task++) {
      const chance = random() * 0.9;
      const solved = (p: number): number => ((random() < p ? 1 : 0) + (random() < p ? 1 : 0)) / 2;
      before.push(solved(chance));
      after.push(solved(chance + 0.1));
    }
    const { low, high } = estimateDifference({ before, after, seed: experiment, resamples: 400 });
    if (low <= 0.1 && 0.1 <= high) held++;
  }
  // 95 % of 400 with a standard error of 1.1 points; the percentile bootstrap is known to be a little short.
  expect(held / experiments).toBeGreaterThan(0.91);
  expect(held / experiments).toBeLessThan(0.985);
});

describe("the interval over runs and tasks", () => {
  test("is that of the runs' means where tasks agree", () => {
    // Means 1, 3, 5: variance of their mean 4/3, t with 2 degrees of freedom 4.3027.
    const interval = intervalOverRuns([
      [1, 1],
      [3, 3],
      [5, 5],
    ]);
    expect(interval?.low).toBeCloseTo(3 - 4.3027 * Math.sqrt(4 / 3), 9);
    expect(interval?.high).toBeCloseTo(3 + 4.3027 * Math.sqrt(4 / 3), 9);
  });

  test("adds what is clustered by task to what is clustered by run, without what is in both", () => {
    // By task 1/16, by run 1/16, in both 1/16.
    const interval = intervalOverRuns([
      [1, 0],
      [0, 0],
    ]);
    expect(interval?.high).toBeCloseTo(0.25 + 12.7062 * 0.25, 9);
  });

  test("knows tasks that every run knows, and nothing of a single run", () => {
    const known = intervalOverRuns([
      [1, 1],
      [3, 3],
    ]);
    expect(
      intervalOverRuns([
        [1, undefined, 1],
        [3, 7, 3],
      ]),
    ).toEqual(known);
    expect(intervalOverRuns([[1, 0, 1]])).toBeUndefined();
  });

  test("uses Student's t beyond the table, too", () => {
    // 16 runs whose means have variance 1: 15 degrees of freedom, 2.1314.
    const runs = Array.from({ length: 16 }, (_, run) => [run % 2, run % 2]);
    const error = Math.sqrt(16 / 15 / 4 / 16);
    const interval = intervalOverRuns(runs);
    expect(((interval?.high ?? 0) - 0.5) / error).toBeCloseTo(2.1314, 2);
  });
});
