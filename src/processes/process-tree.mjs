/**
 * Finds and ends a started program with everything it has started. Programs that spread over a machine's GPUs start
 * workers of their own, some in sessions of their own (torchrun), some under other names (vLLM): a process belongs to a
 * tree when it is in the group of its first process, descends from a member, or carries the tree's mark in its
 * environment. Plain JavaScript: the supervisor runs it without a build step.
 *
 * Where the system shows no /proc, the group alone is ended.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The environment variable that carries the mark. */
export const MARK_VARIABLE = "MUCODE_PROCESS_MARK";

/**
 * Where numbers of processes are given out: a start of the system and, in it, a container. `undefined` where the system
 * shows no /proc.
 */
const count = readCount();

const pollMs = 20;
/** A killed process may hang in the kernel, in a driver for instance; what is not gone by then will not go. */
const killedWithinMs = 5000;

/**
 * @typedef {object} Tree
 * @property {string} mark unique to the tree
 * @property {number | null} group process group of the first process; `null` when it is not known
 * @property {string | null} start start of the first process, as {@link startOf} gives it
 */

/** @typedef {{ pid: number, parent: number, group: number, start: string, gone: boolean }} Entry */

/**
 * `COUNT:TICK`, the count that its number belongs to and when it started: tells a process from a later one that was given
 * the same number. `null` where the system does not say.
 * @param {number} pid
 * @returns {string | null}
 */
export function startOf(pid) {
  return readEntry(pid)?.start ?? null;
}

/**
 * The living processes of a tree; zombies do not count.
 * @param {Tree} tree
 * @returns {number[]}
 */
export function membersOf({ mark, group, start }) {
  const entries = allEntries();
  const byParent = groupByParent(entries);
  // A first process that started at another time is another process, and its group another group. One that is gone
  // keeps its number from being given out for as long as the group has members, in the same count of processes.
  const first = entries.find(({ pid }) => pid === group);
  const ownsGroup = start === null || (first === undefined ? countOf(start) === count : first.start === start);
  const needle = Buffer.from(`${MARK_VARIABLE}=${mark}`);
  const found = new Map(
    entries
      .filter((entry) => (group !== null && ownsGroup && entry.group === group) || carries(entry.pid, needle))
      .map((entry) => [entry.pid, entry]),
  );
  for (const { pid } of found.values()) {
    for (const child of byParent.get(pid) ?? []) found.set(child.pid, child);
  }
  found.delete(process.pid);
  return [...found.values()].filter(({ gone }) => !gone).map(({ pid }) => pid);
}

/**
 * Asks a tree to end and ends by force what is left after `graceMs`. Resolves when nothing of it lives, or nothing that
 * could be ended.
 * @param {Tree} tree
 * @param {{ signal?: NodeJS.Signals, graceMs: number }} options
 * @returns {Promise<void>}
 */
export async function endTree(tree, { signal = "SIGTERM", graceMs }) {
  // Remembered: a descendant whose parent ends first can no longer be found by its descent.
  const known = new Map(membersOf(tree).map((pid) => [pid, startOf(pid)]));
  const living = () => {
    for (const pid of membersOf(tree)) if (!known.has(pid)) known.set(pid, startOf(pid));
    return [...known].filter(([pid, start]) => isSame(pid, start)).map(([pid]) => pid);
  };
  send(tree, signal, living());
  const graceEndMs = performance.now() + graceMs;
  while (performance.now() < graceEndMs && (living().length > 0 || groupLives(tree))) await pause();
  // What is being started at this moment is met in the next round.
  const deadlineMs = performance.now() + killedWithinMs;
  while (performance.now() < deadlineMs && (living().length > 0 || groupLives(tree))) {
    send(tree, "SIGKILL", living());
    await pause();
  }
}

/** @param {Tree} tree @param {NodeJS.Signals} signal @param {number[]} pids */
function send({ group }, signal, pids) {
  if (count === undefined && group !== null) kill(-group, signal);
  for (const pid of pids) kill(pid, signal);
}

/** Whether anything is in the group, where there is no other way to see it. @param {Tree} tree */
function groupLives({ group }) {
  return count === undefined && group !== null && kill(-group, 0);
}

/** @param {number} pid @param {string | null} start */
function isSame(pid, start) {
  const entry = readEntry(pid);
  return entry !== null && !entry.gone && entry.start === start;
}

/** @param {number} pid @param {NodeJS.Signals | 0} signal */
function kill(pid, signal) {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // Gone already, or not ours to end.
    return false;
  }
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, pollMs));
}

function readCount() {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "")}`;
  } catch {
    return undefined;
  }
}

/** @param {string} start */
function countOf(start) {
  return start.slice(0, start.lastIndexOf(":"));
}

/** @returns {Entry[]} */
function allEntries() {
  if (count === undefined) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readEntry(Number(name)))
    .filter((entry) => entry !== null);
}

/** @param {Entry[]} entries */
function groupByParent(entries) {
  /** @type {Map<number, Entry[]>} */
  const groups = new Map();
  for (const entry of entries) {
    const siblings = groups.get(entry.parent);
    if (siblings) siblings.push(entry);
    else groups.set(entry.parent, [entry]);
  }
  return groups;
}

/** @param {number} pid @returns {Entry | null} */
function readEntry(pid) {
  if (count === undefined) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the command's name in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const gone = fields[0] === "Z" || fields[0] === "X";
    return { pid, parent: Number(fields[1]), group: Number(fields[2]), start: `${count}:${fields[19]}`, gone };
  } catch {
    return null;
  }
}

/** @param {number} pid @param {Buffer} needle */
function carries(pid, needle) {
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(needle);
  } catch {
    // Another user's, or gone.
    return false;
  }
}
