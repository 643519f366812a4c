/**
 * CPU limits from what a right program needs for the same tests. Most need next to nothing; where a program exceeds the
 * usual limit, the gold program's time decides whether that was fair.
 */
import { allSettled } from "../concurrency.ts";
import type { Sandbox, SandboxLimits } from "../sandbox/sandbox.ts";
import { digestOf } from "./digest.ts";
import { gradeWith } from "./grade-program.ts";
import type { TestResult } from "./grade.ts";
import type { GradingTools, ProgramRequest } from "./grading-tools.ts";
import { createSharedRuns } from "./shared-runs.ts";
import { goldLimit, MAX_CPU_TIME_MS } from "./time-limits.ts";

const CACHED_TIMES = 20_000;

export interface GoldLimits {
  /**
   * Grades under the usual limits or, where the gold program takes long, its wider ones. Its time is measured when a
   * program runs out of time for the first time, and used at once from then on: that changes no verdict.
   */
  grade(tools: GradingTools, request: ProgramRequest, signal?: AbortSignal): Promise<TestResult[]>;
}

export function createGoldLimits(): GoldLimits {
  const measurements = createSharedRuns<number | null>(CACHED_TIMES);
  const known = new Map<string, number | null>();

  async function referenceTime(tools: GradingTools, request: ProgramRequest, signal?: AbortSignal): Promise<number> {
    let longest = 0;
    for (const test of request.tests) {
      if (test.kind !== "reference") continue;
      const { cpuTimeMs } = await tools.references.answers(tools.sandbox, test, request, signal);
      longest = Math.max(longest, cpuTimeMs);
    }
    return longest;
  }

  return {
    async grade(tools, request, signal) {
      const { goldProgram, preamble, setupCode, tests } = request;
      if (goldProgram === undefined && !tests.some(({ kind }) => kind === "reference")) {
        return gradeWith(tools, request, signal);
      }
      const key = await digestOf([
        goldProgram ?? null,
        preamble ?? null,
        setupCode ?? null,
        await allSettled(tests.map(digestOf)),
        tools.sandbox.version,
      ]);
      const goldTime = known.get(key);
      const atFirst = goldTime === undefined ? await referenceTime(tools, request, signal) : goldTime;
      const results = await gradeWith({ ...tools, goldTimeMs: atFirst }, request, signal);
      if (goldProgram === undefined || known.has(key) || !results.some(isTimeOut)) return results;

      const gold = { ...request, program: goldProgram };
      const time = await measurements.run(key, (shared) => measure(tools, gold, shared), signal);
      if (known.size >= CACHED_TIMES) known.delete(known.keys().next().value as string);
      known.set(key, time);
      const isWider = goldLimit(time) > Math.max(tools.limits.cpuTimeMs, goldLimit(atFirst));
      return isWider ? gradeWith({ ...tools, goldTimeMs: time }, request, signal) : results;
    },
  };
}

function isTimeOut({ verdict }: TestResult): boolean {
  return verdict === "timed-out";
}

/** CPU time of the longest single run of the gold program, milliseconds; `null` for one that does not end. */
async function measure(tools: GradingTools, request: ProgramRequest, signal: AbortSignal): Promise<number | null> {
  let longest = 0;
  const sandbox: Sandbox = {
    ...tools.sandbox,
    async run(job, runSignal) {
      const limits = { ...job.limits, cpuTimeMs: MAX_CPU_TIME_MS };
      const result = await tools.sandbox.run({ ...job, limits }, runSignal);
      longest = Math.max(longest, result.cpuTimeMs);
      return result;
    },
  };
  const limits: SandboxLimits = { ...tools.limits, cpuTimeMs: MAX_CPU_TIME_MS };
  const results = await gradeWith({ ...tools, sandbox, limits }, request, signal);
  return results.some(isTimeOut) ? null : longest;
}
