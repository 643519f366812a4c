/**
 * Runs one program for a parent that may be killed at any moment: when the channel to the parent closes, the program and
 * all it has started are ended. It stands in a session of its own, so that Ctrl-C in the parent's terminal reaches the
 * parent alone, which then decides.
 *
 * It is told once what to run, and may be told to stop; it tells when the program runs and how it ended, then exits.
 */
import { spawn } from "node:child_process";
import { endTree, MARK_VARIABLE, startOf } from "./process-tree.mjs";

/**
 * @typedef {object} Job
 * @property {string[]} command the program and its arguments
 * @property {Record<string, string>} environment all of it
 * @property {string | undefined} directory
 * @property {string} mark
 * @property {number} graceMs between asking the program to end and ending it by force
 */

/** @typedef {{ job: Job } | { stop: { graceMs: number } }} Order */

/**
 * @typedef {{ running: { pid: number, start: string | null } }
 *   | { failed: { code: string | undefined, message: string } }
 *   | { exited: { exitCode: number | null, signal: NodeJS.Signals | null } }} Report
 */

/** What is left behind by a program that has ended by itself may finish within this time. */
const stragglersGraceMs = 2000;
/** The system tells of an end soon after it; where it does not, the program hangs in the kernel and cannot be ended. */
const endToldWithinMs = 2000;

/** @type {((graceMs: number) => void) | undefined} */
let stop;
let graceMs = 0;

process.on("message", (order) => {
  const { job, stop: asked } = /** @type {{ job?: Job, stop?: { graceMs: number } }} */ (order);
  if (job) run(job);
  else if (asked) stop?.(asked.graceMs);
});
process.on("disconnect", () => {
  if (stop) stop(graceMs);
  else process.exit();
});
// Whoever ends the supervisor means the program.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => stop?.(graceMs));

/** @param {Job} job */
function run(job) {
  const [program = "", ...words] = job.command;
  graceMs = job.graceMs;
  const child = spawn(program, words, {
    env: { ...job.environment, [MARK_VARIABLE]: job.mark },
    ...(job.directory !== undefined && { cwd: job.directory }),
    // The supervisor's own output is the log.
    stdio: ["ignore", "inherit", "inherit"],
    // The leader of a group of its own.
    detached: true,
  });
  /** @type {Promise<void> | undefined} */
  let ending;
  const tree = () => ({ mark: job.mark, group: child.pid ?? null, start });
  /** @type {string | null} */
  let start = null;
  stop = (withinMs) => {
    if (ending) return;
    ending = endTree(tree(), { graceMs: withinMs });
    void ending.then(() =>
      setTimeout(() => finish({ exited: { exitCode: null, signal: "SIGKILL" } }), endToldWithinMs),
    );
  };
  child.on("error", (error) => {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    finish({ failed: { code, message } });
  });
  child.on("spawn", () => {
    start = startOf(/** @type {number} */ (child.pid));
    tell({ running: { pid: /** @type {number} */ (child.pid), start } });
  });
  child.on("exit", async (exitCode, signal) => {
    await (ending ?? endTree(tree(), { graceMs: stragglersGraceMs }));
    finish({ exited: { exitCode, signal } });
  });
}

/** @param {Report} report */
function tell(report) {
  // Nobody listens any more when the parent was killed.
  if (process.connected) process.send?.(report, () => undefined);
}

/** @param {Report} report */
function finish(report) {
  if (process.connected) process.send?.(report, () => process.exit());
  else process.exit();
}
