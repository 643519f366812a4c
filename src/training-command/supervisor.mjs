/**
 * Runs one command for a parent and outlives it just long enough to end the command: the standard input is a pipe that
 * the parent holds open, and when it closes, because the parent says so or because it was killed, every process of the
 * command is ended.
 *
 * Standard input: one line of JSON, the command. Standard output and error: the log, inherited by the command.
 * Descriptor 3: one line of JSON, how it ended.
 */
import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { endProcesses, MARK_VARIABLE } from "./marked-processes.mjs";

/** @typedef {{ words: string[], directory?: string, environment: Record<string, string>, mark: string, graceMs: number }} Command */

/** @type {number | undefined} */
let group;
/** @type {Command | undefined} */
let command;
let isEnding = false;
let input = "";

process.stdin.setEncoding("utf8");
process.stdin.on("data", (part) => {
  if (command !== undefined) return;
  input += part;
  const end = input.indexOf("\n");
  if (end < 0) return;
  command = /** @type {Command} */ (JSON.parse(input.slice(0, end)));
  start(command);
});
process.stdin.on("close", () => void finish({ ended: "on request" }));
process.stdin.on("error", () => undefined);
for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT", "SIGHUP"])) {
  process.on(signal, () => void finish({ ended: "on request" }));
}

/** @param {Command} command */
function start({ words, directory, environment, mark }) {
  const child = spawn(words[0] ?? "", words.slice(1), {
    ...(directory !== undefined && { cwd: directory }),
    env: { ...process.env, ...environment, [MARK_VARIABLE]: mark },
    stdio: ["ignore", "inherit", "inherit"],
    // A process group of its own, so that a terminal's Ctrl-C reaches it through its parents alone.
    detached: true,
  });
  group = child.pid;
  child.on("error", (error) => void finish({ ended: "not started", reason: error.message }));
  child.on("exit", (code, signal) => void finish({ ended: "by itself", code, signal }));
}

/** @param {Record<string, unknown>} outcome */
async function finish(outcome) {
  if (isEnding) return;
  isEnding = true;
  const left = command === undefined ? 0 : await endProcesses({ mark: command.mark, group, graceMs: command.graceMs });
  try {
    writeSync(3, `${JSON.stringify({ ...outcome, left })}\n`);
  } catch {
    // Nobody is left to tell.
  }
  process.exit();
}
