/**
 * The sandbox that works everywhere without setup: CPython compiled to WebAssembly (Pyodide) in hardened child
 * processes. Isolation in layers: WebAssembly's own memory; imports sealed while a program runs (`seal.mjs`); a process
 * with an empty environment and no rights to files, processes or code generation; and nothing secret inside, because
 * expected values never get there.
 *
 * Not covered: a program that finds a hole in V8's WebAssembly itself has the rights of the child process, which include
 * the network.
 */
import { cpus } from "node:os";
import { SandboxError } from "../../errors.ts";
import type { CallResult, ProgramJob, ProgramResult, Sandbox } from "../sandbox.ts";
import { createInterpreterPool } from "./interpreter-pool.ts";
import { RUNNER_PYTHON } from "./runner-python.mjs";
import { interpreterKey } from "./snapshot.ts";

export interface PyodideSandboxOptions {
  /** Child processes, about 200 MB each. Default: the number of processor cores. */
  readonly workers?: number;
  /** Where memory images of the prepared interpreter are kept (about 31 MB). Default: a folder of the user's cache. */
  readonly snapshotDirectory?: string;
}

export interface PyodideSandbox extends Sandbox {
  /** Starts all processes now; otherwise they start with the first jobs. @throws SandboxError */
  ready(): Promise<void>;
  /** Process ids of the running interpreters. */
  pids(): readonly number[];
}

/** A sandbox for Python programs. Close it: its processes keep the event loop alive. */
export async function createPyodideSandbox(options: PyodideSandboxOptions = {}): Promise<PyodideSandbox> {
  const workers = options.workers ?? Math.max(1, cpus().length);
  const { snapshotDirectory } = options;
  const pool = createInterpreterPool({
    source: RUNNER_PYTHON,
    workers,
    ...(snapshotDirectory === undefined ? {} : { snapshotDirectory }),
  });
  return {
    version: `pyodide-${await interpreterKey(RUNNER_PYTHON)}`,
    concurrency: workers,
    ready: () => pool.ready(),
    pids: () => pool.pids(),
    close: () => pool.close(),
    async run(job, signal) {
      const steps = stepsOf(job);
      const { cpuTimeMs, memoryBytes } = job.limits;
      const { kind, frames } = await pool.run({ steps, cpuTimeMs, memoryBytes }, signal);
      return readFrames(job, frames, kind === "timed-out");
    },
  };
}

function stepsOf({ program, setupCode, calls, encoding = "canonical" }: ProgramJob): string[] {
  const letter = encoding === "canonical" ? "C" : "T";
  return [`P${program}`, ...(setupCode ? [`S${setupCode}`] : []), ...calls.map((call) => letter + call.trim())];
}

/** The result that the frames tell. They are hostile text: only exactly the expected forms are accepted. */
function readFrames(job: ProgramJob, frames: readonly string[], timedOut: boolean): ProgramResult {
  const before = job.setupCode ? 2 : 1;
  const calls: CallResult[] = [];
  for (const [index, frame] of frames.entries()) {
    const final = frame.startsWith("!");
    const parts = parseFrame(final ? frame.slice(1) : frame);
    const [what, first, second] = parts;
    if (final && (what === "exited" || what === "out-of-memory") && parts.length === 1) return { kind: what, calls };
    if (what === "raised" && parts.length === 3 && final === index < before) {
      const raised = { kind: "raised", exception: printable(first, 400), traceback: printable(second, 600) } as const;
      if (final) return raised;
      calls.push(raised);
    } else if (index >= before && what === "value" && parts.length === 3 && !final) {
      calls.push({ kind: "value", encoded: first as string, shown: printable(second, 400) });
    } else if (!(index < before && what === "ok" && parts.length === 1 && !final)) {
      throw new SandboxError("The Python process gave a malformed frame", { frame: frame.slice(0, 200) });
    }
  }
  if (timedOut) return { kind: "timed-out", calls };
  if (calls.length !== job.calls.length) throw new SandboxError("The Python process gave too few frames");
  return { kind: "finished", calls };
}

function parseFrame(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (Array.isArray(value) && value.every((part) => typeof part === "string")) return value as string[];
  throw new SandboxError("The Python process gave a malformed frame", { frame: text.slice(0, 200) });
}

/** Free of control characters (line breaks and nothing else kept), no longer than `room`. */
function printable(text: string | undefined, room: number): string {
  // oxlint-disable-next-line no-control-regex
  return (text ?? "")
    .slice(0, room)
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, " ");
}
