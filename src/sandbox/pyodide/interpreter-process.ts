/**
 * One hardened child process with a Python interpreter in it: starting, sending jobs, hearing frames, killing. Everything
 * that comes from the child is treated as hostile text: whatever is not exactly of the expected form ends the process.
 */
import type { ChildProcess } from "node:child_process";
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SandboxError } from "../../errors.ts";
import { spawnNode } from "../spawn-node.ts";
import { isOverWallLimit } from "../wall-limit.ts";
import { missingWallError } from "../missing-wall.ts";
import { type CpuClock, createCpuClock } from "./cpu-clock.ts";
import { type JobEnd, type JobProgress, readMessage } from "./job-messages.ts";

/** What the child did with one job. `frames[i]` answers `steps[i]`; fewer than the steps when it ended early. */
export interface JobOutcome {
  /** `died`: the process ended by itself, or said something malformed. */
  readonly kind: "done" | "timed-out" | "died" | "aborted";
  readonly frames: readonly string[];
  /** CPU time the job took so far as it went; wall time where CPU time cannot be read. */
  readonly cpuTimeMs: number;
  /** What was printed, with `done`, where the job has `stdin`. */
  readonly stdout?: string;
}

export interface InterpreterJob {
  /** Texts for the source's `step` function, one after the other. */
  readonly steps: readonly string[];
  readonly cpuTimeMs: number;
  readonly memoryBytes: number;
  /** What can be read from standard input; where it is given, standard output is collected. */
  readonly stdin?: string;
}

export interface InterpreterProcess {
  readonly pid: number;
  /** True until the process ended or must not be used again. */
  readonly usable: boolean;
  /** Runs one job at a time. Never rejects. */
  run(job: InterpreterJob, signal?: AbortSignal): Promise<JobOutcome>;
  /** Kills the process; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface InterpreterOptions {
  /** Python that defines `step(text: str) -> str` (ASCII). */
  readonly source: string;
  /** Memory image to start from; without it the interpreter starts cold (some seconds). */
  readonly snapshotPath?: string;
}

/** A net for a start that hangs: a cold one takes some seconds, on a slow and busy machine a minute and more. */
const START_TIMEOUT_MS = 300_000;
/** Wall time granted per CPU time where the CPU clock works, so that only waiting or a broken clock is caught by it. */
const WALL_FACTOR_WITH_CPU_CLOCK = 5;
const WALL_FACTOR_WITHOUT = 2;
const POLL_MS = 50;

const hostPath = realpathSync(fileURLToPath(new URL("./host.mjs", import.meta.url)));

/** Folder of the installed pyodide package. */
export function pyodideFolder(): string {
  return realpathSync(dirname(createRequire(import.meta.url).resolve("pyodide/package.json")));
}

/** Starts the bare child process: flags, environment and file rights are the same for every use of it. */
export function spawnHost(readable: readonly string[], stdout: "ignore" | "pipe"): ChildProcess {
  const folder = pyodideFolder();
  const permission = process.allowedNodeEnvironmentFlags.has("--permission")
    ? "--permission"
    : "--experimental-permission";
  const walls = join(dirname(dirname(hostPath)), "walls.mjs");
  const allowed = [join(folder, "*"), join(dirname(hostPath), "*"), walls, ...readable];
  return spawnNode(
    [
      "--no-warnings",
      "--disallow-code-generation-from-strings",
      permission,
      "--allow-worker",
      ...allowed.map((path) => `--allow-fs-read=${path}`),
      hostPath,
      JSON.stringify({ pyodideFolder: folder, parentPid: process.pid }),
    ],
    { env: {}, cwd: dirname(hostPath), stdio: ["ignore", stdout, "ignore", "ipc"], windowsHide: true },
  );
}

/**
 * Starts an interpreter and waits until it takes jobs.
 * @throws SandboxError when it does not get ready, ConfigError where one of its walls is missing.
 */
export async function startInterpreter(options: InterpreterOptions): Promise<InterpreterProcess> {
  const { source, snapshotPath } = options;
  const child = spawnHost(snapshotPath === undefined ? [] : [snapshotPath], "ignore");
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => fail("did not get ready in time"), START_TIMEOUT_MS);
    function fail(reason: string): void {
      refuse(new SandboxError(`The Python interpreter could not be started: ${reason}`, { snapshotPath }));
    }
    function refuse(error: Error): void {
      clearTimeout(timer);
      child.removeAllListeners("message");
      child.kill("SIGKILL");
      reject(error);
    }
    child.once("message", (message: { ready?: unknown; failed?: unknown; missingWall?: unknown }) => {
      if (typeof message.missingWall === "string") return refuse(missingWallError("Python", message.missingWall));
      if (message.ready !== true) return fail(String(message.failed).slice(0, 500));
      clearTimeout(timer);
      resolve();
    });
    void gone.then(() => fail("the process ended"));
    child.send({ prepare: { source, snapshotPath } }, () => {});
  });
  return wrapProcess(child, gone);
}

function wrapProcess(child: ChildProcess, gone: Promise<void>): InterpreterProcess {
  const pid = child.pid as number;
  const clock: CpuClock | null = createCpuClock(pid);
  let usable = true;
  let jobId = 0;
  let current: (JobProgress & { settle: (kind: JobOutcome["kind"], end?: JobEnd) => void }) | null = null;

  function kill(): Promise<void> {
    usable = false;
    child.kill("SIGKILL");
    return gone;
  }
  void gone.then(() => {
    usable = false;
    current?.settle("died");
  });
  child.on("error", () => {});
  child.on("message", (message: unknown) => {
    const job = current;
    const read = job ? readMessage(message, job) : "malformed";
    if (read === "malformed") {
      job?.settle("died");
      void kill();
    } else if (read !== "frame") {
      job?.settle("done", read);
      if (read.retire) void kill();
    }
  });

  function run(job: InterpreterJob, signal?: AbortSignal): Promise<JobOutcome> {
    if (!usable || current) return Promise.resolve({ kind: "died", frames: [], cpuTimeMs: 0 });
    return new Promise((resolve) => {
      const id = ++jobId;
      const cpuAtStart = clock?.() ?? null;
      const wallLimit = job.cpuTimeMs * (cpuAtStart === null ? WALL_FACTOR_WITHOUT : WALL_FACTOR_WITH_CPU_CLOCK) + 1000;
      const started = performance.now();
      const frames: string[] = [];
      const cpuUsed = (): number | null => {
        const now = cpuAtStart === null ? null : (clock?.() ?? null);
        return now === null ? null : now - (cpuAtStart as number);
      };
      const watch = setInterval(() => {
        const cpuMs = cpuUsed();
        const isOver = isOverWallLimit(performance.now() - started, wallLimit, cpuMs);
        if ((cpuMs ?? 0) > job.cpuTimeMs || isOver) settle("timed-out");
      }, POLL_MS);
      const abort = (): void => settle("aborted");
      function settle(kind: JobOutcome["kind"], end?: JobEnd): void {
        if (current?.id !== id) return;
        const cpuTimeMs = end?.cpuTimeMs ?? cpuUsed() ?? performance.now() - started;
        current = null;
        clearInterval(watch);
        signal?.removeEventListener("abort", abort);
        if (kind !== "done") void kill();
        resolve({ kind, frames, cpuTimeMs, ...(end?.stdout !== undefined && { stdout: end.stdout }) });
      }
      current = { id, frames, steps: job.steps.length, collectsStdout: job.stdin !== undefined, settle };
      signal?.addEventListener("abort", abort, { once: true });
      const { steps, memoryBytes, stdin } = job;
      child.send({ id, steps, memoryBytes, stdin }, (error) => {
        if (error) settle("died");
      });
    });
  }

  return {
    pid,
    get usable() {
      return usable;
    },
    run,
    kill,
  };
}
