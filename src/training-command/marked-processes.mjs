/**
 * Finding and ending every process of a command, wherever it has gone: trainers start workers in sessions of their own
 * (torchrun does), which no signal to the command's process group reaches. On Linux a process belongs to the command
 * when its environment has the command's mark, when it is in the command's process group, or when its parent belongs
 * to it. Elsewhere only the process group is known.
 */
import { readdirSync, readFileSync } from "node:fs";

/** The variable that marks every process of a command: children inherit it. */
export const MARK_VARIABLE = "MUCODE_TRAINER_MARK";

const POLL_MS = 50;
/** A killed process may hang in the kernel; what is not gone by then will not go. */
const KILLED_MS = 10_000;

/**
 * Ends the processes of the command marked `mark` (and those of process group `group`): a request first, which lets a
 * launcher end its own workers, then force.
 * @param {{ mark: string, group?: number | undefined, graceMs: number }} command
 * @returns {Promise<number>} how many were still there at the end
 */
export async function endProcesses({ mark, group, graceMs }) {
  /** @type {Set<number>} */
  const asked = new Set();
  const started = performance.now();
  for (;;) {
    const found = findProcesses(mark, group);
    const elapsedMs = performance.now() - started;
    if (found.length === 0 || elapsedMs > graceMs + KILLED_MS) return found.length;
    for (const pid of found) {
      if (elapsedMs > graceMs) send(pid, "SIGKILL");
      else if (!asked.has(pid)) send(pid, "SIGTERM");
      asked.add(pid);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Process numbers; a process group is one negative number where there is no `/proc`.
 * @param {string} mark
 * @param {number | undefined} group
 * @returns {number[]}
 */
export function findProcesses(mark, group) {
  const all = listProcesses();
  if (all === undefined) return group !== undefined && send(-group, 0) ? [-group] : [];
  const assignment = `${MARK_VARIABLE}=${mark}`;
  const found = new Set();
  for (const { pid, processGroup } of all) {
    if (processGroup === group || environmentOf(pid).includes(assignment)) found.add(pid);
  }
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** @returns {{ pid: number, parent: number, processGroup: number }[] | undefined} without zombies; `undefined` without `/proc` */
function listProcesses() {
  if (process.platform !== "linux") return undefined;
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The second field, the command's name in parentheses, may itself hold spaces and parentheses.
      const [state, parent, processGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || state === "X") return [];
      return [{ pid: Number(name), parent: Number(parent), processGroup: Number(processGroup) }];
    } catch {
      return [];
    }
  });
}

/** @param {number} pid */
function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch {
    // Gone meanwhile, or another user's.
    return [];
  }
}

/**
 * @param {number} pid
 * @param {NodeJS.Signals | 0} signal
 */
function send(pid, signal) {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}
