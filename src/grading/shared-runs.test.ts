import { describe, expect, test } from "vitest";
import { createSharedRuns } from "./shared-runs.ts";

describe("shared runs", () => {
  test("the same key is worked on once, remembered, and forgotten when newer ones need the place", async () => {
    const runs = createSharedRuns<number>(2);
    let calls = 0;
    const work = async (): Promise<number> => ++calls;
    expect(await Promise.all([runs.run("a", work), runs.run("a", work)])).toEqual([1, 1]);
    expect(await runs.run("b", work)).toBe(2);
    expect(await runs.run("a", work)).toBe(1);
    expect(await runs.run("c", work)).toBe(3);
    expect(await runs.run("a", work)).toBe(1);
    expect(await runs.run("b", work)).toBe(4);
  });

  test("failures are not remembered", async () => {
    const runs = createSharedRuns<number>(2);
    await expect(runs.run("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await runs.run("a", async () => 1)).toBe(1);
  });

  test("one caller's abort rejects that caller; the work stops when nobody waits any more", async () => {
    const runs = createSharedRuns<number>(2);
    const [first, second] = [new AbortController(), new AbortController()];
    let stopped = false;
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const work = async (signal: AbortSignal): Promise<number> => {
      signal.addEventListener("abort", () => (stopped = true));
      await finished;
      signal.throwIfAborted();
      return 1;
    };
    const left = runs.run("a", work, first.signal);
    const stayed = runs.run("a", work, second.signal);
    first.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    finish();
    expect(await stayed).toBe(1);
    expect(stopped).toBe(false);

    const third = new AbortController();
    const alone = runs.run("b", work, third.signal);
    third.abort(new Error("gone"));
    await expect(alone).rejects.toThrow("gone");
    expect(stopped).toBe(true);
    expect(await runs.run("b", async () => 2)).toBe(2);
  });
});
