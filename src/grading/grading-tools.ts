/** What the ways of grading (`grade-checks`, `grade-replays`, `grade-stdin`, `grade-reference` …) share. */
import { SuiteError } from "../errors.ts";
import type { ProgramJob, ProgramResult, Sandbox, SandboxLimits } from "../sandbox/sandbox.ts";
import type { References } from "./references.ts";
import type { GradeRequest, TestResult, Verdict } from "./grade.ts";
import type { Judge } from "./judge.ts";
import { cpuLimit } from "./time-limits.ts";

/** One language's sandbox and judge, and the limits of every run of the program. */
export interface GradingTools {
  readonly sandbox: Sandbox;
  readonly judge: Judge;
  /** Of a run with little to do: see `time-limits.ts`. */
  readonly limits: SandboxLimits;
  /** CPU time of the longest run of a right program, milliseconds; `null` where it is not known. */
  readonly goldTimeMs: number | null;
  readonly references: References;
}

export type ProgramRequest = GradeRequest & { readonly program: string };

/** `results[i]` belongs to the i-th test; filled in by one way of grading after the other. */
export type Results = (TestResult | undefined)[];

/** What is said of a program that ended the interpreter before a test's result was there. */
export const EXITED = "The program exited before the test ran.";

export type RunRequest = Pick<ProgramJob, "calls" | "keep" | "stdin" | "encoding"> & { readonly memoryBytes?: number };

/** Runs the program of a request under its limits. @throws SuiteError where its preamble fails. @throws SandboxError */
export async function runProgram(
  { sandbox, limits, goldTimeMs }: GradingTools,
  request: ProgramRequest,
  { memoryBytes = 0, ...run }: RunRequest,
  signal?: AbortSignal,
): Promise<ProgramResult> {
  const { program, entryPoint } = request;
  const job: ProgramJob = {
    ...surroundings(request),
    program,
    ...(entryPoint !== undefined && { entryPoint }),
    ...run,
    limits: {
      cpuTimeMs: cpuLimit(limits.cpuTimeMs, run, goldTimeMs),
      memoryBytes: Math.max(limits.memoryBytes, memoryBytes),
    },
  };
  const result = await sandbox.run(job, signal);
  checkPreamble(result);
  return result;
}

/** The code of a task that runs around every program. */
export function surroundings({
  preamble,
  setupCode,
}: Pick<GradeRequest, "preamble" | "setupCode">): Pick<ProgramJob, "preamble" | "setupCode"> {
  return { ...(preamble !== undefined && { preamble }), ...(setupCode !== undefined && { setupCode }) };
}

/** @throws SuiteError where it was the preamble that raised: that is the task's fault, whatever the program. */
export function checkPreamble(result: ProgramResult): void {
  if (result.kind !== "raised" || result.during === undefined) return;
  throw new SuiteError(`The preamble cannot be used: it raises ${result.exception}`, { exception: result.exception });
}

export function raisedResult({ exception, traceback }: { exception: string; traceback: string }): TestResult {
  return { verdict: "error", exception, traceback };
}

export function stopResult(kind: "timed-out" | "out-of-memory" | "exited"): TestResult {
  return kind === "exited" ? { verdict: "error", exception: EXITED } : { verdict: kind };
}

/** Whether the program was stopped, or stopped itself, before it answered to the test. */
export function isStop(result: TestResult | undefined): boolean {
  const stops: readonly (Verdict | undefined)[] = ["timed-out", "out-of-memory"];
  return stops.includes(result?.verdict) || result?.exception === EXITED;
}

/**
 * The time-out of an earlier test, whatever its kind: the program is not run again for a later one, which counts as timed
 * out too. That is what keeps endless loops from taking the limit once per kind of test.
 */
export function timeOutBefore(results: Results, index: number): TestResult | undefined {
  return results.slice(0, index).find((result) => result?.verdict === "timed-out");
}
