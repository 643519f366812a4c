/** What a run has asked of a server, over all its attempts: `usage.jsonl`, so that limits and costs survive a kill. */
import { join } from "node:path";
import type { Generator } from "../generator/generator.ts";
import type { Usage } from "../openai/server.ts";
import { readJsonl } from "../store/jsonl.ts";
import type { RecordLog } from "../store/run-store.ts";

/** The last line of an attempt counts; earlier ones are there in case it is killed. */
export interface UsageRecord {
  /** From 1. */
  readonly attempt: number;
  readonly usage: Usage;
}

export const USAGE_LOG = "usage";

/** Of a run that may not exist yet. */
export async function readUsage(runDirectory: string): Promise<UsageRecord[]> {
  return readJsonl<UsageRecord>(join(runDirectory, `${USAGE_LOG}.jsonl`));
}

/** The sum over attempts; what one of them does not know, the sum does not know either. */
export function totalUsage(records: readonly UsageRecord[]): Usage {
  const last = new Map(records.map(({ attempt, usage }) => [attempt, usage]));
  const sum = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a + b);
  const zero: Usage = {
    requests: 0,
    failedRequests: 0,
    reasoningOnly: 0,
    promptTokens: 0,
    completionTokens: 0,
    cost: 0,
  };
  return [...last.values()].reduce(
    (total, usage) => ({
      requests: total.requests + usage.requests,
      failedRequests: total.failedRequests + usage.failedRequests,
      // Older logs are without.
      reasoningOnly: total.reasoningOnly + (usage.reasoningOnly ?? 0),
      promptTokens: sum(total.promptTokens, usage.promptTokens),
      completionTokens: sum(total.completionTokens, usage.completionTokens),
      cost: sum(total.cost, usage.cost),
    }),
    zero,
  );
}

/** Notes the usage every few seconds while work goes on, and once more when it is told to. */
export function recordUsage(log: RecordLog<UsageRecord>, usage: () => Usage | null): { note(): void; finish(): void } {
  const attempt = 1 + Math.max(0, ...log.records.map((record) => record.attempt));
  let notedMs = -Infinity;
  let noted: string | undefined;
  const write = (): void => {
    const now = usage();
    const text = JSON.stringify(now);
    // An attempt that only reads a finished run asks nothing.
    if (now === null || now.requests === 0 || text === noted) return;
    noted = text;
    log.append({ attempt, usage: now });
  };
  return {
    note() {
      if (performance.now() - notedMs < NOTE_INTERVAL_MS) return;
      notedMs = performance.now();
      write();
    },
    finish: write,
  };
}

const NOTE_INTERVAL_MS = 2000;

/** The same generator, which has its usage noted. */
export function withUsageNoted(generator: Generator, note: () => void): Generator {
  return {
    async propose(request, signal) {
      try {
        return await generator.propose(request, signal);
      } finally {
        note();
      }
    },
    close: () => generator.close(),
  };
}
