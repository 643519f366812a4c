/**
 * A Python process for trusted code (reading tests, checking values): the same hardened host as for programs, but no
 * program ever runs in it.
 */
import { SandboxError } from "../../errors.ts";
import { createInterpreterPool } from "./interpreter-pool.ts";

export interface TrustedPythonOptions {
  /** Python that defines `step(text: str) -> str` (ASCII out). Every call starts from the state after loading it. */
  readonly source: string;
  readonly snapshotDirectory?: string;
}

export interface TrustedCallOptions {
  /** CPU time, milliseconds. Default: generous, since a batch may hold hundreds of tests. */
  readonly cpuTimeMs?: number;
  readonly signal?: AbortSignal;
}

export interface TrustedPython {
  /**
   * Calls `step(text)`. `timed-out` and `out-of-memory` are ordinary answers, because the text may hold values that a
   * program chose. @throws SandboxError when the process failed otherwise.
   */
  call(
    text: string,
    options?: TrustedCallOptions,
  ): Promise<{ kind: "answered"; text: string } | { kind: "timed-out" | "out-of-memory" }>;
  /** Starts the process now rather than with the first call. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_CPU_TIME_MS = 20_000;
const MEMORY_BYTES = 512 * 2 ** 20;

export function createTrustedPython(options: TrustedPythonOptions): TrustedPython {
  const pool = createInterpreterPool({ ...options, workers: 1 });
  return {
    ready: () => pool.ready(),
    close: () => pool.close(),
    async call(text, { cpuTimeMs = DEFAULT_CPU_TIME_MS, signal } = {}) {
      const outcome = await pool.run({ steps: [text], cpuTimeMs, memoryBytes: MEMORY_BYTES }, signal);
      if (outcome.kind === "timed-out") return { kind: "timed-out" };
      const frame = outcome.frames[0] ?? "";
      if (frame.startsWith('!["out-of-memory"]')) return { kind: "out-of-memory" };
      // The host says so itself when the stack overflows.
      const overflowed = frame.startsWith('["raised","RecursionError');
      if (overflowed || frame.startsWith("!"))
        throw new SandboxError("The trusted Python process ended unexpectedly", { frame: frame.slice(0, 200) });
      return { kind: "answered", text: frame };
    },
  };
}
