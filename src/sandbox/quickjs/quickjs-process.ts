/**
 * One hardened child process that runs QuickJS: starting, sending jobs, hearing frames, killing. Whatever the child says
 * that is not exactly of the expected form ends it: it is a process in which programs nobody has read were run.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SandboxError } from "../../errors.ts";
import { isOverWallLimit } from "../wall-limit.ts";
import { missingWallError } from "../missing-wall.ts";
import { createCpuClock } from "../pyodide/cpu-clock.ts";
import { spawnNode } from "../spawn-node.ts";

export interface QuickjsJob {
  /** See `host.mjs`. */
  readonly steps: readonly string[];
  readonly cpuTimeMs: number;
  readonly memoryBytes: number;
}

/** `frames[i]` answers `steps[i]`; fewer where a frame said that it was the last, or the process ended. */
export interface QuickjsOutcome {
  /** `died`: the process ended by itself, or said something malformed. */
  readonly kind: "done" | "timed-out" | "died" | "aborted";
  readonly frames: readonly string[];
  /** CPU time of the job, milliseconds; 0 where it is not known. */
  readonly cpuTimeMs: number;
}

export interface QuickjsProcess {
  readonly pid: number;
  /** True until the process ended or must not be used again. */
  readonly usable: boolean;
  /** Runs one job at a time. Never rejects. */
  run(job: QuickjsJob, signal?: AbortSignal): Promise<QuickjsOutcome>;
  /** Kills the process; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface QuickjsProcessOptions {
  /** Expression evaluated in every realm before anything else; see `boot.ts`. */
  readonly boot: string;
  /** What the runner's `worldFrom` is called with in every realm that is not trusted. */
  readonly world?: string;
  /** Whether the steps are texts for the function that `boot` evaluates to, rather than programs and calls. */
  readonly trusted: boolean;
}

const START_TIMEOUT_MS = 300_000;
/** The child stops most programs itself; this is for those stuck where QuickJS does not look at the clock. */
const EXTRA_CPU_MS = 300;
const WALL_FACTOR = 5;
const POLL_MS = 100;
/** Longest frame believed, characters; the encoding is capped well below it. */
const MAX_FRAME = 40 * 2 ** 20;

const hostPath = realpathSync(fileURLToPath(new URL("./host.mjs", import.meta.url)));

function spawnHost(): ChildProcess {
  const permission = process.allowedNodeEnvironmentFlags.has("--permission")
    ? "--permission"
    : "--experimental-permission";
  const core = foldersOf("quickjs-emscripten-core", hostPath);
  const variant = foldersOf("@jitl/quickjs-wasmfile-release-sync", hostPath);
  const types = [core, variant].flatMap((folders) => foldersOf("@jitl/quickjs-ffi-types", folders.at(-1) as string));
  const readable = [dirname(dirname(hostPath)), ...core, ...variant, ...types];
  return spawnNode(
    [
      "--no-warnings",
      "--disallow-code-generation-from-strings",
      permission,
      "--allow-worker",
      ...new Set(readable.map((path) => `--allow-fs-read=${join(path, "*")}`)),
      hostPath,
      JSON.stringify({ parentPid: process.pid }),
    ],
    { env: {}, cwd: dirname(hostPath), stdio: ["ignore", "ignore", "ignore", "ipc"], windowsHide: true },
  );
}

/** Where Node finds a package from a file: the folder, and where it really is if that is a link. */
function foldersOf(name: string, from: string): string[] {
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(found)) return [...new Set([found, realpathSync(found)])];
    if (folder === dirname(folder)) throw new SandboxError(`The package ${name} is not installed`, { from });
  }
}

/**
 * Starts a process and waits until it takes jobs.
 * @throws SandboxError when it does not get ready, ConfigError where one of its walls is missing.
 */
export async function startQuickjsProcess(options: QuickjsProcessOptions): Promise<QuickjsProcess> {
  const child = spawnHost();
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => fail("did not get ready in time"), START_TIMEOUT_MS);
    function fail(reason: string): void {
      refuse(new SandboxError(`The QuickJS process could not be started: ${reason}`));
    }
    function refuse(error: Error): void {
      clearTimeout(timer);
      child.removeAllListeners("message");
      child.kill("SIGKILL");
      reject(error);
    }
    child.once("message", (message: { ready?: unknown; failed?: unknown; missingWall?: unknown }) => {
      if (typeof message.missingWall === "string") return refuse(missingWallError("QuickJS", message.missingWall));
      if (message.ready !== true) return fail(String(message.failed).slice(0, 500));
      clearTimeout(timer);
      resolve();
    });
    void gone.then(() => fail("the process ended"));
    child.send({ prepare: options }, () => {});
  });
  return wrap(child, gone);
}

interface Current {
  readonly id: number;
  readonly steps: number;
  readonly frames: string[];
  settle(kind: QuickjsOutcome["kind"], cpuTimeMs: number): void;
}

function wrap(child: ChildProcess, gone: Promise<void>): QuickjsProcess {
  const pid = child.pid as number;
  const clock = createCpuClock(pid);
  let usable = true;
  let jobId = 0;
  let current: Current | null = null;

  function kill(): Promise<void> {
    usable = false;
    child.kill("SIGKILL");
    return gone;
  }
  void gone.then(() => {
    usable = false;
    current?.settle("died", 0);
  });
  child.on("error", () => {});
  child.on("message", (message: unknown) => {
    const job = current;
    const heard = job && hear(message, job);
    if (job && typeof heard === "number") job.settle("done", heard);
    else if (heard !== "frame") {
      job?.settle("died", 0);
      void kill();
    }
  });

  return {
    pid,
    get usable() {
      return usable;
    },
    kill,
    run(job, signal) {
      if (!usable || current) return Promise.resolve({ kind: "died", frames: [], cpuTimeMs: 0 });
      return new Promise((resolve) => {
        const id = ++jobId;
        const cpuAtStart = clock?.() ?? null;
        const started = performance.now();
        const cpuLimit = job.cpuTimeMs + EXTRA_CPU_MS;
        const frames: string[] = [];
        const watch = setInterval(() => {
          const cpu = cpuAtStart === null ? null : (clock?.() ?? null);
          const cpuMs = cpu === null ? null : cpu - (cpuAtStart as number);
          const isOver = isOverWallLimit(performance.now() - started, WALL_FACTOR * cpuLimit + 1000, cpuMs);
          if ((cpuMs ?? 0) > cpuLimit || isOver) settle("timed-out", job.cpuTimeMs);
        }, POLL_MS);
        const abort = (): void => settle("aborted", 0);
        function settle(kind: QuickjsOutcome["kind"], cpuTimeMs: number): void {
          if (current?.id !== id) return;
          current = null;
          clearInterval(watch);
          signal?.removeEventListener("abort", abort);
          if (kind !== "done") void kill();
          resolve({ kind, frames, cpuTimeMs });
        }
        current = { id, steps: job.steps.length, frames, settle };
        signal?.addEventListener("abort", abort, { once: true });
        child.send({ id, steps: job.steps, cpuTimeMs: job.cpuTimeMs, memoryBytes: job.memoryBytes }, (error) => {
          if (error) settle("died", 0);
        });
      });
    },
  };
}

/** Takes one message: a frame, collected; the CPU time with which the job ended; or something malformed. */
function hear(message: unknown, job: Current): "frame" | "malformed" | number {
  if (typeof message !== "object" || message === null) return "malformed";
  const { id, step, frame, done, cpuMs } = message as Record<string, unknown>;
  if (id !== job.id) return "malformed";
  const ended = job.frames.at(-1)?.startsWith("!") === true;
  if (done === true) {
    const complete = ended || job.frames.length === job.steps;
    return complete && typeof cpuMs === "number" && cpuMs >= 0 ? cpuMs : "malformed";
  }
  if (ended || step !== job.frames.length || job.frames.length >= job.steps) return "malformed";
  if (typeof frame !== "string" || frame.length > MAX_FRAME) return "malformed";
  job.frames.push(frame);
  return "frame";
}
