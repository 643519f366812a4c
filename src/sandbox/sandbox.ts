/**
 * The contract of everything that runs an untrusted program. A backend is responsible for isolation, limits and
 * faithful reporting; it is not responsible for knowing what a right answer is: expected values never reach it.
 */

import type { Language } from "../tasks/task.ts";

export type { Language };

export interface SandboxLimits {
  /** CPU time for the whole job, program and calls together, milliseconds. */
  readonly cpuTimeMs: number;
  /** Memory the program may take on top of the interpreter, bytes. */
  readonly memoryBytes: number;
}

export const DEFAULT_LIMITS: SandboxLimits = { cpuTimeMs: 3000, memoryBytes: 256 * 2 ** 20 };

/** Most characters kept of what a program prints: more than any expected output has. */
export const MAX_STDOUT = 16 * 2 ** 20;

/** Run `program` once, then evaluate every call in its namespace, in order. */
export interface ProgramJob {
  /**
   * Runs before the program in its namespace, as a source of its own: lines of the program keep their numbers. With
   * `stdin` the standard streams are there already, but nothing should be read.
   */
  readonly preamble?: string;
  readonly program: string;
  /**
   * Name that the program defines and the calls use, perhaps dotted. What stands below its definition may raise, and some
   * of it does not run: `docs/grading.md`, "How a function's program runs". Default: the last function or class. With
   * `stdin` it has no meaning.
   */
  readonly entryPoint?: string;
  /** Runs after the program, before the calls; an exception in it is the program's. */
  readonly setupCode?: string;
  /** Expressions of the sandbox's language, e.g. `add(1, 2)`. */
  readonly calls: readonly string[];
  /**
   * Python, with typed encoding: names, one for each call, under which a value that crosses as less than itself (an
   * object, a list with an object in it, one too large) stays in the program's namespace, for later calls to use.
   */
  readonly keep?: readonly string[];
  /**
   * What the program reads from standard input; a file, not a pipe. Where it is given, what the program prints comes back
   * as `stdout`, there are no calls, and ending with status 0 in any way (`sys.exit()`) is a normal end. Default: nothing
   * to read, and what it prints is thrown away.
   */
  readonly stdin?: string;
  /**
   * How values are written, for all calls. `canonical` (default): equal values have equal text. `typed`: JSON that keeps
   * types apart (1, 1.0 and True differ) and from which the value can be built again by a process that is trusted.
   */
  readonly encoding?: "canonical" | "typed";
  readonly limits: SandboxLimits;
}

/** What became of one call. */
export type CallResult =
  /**
   * `encoded`: text of a builtin value in the job's encoding. Canonical text that starts with `?` never matches
   * anything: `?1…` stands for a true object that is no builtin value, `?0…` for a false one. `shown`: a capped repr.
   */
  | { readonly kind: "value"; readonly encoded: string; readonly shown: string }
  /** The call raised; `traceback` holds the program's own lines only, capped. */
  | { readonly kind: "raised"; readonly exception: string; readonly traceback: string };

export type ProgramResult = ProgramEnd & {
  /** CPU time that the program and its calls took, milliseconds; wall time where CPU time cannot be read. */
  readonly cpuTimeMs: number;
};

export type ProgramEnd =
  /**
   * `calls[i]` belongs to `job.calls[i]`. `stdout`: only with `job.stdin`; cut after {@link MAX_STDOUT} characters, with
   * invalid UTF-8 replaced.
   */
  | { readonly kind: "finished"; readonly calls: readonly CallResult[]; readonly stdout?: string }
  /** The program itself (or the preamble or the setup code) raised before any call. */
  | {
      readonly kind: "raised";
      readonly exception: string;
      readonly traceback: string;
      /** Only where it was the preamble, which runs before the program has its say. */
      readonly during?: "preamble";
    }
  /** It was stopped, or (`exited`) ended the interpreter. `calls`: those that had finished before, from the first on. */
  | { readonly kind: "timed-out" | "out-of-memory" | "exited"; readonly calls: readonly CallResult[] };

export interface Sandbox {
  /** What it runs. */
  readonly language: Language;
  /** Part of every verdict's cache key: changes whenever a verdict could. */
  readonly version: string;
  /** Jobs the backend works on at the same time. */
  readonly concurrency: number;
  /** Queues and runs a job. @throws SandboxError when the infrastructure failed (after a retry in a fresh worker). */
  run(job: ProgramJob, signal?: AbortSignal): Promise<ProgramResult>;
  close(): Promise<void>;
}
