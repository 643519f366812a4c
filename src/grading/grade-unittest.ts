/**
 * Classes of `unittest.TestCase`. They replace parts of the program and of its modules, so they run in the program's own
 * process, one run for each test of the task. That process says itself what came of them: a program that was made for it
 * could read them and lie. It can learn nothing of other tests, which are not in that run.
 */
import { SuiteError } from "../errors.ts";
import type { UnittestTest } from "../tasks/task.ts";
import type { TestResult } from "./grade.ts";
import {
  type GradingTools,
  type ProgramRequest,
  raisedResult,
  type Results,
  runProgram,
  stopResult,
  timeOutBefore,
} from "./grading-tools.ts";

/** Most characters that a result keeps of what a test says of its failure. */
const MAX_REASON = 300;

/** Fills in the results of the unittest tests. @throws SandboxError, SuiteError */
export async function gradeUnittests(
  tools: GradingTools,
  request: ProgramRequest,
  results: Results,
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, test] of request.tests.entries()) {
    if (test.kind !== "unittest") continue;
    results[index] = timeOutBefore(results, index) ?? (await gradeOne(tools, request, test, signal));
  }
}

async function gradeOne(
  tools: GradingTools,
  request: ProgramRequest,
  { source }: UnittestTest,
  signal?: AbortSignal,
): Promise<TestResult> {
  if (tools.sandbox.language !== "python") throw new SuiteError("Tests of kind unittest are for Python alone");
  const names = [...source.matchAll(/^class\s+(\w+)\s*\([^)\n]*TestCase\b/gm)].map(([, name]) => name);
  const setupCode = [request.setupCode ?? "", source, RUN_CASES].join("\n\n");
  const calls = [`_mucode_run_cases([${names.join(", ")}])`];
  const run = await runProgram(tools, { ...request, setupCode }, { calls, encoding: "typed" }, signal);
  if (run.kind === "raised") return raisedResult(run);
  const answer = run.calls[0];
  if (answer?.kind === "raised") return raisedResult(answer);
  if (answer === undefined) return stopResult(run.kind === "finished" ? "exited" : run.kind);
  return readOutcome(answer.encoded);
}

/** `[name, kind, last line]` of the first test method that went wrong, or `None`. The whole of it may be forged. */
function readOutcome(encoded: string): TestResult {
  const outcome = parse(encoded);
  if (outcome === null) return { verdict: "passed" };
  const [kind, body] = Array.isArray(outcome) ? (outcome as unknown[]) : [];
  const parts = kind === "list" && Array.isArray(body) && body.every((part) => typeof part === "string") ? body : [];
  const [statement = "the tests", what = "error", reason = "no outcome"] = parts.map((part) =>
    part.slice(0, MAX_REASON),
  );
  return what === "failed"
    ? { verdict: "failed", statement, obtained: reason }
    : { verdict: "error", statement, exception: reason };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const RUN_CASES = `
def _mucode_run_cases(classes):
    import unittest

    class Result(unittest.TestResult):
        first = None

        def note(self, test, kind, error):
            if self.first is None:
                kind = 'failed' if issubclass(error[0], test.failureException) else kind
                text = str(error[1]).strip().split('\\n')[0]
                name = error[0].__name__
                self.first = [str(test.id()).rpartition('.')[2], kind, name + ': ' + text if text else name]

        def addError(self, test, error):
            self.note(test, 'error', error)

        def addFailure(self, test, error):
            self.note(test, 'failed', error)

        def addSubTest(self, test, subtest, error):
            if error is not None:
                self.note(test, 'error', error)

        def addUnexpectedSuccess(self, test):
            self.note(test, 'failed', (AssertionError, 'an unexpected success', None))

    result = Result()
    for each in classes:
        unittest.defaultTestLoader.loadTestsFromTestCase(each).run(result)
    if result.first is None and result.testsRun == 0:
        return ['the tests', 'error', 'RuntimeError: there is no test method']
    return result.first
`;
