/** Runs a trainer's command to its end, within its limits of time and silence. */
import { appendFile } from "node:fs/promises";
import { joinWords } from "../config/words.ts";
import { type ProcessExit, startManagedProcess } from "../processes/managed-process.ts";
import { fileError } from "../store/file-errors.ts";

export interface CommandRequest {
  readonly words: readonly string[];
  readonly directory?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Standard output and error are appended here, after the command. */
  readonly log: string;
  /** Directory that remembers which processes are ours, for the next start after a kill. */
  readonly records: string;
  readonly silenceLimitMs: number;
  readonly timeLimitMs?: number;
  /** Milliseconds as `performance.now()` gives them; tests let them pass. */
  readonly now?: () => number;
  readonly signal?: AbortSignal;
  /** A line of the log without its end; what a carriage return overwrites counts as a line. */
  readonly onLine: (line: string) => void;
}

export interface CommandOutcome {
  readonly exit: ProcessExit;
  /** The latest lines that it wrote, oldest first. */
  readonly lastLines: readonly string[];
  /** Which limit it was ended for. */
  readonly limit?: "silence" | "time";
}

const POLL_MS = 100;

/**
 * Resolves when the command has ended and no process of it is left.
 * @throws the signal's reason after an abort; StoreError when the log or the record cannot be written.
 */
export async function runCommand(request: CommandRequest): Promise<CommandOutcome> {
  const { words, environment, directory, log, records, silenceLimitMs, timeLimitMs = Infinity, signal } = request;
  const { now = () => performance.now() } = request;
  signal?.throwIfAborted();
  await appendFile(log, `$ ${joinWords(words)}\n`).catch((error: unknown) => {
    throw fileError("writing", log, error);
  });
  const startedMs = now();
  const running = await startManagedProcess({
    command: words,
    environment,
    ...(directory !== undefined && { directory }),
    logFile: log,
    records,
    onLine: request.onLine,
  });
  let stopped: "silence" | "time" | "abort" | undefined;
  const timer = setInterval(() => {
    const nowMs = now();
    if (signal?.aborted) stopped = "abort";
    else if (nowMs - startedMs > timeLimitMs) stopped = "time";
    else if (nowMs - running.heardMs > silenceLimitMs) stopped = "silence";
    if (stopped === undefined) return;
    clearInterval(timer);
    void running.stop();
  }, POLL_MS);
  const exit = await running.exited;
  clearInterval(timer);
  if (stopped === "abort") throw signal!.reason;
  return { exit, lastLines: running.lastLines(), ...(stopped !== undefined && { limit: stopped }) };
}
