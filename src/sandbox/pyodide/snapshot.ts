/**
 * Memory images of a prepared interpreter, kept in a cache folder: starting from one takes a fraction of a cold start.
 * The key names everything that goes into an image, files appear whole or not at all, and nothing depends on them: when
 * the folder cannot be used, interpreters start cold.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pyodideFolder, spawnHost } from "./interpreter-process.ts";

/** Images kept beside a new one: those of a few versions of Node and mucode, two or three each, of 10 to 15 MB. */
const MOST_KEPT = 6;
const MAKE_TIMEOUT_MS = 600_000;

/** `$XDG_CACHE_HOME/mucode/pyodide`, else `~/.cache/mucode/pyodide`. */
export function defaultSnapshotDirectory(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "mucode", "pyodide");
}

/** Hex digest of the pyodide version, the Node version, the host scripts and the Python source: names behaviour. */
export async function interpreterKey(source: string): Promise<string> {
  const hash = createHash("sha256");
  const version = JSON.parse(await readFile(join(pyodideFolder(), "package.json"), "utf8")).version as string;
  hash.update(`${version}\0${source}\0`);
  for (const name of ["host.mjs", "seal.mjs", "file-system.mjs"]) {
    hash.update(await readFile(fileURLToPath(new URL(`./${name}`, import.meta.url))));
  }
  return hash.digest("hex").slice(0, 24);
}

/** Path of the image for `source`, made if missing; `undefined` when it can neither be read nor written. */
export async function ensureSnapshot(source: string, directory: string): Promise<string | undefined> {
  const path = join(directory, `${await interpreterKey(source)}-${process.versions.v8}.snapshot`);
  if (await isFile(path)) {
    await markUsed(path);
    return path;
  }
  const temporary = `${path}.${process.pid}.${randomUUID()}`;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // Probe before the work: an image takes seconds to make.
    await writeFile(temporary, "", { mode: 0o600 });
    await writeFile(temporary, await makeSnapshot(source));
    await rename(temporary, path);
    await removeOld(directory, path);
    return path;
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
    return (await isFile(path)) ? path : undefined;
  }
}

/** Whether it is worth keeping is known by its time. */
async function markUsed(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

/** Keeps the images used last. What interrupted starts left behind are among the others soon. */
async function removeOld(directory: string, kept: string): Promise<void> {
  const images: { path: string; usedMs: number }[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (path === kept || !name.includes(".snapshot")) continue;
    // Another process may be tidying up as well.
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) images.push({ path, usedMs: found.mtimeMs });
  }
  const oldest = images.toSorted((a, b) => b.usedMs - a.usedMs).slice(MOST_KEPT);
  for (const { path } of oldest) await rm(path, { force: true });
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size > 0;
  } catch {
    return false;
  }
}

function makeSnapshot(source: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawnHost([], "pipe");
    const parts: Buffer[] = [];
    const timer = setTimeout(() => child.kill("SIGKILL"), MAKE_TIMEOUT_MS);
    child.stdout?.on("data", (part: Buffer) => parts.push(part));
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      const image = Buffer.concat(parts);
      if (code === 0 && image.length > 0) resolve(image);
      else reject(new Error("no snapshot was made"));
    });
    child.send({ prepare: { source, makeSnapshot: true } }, () => {});
  });
}
