/**
 * A program that runs beside this process for minutes or days: a model server, a trainer. Its output goes into a log
 * file; it is ended with everything it has started, also when this process is killed; and where its supervisor is
 * killed as well, it is found by its record at the next start (`leftovers.ts`).
 */
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { fileError } from "../store/file-errors.ts";
import { recordProcess } from "./leftovers.ts";
import { openLogTail } from "./log-tail.ts";
import { endTree } from "./process-tree.mjs";

export interface ManagedProcessOptions {
  /** The program and its arguments; no shell reads them. */
  readonly command: readonly string[];
  /** Added to this process's own environment; `undefined` takes a variable out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly directory?: string;
  /** Both outputs are appended to it. */
  readonly logFile: string;
  /** Directory of records by which a later start finds what this one left behind. */
  readonly records: string;
  /** Between asking the program to end (SIGTERM) and ending it by force. Default 10 000. */
  readonly graceMs?: number;
  /** Called with each line of output, soon after it was written. */
  readonly onLine?: (line: string) => void;
}

/** How a program ended. */
export type ProcessExit =
  /** It could not be started, e.g. ENOENT. */
  | { readonly kind: "not-started"; readonly code: string | undefined; readonly message: string }
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "killed"; readonly signal: NodeJS.Signals }
  /** Its supervisor was ended from outside, and it with it. */
  | { readonly kind: "lost" };

export interface ManagedProcess {
  /** `null` until it runs, and when it could not be started. */
  readonly pid: number | null;
  readonly command: readonly string[];
  readonly logFile: string;
  /** Resolves when the program and all that it started are gone and its log is read to the end. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** When it last wrote something, or was started, by `performance.now()`. */
  readonly heardMs: number;
  /** The latest lines of its output, oldest first. */
  lastLines(): readonly string[];
  /** Ends it, by force after `graceMs`. */
  stop(options?: { readonly graceMs?: number }): Promise<ProcessExit>;
}

const supervisorPath = fileURLToPath(new URL("./supervisor.mjs", import.meta.url));
const defaultGraceMs = 10_000;
const readEveryMs = 100;
/** How long a supervisor may take beyond the grace; it takes most of it when a process hangs in the kernel. */
const partingMs = 15_000;

type Report =
  | { readonly running: { readonly pid: number; readonly start: string | null } }
  | { readonly failed: { readonly code: string | undefined; readonly message: string } }
  | { readonly exited: { readonly exitCode: number | null; readonly signal: NodeJS.Signals | null } };

/** @throws StoreError when the log or the record cannot be written. A program that cannot be started says so by `exited`. */
export async function startManagedProcess(options: ManagedProcessOptions): Promise<ManagedProcess> {
  const { command, logFile, graceMs = defaultGraceMs } = options;
  const mark = randomUUID();
  const log = await openLog(logFile);
  try {
    const tail = await openLogTail(logFile, options.onLine);
    // On record before it runs: there is no moment at which it could be left behind unknown.
    const record = await recordProcess(options.records, { mark, command });
    const supervisor = fork(supervisorPath, [], {
      stdio: ["ignore", log.fd, log.fd, "ipc"],
      execArgv: [],
      detached: true,
    });
    let pid: number | null = null;
    let start: string | null = null;
    let exit: ProcessExit | undefined;
    const gone = new Promise<void>((resolve) => {
      supervisor.on("message", (message) => {
        const report = message as Report;
        if ("running" in report) {
          ({ pid, start } = report.running);
          void record.running({ group: pid, start });
        } else if ("failed" in report) {
          exit = { kind: "not-started", ...report.failed };
        } else {
          exit = toExit(report.exited);
        }
      });
      supervisor.once("error", ({ message }) => {
        exit ??= { kind: "not-started", code: undefined, message };
        if (supervisor.pid === undefined) resolve();
      });
      supervisor.once("exit", () => resolve());
    });
    let heardMs = performance.now();
    const reading = setInterval(() => {
      tail.read().then(
        (found) => {
          if (found) heardMs = performance.now();
        },
        () => undefined,
      );
    }, readEveryMs);
    const exited = gone.then(async () => {
      // A supervisor that was killed has left its program behind.
      if (exit === undefined) await endTree({ mark, group: pid, start }, { graceMs });
      clearInterval(reading);
      await tail.close().catch(() => undefined);
      await record.remove();
      return exit ?? ({ kind: "lost" } as const);
    });
    const environment = Object.fromEntries(
      Object.entries({ ...process.env, ...options.environment }).filter(([, value]) => value !== undefined),
    );
    supervisor.send({ job: { command, environment, directory: options.directory, mark, graceMs } }, () => undefined);
    return {
      get pid() {
        return pid;
      },
      command,
      logFile,
      exited,
      get heardMs() {
        return heardMs;
      },
      lastLines: () => tail.lastLines(),
      stop({ graceMs: withinMs = graceMs } = {}) {
        if (supervisor.connected) supervisor.send({ stop: { graceMs: withinMs } }, () => undefined);
        const late = setTimeout(() => supervisor.kill("SIGKILL"), withinMs + partingMs);
        return exited.finally(() => clearTimeout(late));
      },
    };
  } finally {
    await log.close();
  }
}

async function openLog(file: string) {
  try {
    await mkdir(dirname(file), { recursive: true });
    return await open(file, "a");
  } catch (error) {
    throw fileError("writing", file, error);
  }
}

function toExit({ exitCode, signal }: Extract<Report, { exited: unknown }>["exited"]): ProcessExit {
  return signal === null ? { kind: "exited", exitCode: exitCode ?? 1 } : { kind: "killed", signal };
}

/** In words: "exited with code 1", "was killed by SIGKILL", "could not be started (…)". */
export function describeExit(exit: ProcessExit): string {
  switch (exit.kind) {
    case "exited":
      return `exited with code ${exit.exitCode}`;
    case "killed":
      return `was killed by ${exit.signal}`;
    case "lost":
      return "was ended, as its supervisor was ended from outside";
    case "not-started":
      return `could not be started (${exit.message})`;
  }
}
