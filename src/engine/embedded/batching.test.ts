import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planMicroBatches } from "./batching.ts";

const options = { maxTokens: 64, granularity: 8 };

describe("micro-batches", () => {
  it("hold every sequence once, within their length and the bound on tokens", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 60 }), (lengths) => {
        const batches = planMicroBatches(lengths, options);
        expect(batches.flatMap(({ items }) => items).toSorted((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
        for (const { items, length } of batches) {
          expect(length % 8).toBe(0);
          for (const item of items) expect(lengths[item]).toBeLessThanOrEqual(length);
          expect(items.length === 1 || items.length * length <= 64).toBe(true);
        }
      }),
    );
  });

  it("cost as little as the best of all ways to cut the sorted sequences", () => {
    const cost = (length: number, count: number): number => 256 + length * count;
    const best = (padded: readonly number[]): number => {
      if (padded.length === 0) return 0;
      const most = Math.max(1, Math.floor(256 / padded[0]!));
      const ends = Array.from({ length: Math.min(most, padded.length) }, (_, i) => i + 1);
      return Math.min(...ends.map((end) => cost(padded[0]!, end) + best(padded.slice(end))));
    };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 9 }), (lengths) => {
        const batches = planMicroBatches(lengths, { maxTokens: 256, granularity: 8 });
        const total = batches.reduce((sum, { items, length }) => sum + cost(length, items.length), 0);
        const padded = lengths.map((length) => Math.ceil(length / 8) * 8).toSorted((a, b) => b - a);
        expect(total).toBe(best(padded));
      }),
      { numRuns: 500 },
    );
  });
});
