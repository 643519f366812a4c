import { describe, expect, it } from "vitest";
import type { Usage } from "../openai/server.ts";
import { recordUsage, totalUsage } from "./usage-log.ts";
import { memoryLog } from "../../test/memory-log.ts";

const usage = (requests: number, cost: number | null): Usage => ({
  requests,
  failedRequests: 1,
  reasoningOnly: 2,
  promptTokens: 10 * requests,
  completionTokens: cost === null ? null : requests,
  cost,
});

describe("the usage of a run", () => {
  it("is the sum of what its attempts noted last", () => {
    const records = [
      { attempt: 1, usage: usage(2, 0.5) },
      { attempt: 1, usage: usage(5, 1) },
      { attempt: 2, usage: usage(3, 2) },
    ];
    expect(totalUsage(records)).toEqual({
      requests: 8,
      failedRequests: 2,
      reasoningOnly: 4,
      promptTokens: 80,
      completionTokens: 8,
      cost: 3,
    });
  });

  it("is unknown where one attempt's is, never taken for nothing", () => {
    const total = totalUsage([
      { attempt: 1, usage: usage(2, null) },
      { attempt: 2, usage: usage(2, 1) },
    ]);
    expect([total.completionTokens, total.cost, total.promptTokens]).toEqual([null, null, 40]);
  });

  it("goes on from earlier attempts, and is noted once where nothing changes", () => {
    const log = memoryLog([{ attempt: 4, usage: usage(9, 1) }]);
    let now = usage(0, 0);
    const recording = recordUsage(log, () => now);
    recording.finish();
    expect(log.records).toHaveLength(1);
    now = usage(2, 1);
    recording.finish();
    recording.finish();
    expect(log.records.slice(1)).toEqual([{ attempt: 5, usage: now }]);
  });
});
