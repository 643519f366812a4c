/**
 * The judge knows what tests expect and runs those that cannot be taken apart. Python's does so in a trusted Python
 * process in which no program ever runs.
 */
import { allSettled } from "../concurrency.ts";
import { SandboxError, SuiteError } from "../errors.ts";
import { withoutAddresses } from "../sandbox/addresses.ts";
import type { ReferenceTest } from "../tasks/task.ts";
import { createTrustedPython, type TrustedCallOptions } from "../sandbox/pyodide/trusted-python.ts";
import { JUDGE_PYTHON } from "./judge-python.mjs";

/** One comparison of a test: evaluate `call` in the program's namespace, compare what came out. */
export interface Check {
  readonly call: string;
  /** `same` is Python's `is` for True, False and None; `true` and `false` are bare and negated conditions. */
  readonly how: "equal" | "different" | "same" | "true" | "false";
  /** Canonical text of the expected value, with `equal`, `different` and `same`. */
  readonly expected?: string;
  /** In the place of `expected`: an expression whose value depends on the interpreter (`sys.getsizeof`). */
  readonly expectedCall?: string;
  /** Capped repr of the expected value. */
  readonly shown?: string;
  /** The statement of the test that this check comes from. */
  readonly text: string;
}

/** How a test is graded. */
export type Plan =
  | { readonly kind: "split"; readonly checks: readonly Check[] }
  /** `calls`: those the test will make, in order, as far as can be told before any answer is known. */
  | { readonly kind: "replay"; readonly calls: readonly string[] };

/** What the program's process said about one call: typed text of the value, or the exception's last line. */
export type Answer = readonly ["value" | "raised", string];

/** One call of a test and what the program answered; equal calls may be answered differently by a program with state. */
export interface RecordedCall {
  readonly call: string;
  readonly answer: Answer;
}

export type Replay = { readonly calls: readonly string[] } & (
  | { readonly kind: "passed" }
  /** An answer is missing: that to `calls[missing]`. What comes after it is a guess. */
  | { readonly kind: "needs"; readonly missing: number }
  /** An assertion failed; `obtained`: capped repr of the program's value in it, if there was exactly one. */
  | { readonly kind: "failed"; readonly obtained?: string; readonly statement: string }
  /** `raised`: place in the recording of the program's exception that ended the test; `exception`: it was the test's own. */
  | { readonly kind: "error"; readonly raised?: number; readonly exception?: string; readonly statement: string }
  | { readonly kind: "timed-out" | "out-of-memory" }
);

export interface ReplayOptions {
  readonly cpuTimeMs?: number;
  readonly signal?: AbortSignal;
}

/** What the reference and the program answered to one input, in the typed encoding; the program's is hostile. */
export interface AnswerPair {
  readonly input: string;
  readonly expected: string;
  readonly obtained: string;
}

export interface MatchRequest extends Pick<ReferenceTest, "comparison" | "tolerance"> {
  readonly pairs: readonly AnswerPair[];
}

/** Knows the tests of one language. */
export interface Judge {
  /** Plans in the order of the tests' sources, cached by source. @throws SuiteError for a test that cannot be used. */
  plan(sources: readonly string[]): Promise<Plan[]>;
  /** Whether the value obtained for `check.call` satisfies the check. `encoded` is in the canonical encoding and hostile. */
  holds(check: Check, value: { readonly encoded: string; readonly shown: string }): boolean;
  /**
   * Runs a test against what the program answered; the n-th request of a call gets the n-th answer to it. `calls` of the
   * result: the calls the test made, in order, then (with `needs`) those it is going to make, as far as can be told.
   * Same recording, same result. @throws SuiteError
   */
  replay(source: string, recording: readonly RecordedCall[], options?: ReplayOptions): Promise<Replay>;
  /**
   * Under which name the program's process keeps an answer that crosses as less than itself, by the place of its call
   * among those of the test; absent where calls say so themselves.
   */
  keptName?(place: number): string;
  /** Whether the answers of each pair are equal in the sense of a reference test; absent where there are no such tests. */
  match?(request: MatchRequest, options?: ReplayOptions): Promise<boolean[] | "timed-out">;
  close(): Promise<void>;
}

/** The judge of Python's tests. */
export interface PythonJudge extends Required<Judge> {
  /** Whether the expressions of each pair are equal in Python, and their canonical texts: for checking the encoding itself. */
  compare(pairs: readonly (readonly [string, string])[]): Promise<{ equal: boolean; encoded: [string, string] }[]>;
}

/** Canonical texts of the builtin values that are false. */
const FALSE = new Set(["N", "q0/1", "s0:", "[]", "()", "D()", "d{}", "{}", "b", "r"]);

function holds(check: Check, { encoded, shown }: { readonly encoded: string; readonly shown: string }): boolean {
  const opaque = encoded.startsWith("?");
  const isTrue = opaque ? encoded.startsWith("?1") : !FALSE.has(encoded);
  switch (check.how) {
    case "true":
      return isTrue;
    case "false":
      return !isTrue;
    case "equal":
      return !opaque && encoded === check.expected;
    case "different":
      return opaque || encoded !== check.expected;
    case "same":
      // 1 and True have the same text; only True is shown as such.
      return !opaque && encoded === check.expected && shown === check.shown;
  }
}

export interface JudgeOptions {
  /** Where the interpreter's memory image is kept; see the Pyodide sandbox. */
  readonly snapshotDirectory?: string;
}

/** A test that cannot be used, with the line (from 1) and its text where it does not parse. */
export interface InvalidTest {
  readonly kind: "invalid";
  readonly reason: string;
  readonly line?: number;
  readonly text?: string;
}

type RawPlan = Plan | InvalidTest;

const MAX_QUOTED = 200;

/** `test`, in its fields, is the source: it tells which test it was. */
export function unusableTest(source: string | undefined, { reason, line, text }: InvalidTest): SuiteError {
  const place = line === undefined ? "" : ` (line ${line}: ${(text ?? "").slice(0, MAX_QUOTED)})`;
  return new SuiteError(`A test cannot be used: ${reason}${place}`, { test: source, reason, line, text });
}

const MAX_CACHED_PLANS = 100_000;
const BATCH = 500;

export function createPythonJudge(options: JudgeOptions = {}): PythonJudge {
  const python = createTrustedPython({ source: JUDGE_PYTHON, ...options });
  const plans = new Map<string, Promise<RawPlan>>();
  let waiting: { source: string; resolve: (plan: RawPlan) => void; reject: (reason: unknown) => void }[] = [];

  async function ask(request: unknown, callOptions?: TrustedCallOptions): Promise<unknown> {
    const reply = await python.call(JSON.stringify(request), callOptions);
    return reply.kind === "answered" ? JSON.parse(reply.text) : reply;
  }

  /** Asks for all plans that were wished for since the last turn of the event loop at once. */
  async function flush(): Promise<void> {
    const batch = waiting.splice(0, BATCH);
    if (waiting.length > 0) queueMicrotask(() => void flush());
    if (batch.length === 0) return;
    try {
      const answer = await ask({ what: "plan", tests: batch.map(({ source }) => source) });
      if (!Array.isArray(answer)) throw new SandboxError("The judge could not read the tests", { answer });
      for (const [index, { resolve }] of batch.entries()) resolve(answer[index] as RawPlan);
    } catch (error) {
      for (const { source, reject } of batch) {
        plans.delete(source);
        reject(error);
      }
    }
  }

  function planOne(source: string): Promise<RawPlan> {
    let plan = plans.get(source);
    if (plan) return plan;
    plan = new Promise((resolve, reject) => {
      if (waiting.length === 0) queueMicrotask(() => void flush());
      waiting.push({ source, resolve, reject });
    });
    if (plans.size >= MAX_CACHED_PLANS) plans.delete(plans.keys().next().value as string);
    plans.set(source, plan);
    return plan;
  }

  return {
    async plan(sources) {
      const found = await allSettled(sources.map((source) => planOne(source)));
      return found.map((plan, index) => {
        if (plan.kind !== "invalid") return plan;
        throw unusableTest(sources[index], plan);
      });
    },
    holds,
    // As in judge-python.mjs.
    keptName: (place) => `_mucode_answer_${place}`,
    async replay(source, recording, callOptions) {
      const request = { what: "replay", test: source, recording: recording.map(({ call, answer }) => [call, answer]) };
      const result = (await ask(request, callOptions)) as Replay | { kind: "unsupported"; reason: string };
      // Text that holds a program's addresses can be a value of a test as well.
      if (result.kind === "failed" && result.obtained !== undefined)
        return { ...result, obtained: withoutAddresses(result.obtained) };
      if (result.kind === "error" && result.exception !== undefined)
        return { ...result, exception: withoutAddresses(result.exception) };
      if (result.kind !== "unsupported") return result;
      throw new SuiteError(`A test cannot be used: it gives the program ${result.reason}`, { test: source });
    },
    async match(request, callOptions) {
      const result = await ask({ what: "match", ...request }, callOptions);
      // Numbers of a program's choosing can make arithmetic endless.
      return Array.isArray(result) ? (result as boolean[]) : "timed-out";
    },
    async compare(pairs) {
      const rows = (await ask({ what: "equal", pairs })) as [boolean, string, string][];
      return rows.map(([equal, left, right]) => ({ equal, encoded: [left, right] }));
    },
    close: () => python.close(),
  };
}
