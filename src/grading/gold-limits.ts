/**
 * CPU limits from what a right program needs for the same tests. Most need next to nothing: where there is a gold program
 * a short limit keeps endless loops cheap, and where a program exceeds it, the gold program's time decides whether that
 * was fair.
 */
import { allSettled } from "../concurrency.ts";
import type { Sandbox, SandboxLimits } from "../sandbox/sandbox.ts";
import { digestOf } from "./digest.ts";
import { gradeWith } from "./grade-program.ts";
import { REFERENCE_LIMITS } from "./references.ts";
import type { TestResult } from "./grade.ts";
import type { GradingTools, ProgramRequest } from "./grading-tools.ts";
import { createSharedRuns } from "./shared-runs.ts";

/** How much longer than the gold program a program may take. */
const GOLD_FACTOR = 10;
/** What a program is given at least, unless the usual limit is lower: many times what nearly every gold program takes. */
const FLOOR_MS = 1000;
const MAX_CPU_TIME_MS = REFERENCE_LIMITS.cpuTimeMs;
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
      const { cpuTimeMs } = await tools.references.answers(tools.sandbox, test, request.setupCode, signal);
      longest = Math.max(longest, cpuTimeMs);
    }
    return longest;
  }

  return {
    async grade(tools, request, signal) {
      const { goldProgram, setupCode, tests } = request;
      if (goldProgram === undefined && !tests.some(({ kind }) => kind === "reference")) {
        return gradeWith(tools, request, signal);
      }
      const key = await digestOf([
        goldProgram ?? null,
        setupCode ?? null,
        await allSettled(tests.map(digestOf)),
        tools.sandbox.version,
      ]);
      const goldTime = known.get(key);
      const atFirst = limited(tools, goldTime === undefined ? await referenceTime(tools, request, signal) : goldTime);
      const results = await gradeWith(atFirst, request, signal);
      if (goldProgram === undefined || known.has(key) || !results.some(isTimeOut)) return results;

      const gold = { ...request, program: goldProgram };
      const time = await measurements.run(key, (shared) => measure(tools, gold, shared), signal);
      if (known.size >= CACHED_TIMES) known.delete(known.keys().next().value as string);
      known.set(key, time);
      const wider = limited(tools, time);
      return wider.limits.cpuTimeMs > atFirst.limits.cpuTimeMs ? gradeWith(wider, request, signal) : results;
    },
  };
}

/** `null`: the gold program itself does not end, and says nothing of what is fair. */
function limited(tools: GradingTools, goldTimeMs: number | null): GradingTools {
  const { limits } = tools;
  if (goldTimeMs === null) return tools;
  const cpuTimeMs = Math.max(
    Math.min(FLOOR_MS, limits.cpuTimeMs),
    Math.min(MAX_CPU_TIME_MS, Math.ceil(GOLD_FACTOR * goldTimeMs)),
  );
  return { ...tools, limits: { ...limits, cpuTimeMs } };
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
      const result = await tools.sandbox.run(job, runSignal);
      longest = Math.max(longest, result.cpuTimeMs);
      return result;
    },
  };
  const limits: SandboxLimits = { ...tools.limits, cpuTimeMs: MAX_CPU_TIME_MS };
  const results = await gradeWith({ ...tools, sandbox, limits }, request, signal);
  return results.some(isTimeOut) ? null : longest;
}
