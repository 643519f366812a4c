/** Tests that were taken apart: one run in which the program answers every call, and comparisons here. */
import { SandboxError } from "../errors.ts";
import type { CallResult, ProgramResult } from "../sandbox/sandbox.ts";
import type { TestResult } from "./grade.ts";
import {
  type GradingTools,
  isStop,
  type ProgramRequest,
  raisedResult,
  type Results,
  runProgram,
  stopResult,
} from "./grading-tools.ts";
import type { Check, Judge, Plan } from "./judge.ts";

/** Fills in the results of the tests whose plan is split. @throws SandboxError */
export async function gradeChecks(
  tools: GradingTools,
  request: ProgramRequest,
  tests: readonly { readonly index: number; readonly plan: Plan }[],
  results: Results,
  signal?: AbortSignal,
): Promise<void> {
  const { sandbox, judge, references } = tools;
  const split = tests.flatMap(({ index, plan }) => (plan.kind === "split" ? [{ index, checks: plan.checks }] : []));
  if (split.length === 0) return;
  const expected = new Map<string, string>();
  for (const { expectedCall } of split.flatMap(({ checks }) => checks)) {
    if (expectedCall !== undefined) expected.set(expectedCall, await references.value(sandbox, expectedCall, signal));
  }
  const calls = split.flatMap(({ checks }) => checks.map((check) => check.call));
  const run = await runProgram(tools, request, { calls }, signal);
  let next = 0;
  let stopped: TestResult | undefined;
  for (const { index, checks } of split) {
    if (run.kind === "raised") {
      results[index] = raisedResult(run);
      continue;
    }
    const answers = run.calls.slice(next, next + checks.length);
    next += checks.length;
    const result =
      stopped ??
      resultOf(
        judge,
        checks.map((check) => completed(check, expected)),
        answers,
        run,
      );
    // What stopped the program in one test stops it in every later one.
    if (isStop(result)) stopped = result;
    results[index] = result;
  }
}

function completed(check: Check, expected: ReadonlyMap<string, string>): Check {
  const text = check.expectedCall === undefined ? undefined : expected.get(check.expectedCall);
  return text === undefined ? check : { ...check, expected: text };
}

function resultOf(
  judge: Judge,
  checks: readonly Check[],
  answers: readonly CallResult[],
  run: Exclude<ProgramResult, { kind: "raised" }>,
): TestResult {
  for (const [index, check] of checks.entries()) {
    // A test of one check is its own statement.
    const statement = checks.length > 1 ? { statement: check.text } : {};
    const answer = answers[index];
    if (answer === undefined) {
      if (run.kind === "finished") throw new SandboxError("The sandbox gave too few results");
      return stopResult(run.kind);
    }
    if (answer.kind === "raised") return { ...raisedResult(answer), ...statement };
    if (!judge.holds(check, answer)) return { verdict: "failed", obtained: answer.shown, ...statement };
  }
  return { verdict: "passed" };
}
