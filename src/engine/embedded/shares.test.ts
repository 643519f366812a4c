import { describe, expect, it } from "vitest";
import { compact, cutSamples, dealData, replicasFor } from "./shares.ts";

const datum = (length: number) => ({ tokens: new Int32Array(length), weights: new Float32Array(length) });

describe("the work of a call", () => {
  it("goes to one replica per thread, unless their weights together were too large", () => {
    const memory = 2 ** 34;
    expect(replicasFor(2, 2 ** 20, memory)).toEqual({ replicas: 2, threadsEach: 1 });
    expect(replicasFor(2, 2 ** 30 + 4, memory)).toEqual({ replicas: 1, threadsEach: 2 });
    expect(replicasFor(2, 2 ** 29 + 4, 2 ** 32)).toEqual({ replicas: 1, threadsEach: 2 });
    expect(replicasFor(8, 2 ** 29, memory)).toEqual({ replicas: 4, threadsEach: 2 });
    // Threads are shared out evenly: of 6, 4 replicas could not have equally many.
    expect(replicasFor(6, 2 ** 29, memory)).toEqual({ replicas: 3, threadsEach: 2 });
    expect(replicasFor(1, 2 ** 33, memory)).toEqual({ replicas: 1, threadsEach: 1 });
  });

  it("is dealt out so that every share has long and short data, each datum once", () => {
    const data = [3, 9, 5, 7, 8, 4, 6].map(datum);
    const shares = dealData(data, 2);
    expect(shares.map((items) => items.map((item) => data[item]!.tokens.length))).toEqual([
      [9, 6, 5],
      [8, 7, 4, 3],
    ]);
    expect(dealData([datum(2)], 3)).toEqual([[0], [], []]);
  });

  it("is cut among replicas where a prompt has many samples", () => {
    expect(cutSamples(5, 2)).toEqual([0, 5]);
    expect(cutSamples(15, 2)).toEqual([0, 15]);
    expect(cutSamples(17, 2)).toEqual([0, 9, 17]);
    expect(cutSamples(64, 4)).toEqual([0, 16, 32, 48, 64]);
    expect(cutSamples(64, 1)).toEqual([0, 64]);
  });

  it("is sent without the memory around it", () => {
    const view = new Int32Array(1000).fill(7).subarray(10, 13);
    expect(compact(view)).toEqual(Int32Array.of(7, 7, 7));
    expect(compact(view).buffer.byteLength).toBe(12);
  });
});
