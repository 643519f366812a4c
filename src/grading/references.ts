/**
 * The answers of reference programs. A reference runs once in the sandbox, in a job of its own, and its answers stay
 * outside every candidate's process.
 */
import { SuiteError } from "../errors.ts";
import type { CallResult, ProgramResult, Sandbox, SandboxLimits } from "../sandbox/sandbox.ts";
import type { ReferenceTest } from "../tasks/task.ts";
import { digestOf } from "./digest.ts";
import type { GradeRequest } from "./grade.ts";
import { checkPreamble, surroundings } from "./grading-tools.ts";
import { createSharedRuns } from "./shared-runs.ts";
import { MAX_CPU_TIME_MS } from "./time-limits.ts";

/** A reference is trusted to end; this only keeps a broken one from running for ever. */
const REFERENCE_LIMITS: SandboxLimits = { cpuTimeMs: MAX_CPU_TIME_MS, memoryBytes: 1024 * 2 ** 20 };
/** What a reference is given when that is not enough, bytes: the limit that EvalPlus itself sets. */
const HUGE_MEMORY = 4096 * 2 ** 20;
const CACHED_REFERENCES = 5000;

export interface ReferenceAnswers {
  /** `values[i]` belongs to `test.inputs[i]`. */
  readonly values: readonly (CallResult & { kind: "value" })[];
  readonly cpuTimeMs: number;
  /** Memory limit under which the reference ended. A candidate may need as much. */
  readonly memoryBytes: number;
}

/** Code of the task that runs around every program, hence around its reference. */
type Surroundings = Pick<GradeRequest, "preamble" | "setupCode">;

/** Runs each reference once for the same inputs in the same sandbox. */
export interface References {
  /** @throws SuiteError for a reference that does not answer every input. @throws SandboxError */
  answers(sandbox: Sandbox, test: ReferenceTest, around: Surroundings, signal?: AbortSignal): Promise<ReferenceAnswers>;
  /** Canonical text of an expression of a test, evaluated where programs run, but without one. @throws SuiteError */
  value(sandbox: Sandbox, expression: string, signal?: AbortSignal): Promise<string>;
}

export function createReferences(): References {
  const runs = createSharedRuns<ReferenceAnswers>(CACHED_REFERENCES);
  const values = createSharedRuns<string>(CACHED_REFERENCES);
  return {
    async answers(sandbox, test, around, signal) {
      const { preamble = null, setupCode = null } = around;
      const key = await digestOf([await digestOf(test), preamble, setupCode, sandbox.version]);
      return runs.run(key, (shared) => runReference(sandbox, test, around, shared), signal);
    },
    value: (sandbox, expression, signal) =>
      values.run(`${sandbox.version} ${expression}`, (shared) => evaluate(sandbox, expression, shared), signal),
  };
}

async function runReference(
  sandbox: Sandbox,
  test: ReferenceTest,
  around: Surroundings,
  signal: AbortSignal,
): Promise<ReferenceAnswers> {
  const sources = { ...surroundings(around), program: test.reference, entryPoint: test.entryPoint };
  const calls = callsOf(test);
  const runWithin = (memoryBytes: number): Promise<ProgramResult> =>
    sandbox.run({ ...sources, calls, encoding: "typed", limits: { ...REFERENCE_LIMITS, memoryBytes } }, signal);
  let { memoryBytes } = REFERENCE_LIMITS;
  let run = await runWithin(memoryBytes);
  if (run.kind === "out-of-memory") run = await runWithin((memoryBytes = HUGE_MEMORY));
  checkPreamble(run);
  if (run.kind === "raised") throw brokenReference(test, `raises ${run.exception}`);
  const values = run.calls.map((answer, index) => {
    if (answer.kind === "raised") throw brokenReference(test, `raises ${answer.exception}`, calls[index]);
    if (needsValues(test) && isOpaque(answer.encoded))
      throw brokenReference(test, "answers with no builtin value, or too large a one", calls[index]);
    return answer;
  });
  if (run.kind !== "finished") throw brokenReference(test, `ended early (${run.kind})`, calls[values.length]);
  return { values, cpuTimeMs: run.cpuTimeMs, memoryBytes };
}

async function evaluate(sandbox: Sandbox, expression: string, signal: AbortSignal): Promise<string> {
  const run = await sandbox.run({ program: "", calls: [expression], limits: REFERENCE_LIMITS }, signal);
  const value = run.kind === "finished" ? run.calls[0] : undefined;
  if (value?.kind === "value") return value.encoded;
  throw new SuiteError(`A test cannot be used: ${expression.slice(0, 200)} has no value`, { expression });
}

function brokenReference({ entryPoint }: ReferenceTest, what: string, call?: string): SuiteError {
  const at = call === undefined ? "" : ` on ${call.slice(0, 200)}`;
  return new SuiteError(`A test cannot be used: its reference ${what}${at}`, { entryPoint, call });
}

export function callsOf({ entryPoint, inputs }: ReferenceTest): string[] {
  return inputs.map((input) => `${entryPoint}(${input})`);
}

/** Whether the comparison looks at values at all, not only at whether there is one. */
function needsValues({ comparison }: ReferenceTest): boolean {
  return comparison === "equal" || comparison === "set";
}

/** Whether the text stands for an object, or holds one. Parsed only where it may: a list of strings can look like one. */
export function isOpaque(encoded: string): boolean {
  return encoded.includes('["?"') && holdsObject(JSON.parse(encoded));
}

function holdsObject(node: unknown): boolean {
  if (!Array.isArray(node)) return false;
  const [kind, body] = node as unknown[];
  return kind === "?" || (Array.isArray(body) && body.some(holdsObject));
}
