/**
 * One program against its tests, each kind of test in its own way. Calls go to the program in the order of the tests, so
 * that what it does in an earlier test cannot depend on a later one: with the public tests first, nothing private can
 * show in their results.
 */
import { gradeChecks } from "./grade-checks.ts";
import { gradeReferences } from "./grade-reference.ts";
import { gradeReplays } from "./grade-replays.ts";
import { gradeStdin } from "./grade-stdin.ts";
import { gradeUnittests } from "./grade-unittest.ts";
import type { TestResult } from "./grade.ts";
import type { GradingTools, ProgramRequest, Results } from "./grading-tools.ts";

/** `results[i]` belongs to the i-th test. @throws SandboxError, SuiteError */
export async function gradeWith(
  tools: GradingTools,
  request: ProgramRequest,
  signal?: AbortSignal,
): Promise<TestResult[]> {
  const results: Results = request.tests.map(() => undefined);
  const asserts = request.tests.flatMap((test, index) =>
    test.kind === "assert" ? [{ index, source: test.source }] : [],
  );
  const plans = await tools.judge.plan(asserts.map(({ source }) => source));
  const planned = asserts.map((test, place) => ({ ...test, plan: plans[place]! }));
  await gradeChecks(tools, request, planned, results, signal);
  await gradeReplays(tools, request, planned, results, signal);
  await gradeStdin(tools, request, results, signal);
  await gradeReferences(tools, request, results, signal);
  await gradeUnittests(tools, request, results, signal);
  return results as TestResult[];
}
