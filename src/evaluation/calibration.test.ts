import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "../random.ts";
import {
  brierScore,
  expectedCalibrationError,
  fitPlattScaling,
  reliabilityBins,
  scaledProbability,
  type Prediction,
} from "./calibration.ts";
import type { ScoredOutcome } from "./ranking.ts";

const predictions = fc.array(
  fc.record({ probability: fc.double({ min: 0, max: 1, noNaN: true }), outcome: fc.boolean() }),
  { minLength: 1, maxLength: 60 },
);
const binCounts = fc.integer({ min: 1, max: 20 });
const shuffle = <T>(values: readonly T[], seed: number): T[] => {
  const random = createRandom("shuffle", seed);
  return values
    .map((value) => ({ value, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ value }) => value);
};
const given = (...values: readonly [number, boolean][]): Prediction[] =>
  values.map(([probability, outcome]) => ({ probability, outcome }));
/** Outcomes drawn from the probabilities themselves. */
const calibrated = (count: number): Prediction[] => {
  const random = createRandom("calibrated", 1);
  return Array.from({ length: count }, () => {
    const probability = random();
    return { probability, outcome: random() < probability };
  });
};

describe("the Brier score", () => {
  it("is the mean squared error", () => {
    expect(brierScore(given([0.8, true], [0.4, false], [1, false]))).toBeCloseTo((0.04 + 0.16 + 1) / 3, 12);
    expect(brierScore([])).toBeUndefined();
  });

  it("is 0 for a prophet, 1 for one who is always wrong, and ¼ for a coin", () => {
    const scoreOf = (probability: (outcome: boolean) => number) =>
      brierScore([true, false, true].map((outcome) => ({ probability: probability(outcome), outcome })));
    expect([scoreOf(Number), scoreOf((outcome) => 1 - Number(outcome)), scoreOf(() => 0.5)]).toEqual([0, 1, 0.25]);
  });
});

describe("reliability bins", () => {
  it("hold equal numbers, in order of probability", () => {
    const bins = reliabilityBins(given([0.9, true], [0.1, false], [0.3, true], [0.7, false], [0.8, true]), 2);
    expect(bins.map(({ count }) => count)).toEqual([2, 3]);
    expect(bins.map(({ accuracy }) => accuracy)).toEqual([0.5, 2 / 3]);
    expect(bins[0]!.confidence).toBeCloseTo(0.2, 12);
    expect(bins[1]!.confidence).toBeCloseTo(0.8, 12);
  });

  it("are as many as there are predictions at most", () => {
    expect(reliabilityBins(given([0.2, true], [0.4, false]), 10)).toEqual([
      { count: 1, confidence: 0.2, accuracy: 1 },
      { count: 1, confidence: 0.4, accuracy: 0 },
    ]);
    expect(reliabilityBins([], 10)).toEqual([]);
  });

  it("share out the right ones among equal probabilities that a cut falls among", () => {
    const bins = reliabilityBins(given([0.5, true], [0.5, false], [0.5, false], [0.5, true]), 2);
    expect(bins).toEqual([
      { count: 2, confidence: 0.5, accuracy: 0.5 },
      { count: 2, confidence: 0.5, accuracy: 0.5 },
    ]);
  });

  it("keep the number of predictions, their mean and the number of right ones", () => {
    fc.assert(
      fc.property(predictions, binCounts, (all, binCount) => {
        const bins = reliabilityBins(all, binCount);
        const total = (of: (bin: (typeof bins)[number]) => number) => bins.reduce((sum, bin) => sum + of(bin), 0);
        const right = all.filter(({ outcome }) => outcome).length;
        const sum = all.reduce((so, { probability }) => so + probability, 0);
        expect(total(({ count }) => count)).toBe(all.length);
        expect(total(({ count, confidence }) => count * confidence)).toBeCloseTo(sum, 9);
        expect(total(({ count, accuracy }) => count * accuracy)).toBeCloseTo(right, 9);
        const sizes = bins.map(({ count }) => count);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("refuse what is no probability, and what is no number of bins", () => {
    expect(() => reliabilityBins(given([1.1, true]), 2)).toThrow(/outside \[0, 1\]/);
    expect(() => reliabilityBins(given([Number.NaN, true]), 2)).toThrow(/outside \[0, 1\]/);
    expect(() => reliabilityBins(given([1, true]), 0)).toThrow(/binCount/);
  });
});

describe("the expected calibration error", () => {
  it("is the mean gap between confidence and accuracy, by the size of the bins", () => {
    // Bins [0.1 wrong, 0.3 right] and [0.7 wrong, 0.8 right, 0.9 right]: gaps 0.3 and 2/15.
    const all = given([0.9, true], [0.1, false], [0.3, true], [0.7, false], [0.8, true]);
    expect(expectedCalibrationError(all, 2)).toBeCloseTo((2 * 0.3 + 3 * (0.8 - 2 / 3)) / 5, 12);
    expect(expectedCalibrationError([], 2)).toBeUndefined();
  });

  it("is small for outcomes drawn from the predictions, and large for those of a boaster", () => {
    const honest = calibrated(20_000);
    const boaster = honest.map(({ probability, outcome }) => ({ probability: probability < 0.5 ? 0 : 1, outcome }));
    expect(expectedCalibrationError(honest, 10)).toBeLessThan(0.015);
    // Half of the predictions are 0 where ¼ is right, the other half 1 where ¾ is.
    expect(expectedCalibrationError(boaster, 10)).toBeCloseTo(0.25, 1);
  });

  it("is in [0, 1], the same in any order and seen from the other side, and no less with finer bins that nest", () => {
    fc.assert(
      fc.property(predictions, binCounts, fc.integer(), (all, binCount, seed) => {
        const error = expectedCalibrationError(all, binCount)!;
        const mirrored = all.map(({ probability, outcome }) => ({ probability: 1 - probability, outcome: !outcome }));
        expect(error).toBeGreaterThanOrEqual(0);
        expect(error).toBeLessThanOrEqual(1);
        expect(expectedCalibrationError(shuffle(all, seed), binCount)).toBeCloseTo(error, 12);
        expect(expectedCalibrationError(mirrored, 1)).toBeCloseTo(expectedCalibrationError(all, 1)!, 9);
        expect(expectedCalibrationError(all, 2 * binCount)!).toBeGreaterThanOrEqual(error - 1e-12);
      }),
    );
  });
});

describe("Platt scaling", () => {
  const programsWith = (score: fc.Arbitrary<number>) =>
    fc.array(fc.record({ score, outcome: fc.boolean() }), { minLength: 1, maxLength: 60 });
  const programs = programsWith(fc.integer({ min: -3000, max: 500 }).map((tenths) => tenths / 10));
  const scale = (all: readonly ScoredOutcome[]) => fitPlattScaling(all)!;

  it("finds the logistic model that outcomes were drawn from, wherever the scores lie", () => {
    const random = createRandom("logistic", 3);
    const all = Array.from({ length: 20_000 }, () => {
      const score = -40 + 10 * random();
      return { score, outcome: random() < 1 / (1 + Math.exp(-(0.7 * score + 25))) };
    });
    const { slope, intercept } = scale(all);
    expect(slope).toBeCloseTo(0.7, 1);
    expect(Math.abs(intercept - 25)).toBeLessThan(1.5);
    const predicted = all.map(({ score, outcome }) => ({
      probability: scaledProbability({ slope, intercept }, score),
      outcome,
    }));
    expect(expectedCalibrationError(predicted, 10)).toBeLessThan(0.015);
  });

  it("meets the targets of Platt exactly where two scores are all there are", () => {
    // Score 0: all 3 wrong, target 1/5 each. Score 1: all 2 right, target 3/4 each.
    const { slope, intercept } = scale([
      ...Array.from({ length: 3 }, () => ({ score: 0, outcome: false })),
      ...Array.from({ length: 2 }, () => ({ score: 1, outcome: true })),
    ]);
    expect(intercept).toBeCloseTo(Math.log(0.2 / 0.8), 9);
    expect(slope + intercept).toBeCloseTo(Math.log(0.75 / 0.25), 9);
  });

  it("is flat where scores say nothing, at Platt's share of right ones", () => {
    const equal = scale([-50.1, -50.1, -50.1].map((score, index) => ({ score, outcome: index === 0 })));
    // One right and two wrong: targets 2/3, 1/4, 1/4.
    expect(equal.slope).toBe(0);
    expect(scaledProbability(equal, 7)).toBeCloseTo((2 / 3 + 1 / 4 + 1 / 4) / 3, 9);
    const allRight = scale([1, 2, 3].map((score) => ({ score, outcome: true })));
    expect(allRight.slope).toBeCloseTo(0, 9);
    expect(scaledProbability(allRight, 2)).toBeCloseTo(4 / 5, 9);
    expect(fitPlattScaling([])).toBeUndefined();
  });

  it("falls where high scores are wrong", () => {
    expect(
      scale([
        { score: 1, outcome: false },
        { score: 0, outcome: true },
      ]).slope,
    ).toBeLessThan(0);
  });

  it("is finite whatever finite scores it is given", () => {
    fc.assert(
      fc.property(programsWith(fc.double({ min: -1e9, max: 1e9, noNaN: true })), (all) => {
        expect(Object.values(scale(all)).every(Number.isFinite)).toBe(true);
      }),
    );
  });

  it("gives the same probabilities for scores in other units", () => {
    fc.assert(
      fc.property(programs, (all) => {
        const scaling = scale(all);
        const shifted = all.map(({ score, outcome }) => ({ score: 3 * score + 17, outcome }));
        const other = scale(shifted);
        for (const [index, { score }] of all.entries()) {
          expect(scaledProbability(other, shifted[index]!.score)).toBeCloseTo(scaledProbability(scaling, score), 5);
        }
      }),
    );
  });

  it("predicts as many right ones as its targets hold: the optimum's first-order condition", () => {
    fc.assert(
      fc.property(programs, (all) => {
        const right = all.filter(({ outcome }) => outcome).length;
        const wrong = all.length - right;
        const scaling = scale(all);
        const predicted = all.reduce((sum, { score }) => sum + scaledProbability(scaling, score), 0);
        expect(predicted).toBeCloseTo((right * (right + 1)) / (right + 2) + wrong / (wrong + 2), 5);
      }),
    );
  });

  it("refuses a score that is not finite", () => {
    expect(() => fitPlattScaling([{ score: -Infinity, outcome: false }])).toThrow(/not finite/);
  });
});
