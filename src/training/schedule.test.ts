import { describe, expect, it } from "vitest";
import { cosineSchedule, FINAL_RATE_SHARE } from "./schedule.ts";

describe("the learning rate", () => {
  it("warms up in a line, is at its peak, and comes down along a cosine, as worked out by hand", () => {
    const shares = Array.from({ length: 12 }, (_, step) => cosineSchedule(step, 12, 4));
    expect(shares.slice(0, 4)).toEqual([0.25, 0.5, 0.75, 1]);
    // Eight steps of cosine: ½(1 + cos(π·k/8)) of what is above the last rate, a twentieth of the peak.
    expect(shares[4]).toBe(1);
    expect(shares[6]).toBeCloseTo(0.05 + 0.95 * 0.8535534, 6);
    expect(shares[8]).toBeCloseTo(0.05 + 0.95 * 0.5, 6);
    expect(shares[10]).toBeCloseTo(0.05 + 0.95 * 0.1464466, 6);
    expect(cosineSchedule(12, 12, 4)).toBeCloseTo(FINAL_RATE_SHARE, 6);
  });

  it("needs no warm-up, and stays at its last share beyond the last step", () => {
    expect(cosineSchedule(0, 10, 0)).toBe(1);
    expect(cosineSchedule(50, 10, 0)).toBeCloseTo(FINAL_RATE_SHARE, 6);
    expect(cosineSchedule(1, 1, 1)).toBeLessThanOrEqual(1);
  });
});
