import { expect, test } from "vitest";
import { isOverWallLimit } from "./wall-limit.ts";

test.for<[program: string, passedMs: number, cpuMs: number | null, over: boolean]>([
  ["that waits, within its limit", 6000, 0, false],
  ["that waits, beyond it", 6001, 0, true],
  ["that computes now and then, beyond it", 8000, 400, true],
  ["that is starved, beyond it", 8000, 401, false],
  ["that is starved, beyond four times it", 24_001, 1201, true],
  ["whose CPU time is not known, beyond it", 6001, null, true],
])("a program %s", ([, passedMs, cpuMs, over]) => {
  expect(isOverWallLimit(passedMs, 6000, cpuMs)).toBe(over);
});
