import { describe, expect, it } from "vitest";
import { planBatches } from "./batches.ts";

const items = Array.from({ length: 10 }, (_, index) => index);
const plan = (options: { epochs: number; steps?: number }): number[][] =>
  planBatches(items, (item) => item, { batchSize: 4, seed: 1, ...options });

describe("a plan of batches", () => {
  it("has every item once per epoch", () => {
    expect(
      plan({ epochs: 2 })
        .flat()
        .toSorted((a, b) => a - b),
    ).toEqual([...items, ...items].toSorted((a, b) => a - b));
  });

  it("has exactly as many batches as steps are asked for, going round the items or cut short", () => {
    expect(plan({ epochs: 2, steps: 7 })).toHaveLength(7);
    expect(plan({ epochs: 2, steps: 7 }).slice(0, 6)).toEqual(plan({ epochs: 2 }));
    expect(plan({ epochs: 2, steps: 2 })).toEqual(plan({ epochs: 2 }).slice(0, 2));
    expect(planBatches([], () => 1, { batchSize: 4, epochs: 1, seed: 1, steps: 5 })).toEqual([]);
  });
});
