/**
 * Tests that have to run as code. The program answers a list of calls in one run; the judge runs the test against what
 * was recorded and says which calls it would make; when those are not the calls recorded, they are recorded again, from
 * the start, in the order the test makes them. A verdict counts only when the recording begins with exactly the calls
 * that the test makes: so a program that keeps state between calls sees what it would see if the test called it.
 */
import { SandboxError } from "../errors.ts";
import type { CallResult } from "../sandbox/sandbox.ts";
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
import type { Plan, RecordedCall, Replay } from "./judge.ts";

/** Rounds of recording; each settles at least one more call of a test. */
const MAX_ROUNDS = 200;
/** A test that makes more calls than this is taken for endless. */
const MAX_CALLS = 10_000;

interface ReplayedTest {
  readonly index: number;
  readonly source: string;
  calls: readonly string[];
  settled: boolean;
}

/** What the program answered to a list of calls; `answers` is shorter than the list where it was stopped. */
interface Recording {
  readonly answers: readonly CallResult[];
  readonly stopped: "timed-out" | "out-of-memory" | "exited" | null;
}

/** Fills in the results of the tests whose plan is to be replayed. @throws SandboxError, SuiteError */
export async function gradeReplays(
  tools: GradingTools,
  request: ProgramRequest,
  tests: readonly { readonly index: number; readonly source: string; readonly plan: Plan }[],
  results: Results,
  signal?: AbortSignal,
): Promise<void> {
  const replayed: ReplayedTest[] = tests.flatMap(({ index, source, plan }) => {
    if (plan.kind !== "replay") return [];
    const stopped = timeOutBefore(results, index);
    if (stopped) results[index] = stopped;
    return stopped ? [] : [{ index, source, calls: plan.calls, settled: false }];
  });
  for (let round = 0; replayed.some((test) => !test.settled); round++) {
    const recording = await record(tools, request, replayed, signal);
    if ("verdict" in recording) {
      for (const { index } of replayed) results[index] = recording;
      return;
    }
    let start = 0;
    for (const test of replayed) {
      const answers = recording.answers.slice(start, start + test.calls.length);
      start += test.calls.length;
      if (test.settled) continue;
      const replay = await tools.judge.replay(test.source, recordedCalls(test.calls, answers), {
        cpuTimeMs: tools.limits.cpuTimeMs,
        ...(signal && { signal }),
      });
      const wanted = wantedCalls(replay, test.calls, answers.length);
      const endless = round >= MAX_ROUNDS || (wanted?.length ?? 0) > MAX_CALLS;
      if (wanted && !endless) {
        test.calls = wanted;
        continue;
      }
      test.settled = true;
      const result: TestResult = endless ? { verdict: "timed-out" } : resultOf(replay, answers, recording);
      results[test.index] = result;
      if (!isStop(result)) continue;
      // What stopped the program in one test stops it in every later one.
      for (const later of replayed.filter(({ settled }) => !settled)) {
        if (later.index < test.index) continue;
        later.settled = true;
        results[later.index] = result;
      }
    }
  }
}

async function record(
  tools: GradingTools,
  request: ProgramRequest,
  tests: readonly ReplayedTest[],
  signal?: AbortSignal,
): Promise<Recording | TestResult> {
  const calls = tests.flatMap((test) => test.calls);
  const { judge } = tools;
  const keep = tests.flatMap((test) => test.calls.map((_, place) => judge.keptName?.(place) ?? ""));
  const run = { calls, encoding: "typed", ...(judge.keptName && { keep }) } as const;
  const result = await runProgram(tools, request, run, signal);
  if (result.kind === "raised") return raisedResult(result);
  return { answers: result.calls, stopped: result.kind === "finished" ? null : result.kind };
}

function recordedCalls(calls: readonly string[], answers: readonly CallResult[]): RecordedCall[] {
  return answers.map((answer, index) => ({
    call: calls[index] as string,
    answer: answer.kind === "value" ? ["value", answer.encoded] : ["raised", answer.exception],
  }));
}

/** The calls to be recorded before the test can be decided; `null` when it is decided. */
function wantedCalls(replay: Replay, recorded: readonly string[], answered: number): readonly string[] | null {
  if (replay.kind === "timed-out" || replay.kind === "out-of-memory") return null;
  const { calls } = replay;
  if (replay.kind !== "needs") return startsWith(recorded, calls) ? null : calls;
  if (answered === recorded.length) return calls;
  // The program was stopped, perhaps by a call that was but a guess: then only what is sure is asked for.
  const sure = calls.slice(0, replay.missing + 1);
  return sure.length === recorded.length && startsWith(recorded, sure) ? null : sure;
}

function startsWith(list: readonly string[], start: readonly string[]): boolean {
  return start.length <= list.length && start.every((call, index) => call === list[index]);
}

function resultOf(replay: Replay, answers: readonly CallResult[], { stopped }: Recording): TestResult {
  switch (replay.kind) {
    case "passed":
      return { verdict: "passed" };
    case "needs":
      return stopResult(stopped ?? "exited");
    case "timed-out":
    case "out-of-memory":
      return { verdict: replay.kind };
    case "failed": {
      const { statement, obtained } = replay;
      return { verdict: "failed", statement, ...(obtained !== undefined && { obtained }) };
    }
    case "error": {
      const { raised, statement, exception = "Exception" } = replay;
      if (raised === undefined) return { verdict: "error", exception, statement };
      const answer = answers[raised];
      if (answer?.kind !== "raised") throw new SandboxError("The judge named a call that did not raise", { raised });
      return { ...raisedResult(answer), statement };
    }
  }
}
