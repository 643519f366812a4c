import { describe, expect, it } from "vitest";
import { memoryLog } from "../../test/memory-log.ts";
import { RefusedError, SandboxError, StopRunError } from "../errors.ts";
import { collect, countRefused, describeFailures } from "./collect.ts";

interface Square {
  readonly of: number;
  readonly square: number;
}

const base = {
  itemKey: (item: number) => `${item}`,
  recordKey: (record: Square) => `${record.of}`,
  work: async (item: number): Promise<Square> => ({ of: item, square: item * item }),
};

describe("collecting records", () => {
  it("gives the same result for any concurrency, in the items' order", async () => {
    const items = Array.from({ length: 50 }, (_, i) => (i * 7) % 50);
    const results = await Promise.all(
      [1, 3, 64].map((concurrency) => collect({ ...base, items, log: memoryLog<Square>(), concurrency })),
    );
    for (const { records } of results) expect(records.map(({ of }) => of)).toEqual(items);
  });

  it("leaves the log in the items' order, whatever was done first, and strangers behind them", async () => {
    const items = Array.from({ length: 20 }, (_, i) => (i * 7) % 20);
    const stranger = { of: 100, square: 0 };
    const log = memoryLog([stranger, { of: 5, square: 25 }, { of: 0, square: 0 }]);
    const work = async (item: number): Promise<Square> => {
      for (let turn = item % 5; turn > 0; turn--) await Promise.resolve();
      return base.work(item);
    };
    await collect({ ...base, work, items, log, concurrency: 20 });
    expect(log.records).toEqual([...items.map((of) => ({ of, square: of * of })), stranger]);
  });

  it("does not repeat what is recorded", async () => {
    const done: number[] = [];
    const log = memoryLog([{ of: 2, square: 4 }]);
    const work = async (item: number): Promise<Square> => {
      done.push(item);
      return base.work(item);
    };
    const { records } = await collect({ ...base, work, items: [1, 2, 3], log, concurrency: 2 });
    expect(done).toEqual([1, 3]);
    expect(records.map(({ square }) => square)).toEqual([1, 4, 9]);
  });

  it("leaves out and reports what the infrastructure failed on", async () => {
    const work = async (item: number): Promise<Square> => {
      if (item === 2) throw new SandboxError("worker died");
      return base.work(item);
    };
    const { records, failures } = await collect({
      ...base,
      work,
      items: [1, 2, 3],
      log: memoryLog<Square>(),
      concurrency: 2,
    });
    expect(records.map(({ of }) => of)).toEqual([1, 3]);
    expect(failures).toEqual([{ key: "2", kind: "SandboxError", message: "worker died" }]);
  });

  it("stops when most of it fails, and keeps what was done", async () => {
    const work = async (item: number): Promise<Square> => {
      if (item >= 5) throw new SandboxError("no workers");
      return base.work(item);
    };
    const log = memoryLog<Square>();
    const items = Array.from({ length: 100 }, (_, i) => i);
    await expect(collect({ ...base, work, items, log, concurrency: 4 })).rejects.toThrow(/of 100 failed.*no workers/);
    expect(log.records).toHaveLength(5);
  });

  it("goes on however many are refused, and counts them by themselves", async () => {
    const work = async (item: number): Promise<Square> => {
      if (item > 1) throw item === 2 ? new SandboxError("worker died") : new RefusedError("flagged");
      return base.work(item);
    };
    const items = Array.from({ length: 100 }, (_, i) => i);
    const { records, failures } = await collect({ ...base, work, items, log: memoryLog<Square>(), concurrency: 4 });
    expect(records).toHaveLength(2);
    expect(countRefused(failures)).toEqual({ refused: 97, others: 1 });
    expect(describeFailures(failures)).toBe("97 refused by the server and left out, 1 failed and left out");
  });

  it.each([
    ["was refused", new RefusedError("flagged")],
    ["failed", new SandboxError("flagged")],
  ])("has no result when every one %s", async (words, error) => {
    const work = (): Promise<Square> => Promise.reject(error);
    const nothing = collect({ ...base, work, items: [1, 2], log: memoryLog<Square>(), concurrency: 2 });
    await expect(nothing).rejects.toThrow(`every one of 2 ${words}, the first: flagged`);
  });

  it("stops at once when going on is forbidden, and keeps what was done", async () => {
    const work = async (item: number): Promise<Square> => {
      if (item === 2) throw new StopRunError("the limit is reached");
      return base.work(item);
    };
    const log = memoryLog<Square>();
    const stopped = collect({ ...base, work, items: [0, 1, 2, 3], log, concurrency: 1 });
    await expect(stopped).rejects.toThrow(StopRunError);
    expect(log.records.map(({ of }) => of)).toEqual([0, 1]);
  });

  it("does not swallow errors of the program itself", async () => {
    const work = async (): Promise<Square> => {
      throw new TypeError("a bug");
    };
    await expect(collect({ ...base, work, items: [1], log: memoryLog<Square>(), concurrency: 1 })).rejects.toThrow(
      "a bug",
    );
  });
});
