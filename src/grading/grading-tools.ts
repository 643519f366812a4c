/** What the ways of grading (`grade-checks`, `grade-replays`, `grade-stdin`, `grade-reference`) share. */
import type { ProgramJob, Sandbox, SandboxLimits } from "../sandbox/sandbox.ts";
import type { References } from "./references.ts";
import type { GradeRequest, TestResult, Verdict } from "./grade.ts";
import type { Judge } from "./judge.ts";

/** One language's sandbox and judge, and the limits of every run of the program. */
export interface GradingTools {
  readonly sandbox: Sandbox;
  readonly judge: Judge;
  readonly limits: SandboxLimits;
  readonly references: References;
}

export type ProgramRequest = GradeRequest & { readonly program: string };

/** `results[i]` belongs to the i-th test; filled in by one way of grading after the other. */
export type Results = (TestResult | undefined)[];

/** What is said of a program that ended the interpreter before a test's result was there. */
export const EXITED = "The program exited before the test ran.";

export function sourcesOf(request: ProgramRequest): Pick<ProgramJob, "program" | "entryPoint" | "setupCode"> {
  const { program, entryPoint, setupCode } = request;
  return { program, ...(entryPoint !== undefined && { entryPoint }), ...(setupCode !== undefined && { setupCode }) };
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
