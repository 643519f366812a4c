/**
 * Runs a trainer's command under a supervisor that ends it with us, however we end, and follows its log.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { joinWords } from "../config/words.ts";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { errorCode, fileError } from "../store/file-errors.ts";
import { followLog } from "./follow-log.ts";
import { endProcesses } from "./marked-processes.mjs";

export interface CommandRequest {
  readonly words: readonly string[];
  readonly directory?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Standard output and error are appended here. */
  readonly log: string;
  /** Remembers which processes are ours, for the next start after a kill. */
  readonly processFile: string;
  readonly silenceLimitMs: number;
  readonly timeLimitMs?: number;
  readonly signal?: AbortSignal;
  /** A line of the log without its end; what a carriage return overwrites counts as a line. */
  readonly onLine: (line: string) => void;
}

export type CommandOutcome =
  | { readonly end: "by itself"; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly end: "not started"; readonly reason: string }
  | { readonly end: "silent" | "time limit" | "lost" };

/** What the supervisor tells at the end. */
type Report =
  | { readonly ended: "by itself"; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly ended: "not started"; readonly reason: string }
  | { readonly ended: "on request" };

/** From the request to end until force: launchers end their workers in it. */
const GRACE_MS = 10_000;
/** How long the supervisor may take beyond that. */
const PARTING_MS = 15_000;
const POLL_MS = 100;
const SUPERVISOR = fileURLToPath(new URL("supervisor.mjs", import.meta.url));

/**
 * Resolves when the command has ended and no process of it is left.
 * @throws the signal's reason after an abort; StoreError when the log cannot be opened.
 */
export async function runCommand(request: CommandRequest): Promise<CommandOutcome> {
  const { signal } = request;
  signal?.throwIfAborted();
  await endLeftProcesses(request.processFile);
  const mark = randomUUID();
  await writeJsonAtomic(request.processFile, { mark, host: hostname(), command: request.words });
  const log = await open(request.log, "a").catch((error: unknown) => {
    throw fileError("opening", request.log, error);
  });
  try {
    await log.appendFile(`$ ${joinWords(request.words)}\n`);
    const follower = await followLog(request.log, request.onLine);
    const supervisor = spawn(process.execPath, [SUPERVISOR], {
      stdio: ["pipe", log.fd, log.fd, "pipe"],
      detached: true,
    });
    try {
      return await watch(supervisor, mark, follower, request);
    } finally {
      supervisor.stdin?.destroy();
      await endProcesses({ mark, graceMs: GRACE_MS });
      await follower.close();
      await rm(request.processFile, { force: true });
    }
  } finally {
    await log.close();
  }
}

/** Ends what an earlier start of ours, killed with its supervisor, has left running on this host. */
export async function endLeftProcesses(processFile: string): Promise<void> {
  let text: string;
  try {
    text = await readFile(processFile, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw fileError("reading", processFile, error);
  }
  const { mark, host } = JSON.parse(text) as { mark: string; host: string };
  if (host === hostname()) await endProcesses({ mark, graceMs: GRACE_MS });
  await rm(processFile, { force: true });
}

async function watch(
  supervisor: ChildProcess,
  mark: string,
  follower: Awaited<ReturnType<typeof followLog>>,
  request: CommandRequest,
): Promise<CommandOutcome> {
  const { words, directory, environment, signal, silenceLimitMs, timeLimitMs } = request;
  const ended = reportOf(supervisor);
  const command = { words, directory, environment, mark, graceMs: GRACE_MS };
  supervisor.stdin!.on("error", () => undefined);
  supervisor.stdin!.write(`${JSON.stringify(command)}\n`);

  const startedMs = performance.now();
  let heardMs = startedMs;
  let stopped: "silent" | "time limit" | "aborted" | undefined;
  let report: Report | "lost" | undefined;
  while (report === undefined) {
    report = await within(ended, POLL_MS);
    if (await follower.read()) heardMs = performance.now();
    if (stopped !== undefined || report !== undefined) continue;
    const nowMs = performance.now();
    if (signal?.aborted) stopped = "aborted";
    else if (timeLimitMs !== undefined && nowMs - startedMs > timeLimitMs) stopped = "time limit";
    else if (nowMs - heardMs > silenceLimitMs) stopped = "silent";
    if (stopped === undefined) continue;
    supervisor.stdin!.end();
    report = await within(ended, GRACE_MS + PARTING_MS);
    if (report === undefined) supervisor.kill("SIGKILL");
    report ??= "lost";
  }
  if (stopped === "aborted") throw signal!.reason;
  if (stopped !== undefined) return { end: stopped };
  if (report === "lost" || report.ended === "on request") return { end: "lost" };
  const { ended: end, ...rest } = report;
  return { end, ...rest } as CommandOutcome;
}

/** What the supervisor says, once it is gone; `lost` when it was ended before it could. */
function reportOf(supervisor: ChildProcess): Promise<Report | "lost"> {
  let text = "";
  const stream = supervisor.stdio[3] as NodeJS.ReadableStream;
  stream.setEncoding("utf8");
  stream.on("data", (part: string) => (text += part));
  return new Promise((resolve) => {
    supervisor.on("error", (error) => resolve({ ended: "not started", reason: error.message }));
    supervisor.on("close", () => resolve(text.endsWith("\n") ? (JSON.parse(text) as Report) : "lost"));
  });
}

/** `undefined` when it takes longer. */
function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
