/**
 * The sandbox for JavaScript programs: QuickJS compiled to WebAssembly in hardened child processes. Isolation in layers:
 * a WebAssembly instance and a memory of its own for every program; a realm without any function of the host; a process
 * with an empty environment and no rights to files, processes or code generation; and nothing secret inside, because
 * expected values never get there.
 *
 * Not covered: a program that finds a hole in V8's WebAssembly itself has the rights of the child process, which include
 * the network.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import type { Sandbox } from "../sandbox.ts";
import { RUNNER_SOURCE, WORLD_SOURCES } from "./boot.ts";
import { readFrames, stepsOf } from "./program-frames.ts";
import { createQuickjsPool } from "./quickjs-pool.ts";

export interface QuickjsSandboxOptions {
  /** Child processes, about 70 MB each. Default: the number of processor cores. */
  readonly workers?: number;
}

export interface QuickjsSandbox extends Sandbox {
  /** Starts all processes now; otherwise they start with the first jobs. @throws SandboxError */
  ready(): Promise<void>;
  /** Process ids of the running workers. */
  pids(): readonly number[];
}

/** A sandbox for JavaScript programs (ES2023 scripts, not modules). Close it: its processes keep the event loop alive. */
export async function createQuickjsSandbox(options: QuickjsSandboxOptions = {}): Promise<QuickjsSandbox> {
  const workers = options.workers ?? Math.max(1, cpus().length);
  const pool = createQuickjsPool({ boot: RUNNER_SOURCE, world: WORLD_SOURCES, trusted: false, workers });
  return {
    language: "javascript",
    version: `quickjs-${versionOf(RUNNER_SOURCE + WORLD_SOURCES)}`,
    concurrency: workers,
    ready: () => pool.ready(),
    pids: () => pool.pids(),
    close: () => pool.close(),
    async run(job, signal) {
      const { cpuTimeMs, memoryBytes } = job.limits;
      const steps = stepsOf(job);
      const { frames, kind, ...outcome } = await pool.run({ steps, cpuTimeMs, memoryBytes }, signal);
      const end = readFrames(job, { steps, frames, timedOut: kind === "timed-out" });
      return { ...end, cpuTimeMs: outcome.cpuTimeMs };
    },
  };
}

/** Digest of the interpreter and of all code that runs inside it or talks to it. */
function versionOf(source: string): string {
  const hash = createHash("sha256").update(source);
  hash.update(readFileSync(fileURLToPath(import.meta.resolve("@jitl/quickjs-wasmfile-release-sync/wasm"))));
  for (const name of ["host.mjs", "instance.mjs"]) hash.update(readFileSync(new URL(name, import.meta.url)));
  return hash.digest("hex").slice(0, 16);
}
