/**
 * One writer at a time: a lock file that names its process. A killed process leaves the file behind, so whoever finds
 * one asks whether that process still lives.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { ConfigError, StoreError } from "../errors.ts";
import { errorCode, fileError } from "./file-errors.ts";
import { readIfThere } from "./read-file.ts";

export interface Lock {
  /** Gives the lock up, if it is still ours. */
  release(): Promise<void>;
}

/** Who holds a lock. `start` tells a process from a later one that was given the same number. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Boot and start tick of the process where the system tells (Linux), else absent. */
  readonly start?: string;
  /** Tells the locks of one process apart. */
  readonly id: string;
}

let lockCount = 0;

/**
 * Takes the lock `file` for this process; its directory must exist.
 * @throws ConfigError when a living process holds it. A holder on another host cannot be asked and counts as living.
 * @throws StoreError when the file cannot be written.
 */
export async function acquireLock(file: string): Promise<Lock> {
  const own = `${JSON.stringify(describeProcess())}\n`;
  // Written first and linked into place, so that nobody ever sees a lock without its holder.
  const draft = `${file}.${process.pid}-${lockCount++}.mucode-tmp`;
  try {
    await writeFile(draft, own);
    for (let attempt = 0; attempt < 20; attempt++) {
      if (await linked(draft, file)) return { release: () => release(file, own) };
      const found = await readIfThere(file);
      if (found === undefined) continue;
      const holder = parseHolder(found);
      if (holder !== undefined && isAlive(holder)) throw heldBy(file, holder);
      await setAside(file, found, `${draft}.stale`);
    }
    throw new StoreError(`could not take the lock ${file}: other processes keep taking it`, { file });
  } catch (error) {
    throw error instanceof ConfigError ? error : fileError("locking", file, error);
  } finally {
    await rm(draft, { force: true }).catch(() => undefined);
  }
}

function heldBy(file: string, holder: Holder): ConfigError {
  const elsewhere = holder.host === hostname() ? "" : ` on ${holder.host}`;
  return new ConfigError(
    `process ${holder.pid}${elsewhere} is writing this run (${file}); wait for it or stop it` +
      (elsewhere === "" ? "" : `; if it no longer runs, delete ${file}`),
    { file, pid: holder.pid, host: holder.host },
  );
}

async function linked(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST") return false;
    // File systems without hard links (exFAT, some network mounts): create the file exclusively instead.
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS" && code !== "EOPNOTSUPP") throw error;
  }
  try {
    await writeFile(file, await readFile(draft), { flag: "wx" });
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Moves a dead holder's lock away. Another process may have replaced it meanwhile: then that one is put back. */
async function setAside(file: string, expected: string, stale: string): Promise<void> {
  try {
    await rename(file, stale);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  if ((await readFile(stale, "utf8")) !== expected) await linked(stale, file);
  await rm(stale, { force: true });
}

async function release(file: string, own: string): Promise<void> {
  if ((await readIfThere(file)) === own) await rm(file, { force: true });
}

function describeProcess(): Holder {
  const start = processStart(process.pid);
  return { pid: process.pid, host: hostname(), id: randomUUID(), ...(start === undefined ? {} : { start }) };
}

/** `undefined` for a file that no process of ours wrote: nobody is behind it. */
function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder>;
    return Number.isInteger(holder.pid) && typeof holder.host === "string" ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    if (errorCode(error) === "ESRCH") return false;
  }
  const start = processStart(holder.pid);
  return holder.start === undefined || start === undefined || start === holder.start;
}

/** `BOOT:TICK` of a process from Linux's /proc, `undefined` where there is none. A zombie counts as gone. */
function processStart(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the command's name in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? "gone" : `${boot}:${fields[19]}`;
  } catch {
    return undefined;
  }
}
