/** Tests of a whole program: one run per test, from standard input to what it prints. */
import { withoutAddresses } from "../sandbox/addresses.ts";
import type { StdinTest } from "../tasks/task.ts";
import { outputMatches } from "./compare-output.ts";
import type { TestResult } from "./grade.ts";
import {
  type GradingTools,
  isStop,
  type ProgramRequest,
  raisedResult,
  type Results,
  runProgram,
  stopResult,
  timeOutBefore,
} from "./grading-tools.ts";

/** Most characters of what was printed that a result keeps. */
const MAX_OBTAINED = 2000;
/** Control characters but line feed and tab, and characters that reorder or hide text. */
const UNPRINTABLE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** What is said of a whole program that ended with another status than 0. */
export const ENDED_BADLY = "The program ended with an error status.";

/**
 * Fills in the results of the stdin tests, one run after the other. A program that was stopped in one test is not run for
 * the later ones, which get the same result: that is what keeps endless loops from taking the limit once per test.
 * @throws SandboxError
 */
export async function gradeStdin(
  tools: GradingTools,
  request: ProgramRequest,
  results: Results,
  signal?: AbortSignal,
): Promise<void> {
  let stopped: TestResult | undefined;
  for (const [index, test] of request.tests.entries()) {
    if (test.kind !== "stdin") continue;
    stopped ??= timeOutBefore(results, index);
    if (stopped) {
      results[index] = stopped;
      continue;
    }
    const run = await runProgram(tools, request, { calls: [], stdin: test.stdin }, signal);
    if (run.kind === "raised") results[index] = raisedResult(run);
    else if (run.kind === "finished") results[index] = compare(run.stdout ?? "", test);
    else if (run.kind === "exited") results[index] = { verdict: "error", exception: ENDED_BADLY };
    else results[index] = stopResult(run.kind);
    if (isStop(results[index])) stopped = results[index];
  }
}

function compare(printed: string, test: StdinTest): TestResult {
  if (outputMatches(printed, test)) return { verdict: "passed" };
  const obtained = withoutAddresses(printed.slice(0, MAX_OBTAINED)).replace(UNPRINTABLE, " ");
  return { verdict: "failed", obtained: printed.length > MAX_OBTAINED ? `${obtained}...` : obtained };
}
