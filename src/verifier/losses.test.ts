import { describe, expect, it } from "vitest";
import { createRandom } from "../random.ts";
import { binaryCrossEntropyLoss, bradleyTerryLoss, fitBias } from "./losses.ts";

function finiteDifference(f: (x: number[]) => number, at: readonly number[], index: number): number {
  const step = 1e-5;
  const up = [...at];
  const down = [...at];
  up[index]! += step;
  down[index]! -= step;
  return (f(up) - f(down)) / (2 * step);
}

describe("the Bradley-Terry loss", () => {
  it("has the value computed by hand", () => {
    // One pair, margin ln 3: −log σ(ln 3) = ln(4/3); regularizer 0.1 · (ln(3)² + 0)/2.
    const { loss, gradient } = bradleyTerryLoss([Math.log(3), 0], 0.1);
    expect(loss).toBeCloseTo(Math.log(4 / 3) + 0.05 * Math.log(3) ** 2, 12);
    expect(gradient[0]).toBeCloseTo(-0.25 + 0.1 * Math.log(3), 12);
    expect(gradient[1]).toBeCloseTo(0.25, 12);
  });

  it("has the gradient of its value", () => {
    const random = createRandom(1, "scores");
    const scores = Array.from({ length: 8 }, () => 6 * random() - 3);
    const { gradient } = bradleyTerryLoss(scores, 1e-2);
    for (let i = 0; i < scores.length; i++) {
      expect(gradient[i]).toBeCloseTo(
        finiteDifference((x) => bradleyTerryLoss(x, 1e-2).loss, scores, i),
        7,
      );
    }
  });

  it("does not overflow for scores far apart", () => {
    expect(bradleyTerryLoss([-800, 800], 0).loss).toBeCloseTo(1600, 6);
    expect(bradleyTerryLoss([800, -800], 0).loss).toBe(0);
  });
});

describe("the binary cross-entropy loss", () => {
  it("has the value computed by hand", () => {
    const { loss, gradient, biasGradient } = binaryCrossEntropyLoss([0, 0], [true, false], Math.log(3));
    expect(loss).toBeCloseTo((Math.log(4 / 3) + Math.log(4)) / 2, 12);
    expect([...gradient]).toEqual([expect.closeTo(-0.125, 12), expect.closeTo(0.375, 12)]);
    expect(biasGradient).toBeCloseTo(0.25, 12);
  });

  it("has the gradient of its value", () => {
    const scores = [1.5, -2, 0.3, 4];
    const labels = [true, false, false, true];
    const { gradient } = binaryCrossEntropyLoss(scores, labels, -0.7);
    for (let i = 0; i < scores.length; i++) {
      const slope = finiteDifference((x) => binaryCrossEntropyLoss(x, labels, -0.7).loss, scores, i);
      expect(gradient[i]).toBeCloseTo(slope, 7);
    }
  });

  it("is lowest at the fitted bias", () => {
    const scores = [-12, -14, -13, -20, -11];
    const labels = [true, false, true, false, false];
    const bias = fitBias(scores, labels);
    expect(binaryCrossEntropyLoss(scores, labels, bias).biasGradient).toBeCloseTo(0, 6);
  });
});
