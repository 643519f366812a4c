/** Tests against a reference program: answers whose texts are equal are equal; the judge is asked about the others. */
import { SandboxError, SuiteError } from "../errors.ts";
import type { CallResult } from "../sandbox/sandbox.ts";
import type { ReferenceTest } from "../tasks/task.ts";
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
import type { AnswerPair, Judge } from "./judge.ts";
import { callsOf, isOpaque } from "./references.ts";

/** Pairs the judge is asked about at first; twice as many each time, since the first may decide. */
const FIRST_BATCH = 32;

/** Fills in the results of the reference tests, one run each. @throws SandboxError, SuiteError */
export async function gradeReferences(
  tools: GradingTools,
  request: ProgramRequest,
  results: Results,
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, test] of request.tests.entries()) {
    if (test.kind !== "reference") continue;
    results[index] = timeOutBefore(results, index) ?? (await gradeOne(tools, request, test, signal));
  }
}

async function gradeOne(
  tools: GradingTools,
  request: ProgramRequest,
  test: ReferenceTest,
  signal?: AbortSignal,
): Promise<TestResult> {
  const { sandbox, judge, references } = tools;
  const expected = await references.answers(sandbox, test, request, signal);
  const calls = callsOf(test);
  const { memoryBytes } = expected;
  const run = await runProgram(tools, request, { calls, encoding: "typed", memoryBytes }, signal);
  if (run.kind === "raised") return raisedResult(run);

  // The answers up to the first that is missing or was raised; what differs in text among them is the judge's to say.
  const end = run.calls.findIndex((answer) => answer.kind === "raised");
  const values = end < 0 ? run.calls : run.calls.slice(0, end);
  const doubtful = values.flatMap((answer, place) =>
    answer.kind === "value" && !isSettled(test, answer.encoded, expected.values[place]!.encoded) ? [place] : [],
  );
  const pairs = doubtful.map((place) => ({
    input: test.inputs[place] as string,
    expected: expected.values[place]!.encoded,
    obtained: (values[place] as CallResult & { kind: "value" }).encoded,
  }));
  const different = await firstDifferent(judge, test, pairs, signal);
  if (different === "timed-out") return { verdict: "timed-out" };
  if (different !== null) {
    const place = doubtful[different] as number;
    const { shown } = values[place] as CallResult & { kind: "value" };
    const wanted = test.comparison === "root" ? {} : { expected: expected.values[place]!.shown };
    return { verdict: "failed", obtained: shown, ...wanted, statement: calls[place] as string };
  }
  const raised = run.calls[end];
  if (raised?.kind === "raised") return { ...raisedResult(raised), statement: calls[end] as string };
  if (run.kind !== "finished") return { ...stopResult(run.kind), statement: calls[run.calls.length] as string };
  if (values.length !== test.inputs.length) throw new SandboxError("The sandbox gave too few results");
  return { verdict: "passed" };
}

/** Place of the first pair that is not equal in the test's sense. */
async function firstDifferent(
  judge: Judge,
  { comparison, tolerance }: ReferenceTest,
  pairs: readonly AnswerPair[],
  signal?: AbortSignal,
): Promise<number | "timed-out" | null> {
  if (pairs.length > 0 && !judge.match) throw new SuiteError("Reference tests are for Python alone");
  for (let start = 0, size = FIRST_BATCH; start < pairs.length; start += size, size *= 2) {
    const batch = pairs.slice(start, start + size);
    const matches = await judge.match?.({ comparison, tolerance, pairs: batch }, signal ? { signal } : {});
    if (!Array.isArray(matches)) return "timed-out";
    const place = matches.indexOf(false);
    if (place >= 0) return start + place;
  }
  return null;
}

/** Whether equality shows in the texts alone. */
function isSettled({ comparison }: ReferenceTest, obtained: string, expected: string): boolean {
  if (comparison === "presence") return (obtained === "null") === (expected === "null");
  return comparison !== "root" && obtained === expected && !isOpaque(obtained);
}
