/**
 * Files that are either wholly there or not at all: written beside their place, synced, then renamed over it.
 */
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileError } from "./file-errors.ts";
import { encodeRecord } from "./json.ts";

let temporaryCount = 0;

/** How the temporary files of {@link writeFileAtomic} end; a killed writer may leave one behind. */
export const temporaryPattern = /\.\d+-\d+\.mucode-tmp$/;

/**
 * Replaces `file`, creating its directory if needed. Whoever reads sees the old content or the new, never a part;
 * after this returns the new content survives a power cut. Content that is larger than memory can be given in parts.
 * @throws StoreError when the disk is full, permission is missing or the path is unusable; the old file is untouched.
 */
export async function writeFileAtomic(file: string, content: string | Uint8Array | Iterable<string>): Promise<void> {
  const temporary = `${file}.${process.pid}-${temporaryCount++}.mucode-tmp`;
  try {
    await mkdir(dirname(file), { recursive: true });
    const handle = await open(temporary, "w");
    try {
      await writeFile(handle, content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError("writing", file, error);
  }
  await syncDirectory(dirname(file));
}

/** {@link writeFileAtomic} of indented JSON with a final newline. @throws StoreError also for NaN and ±Infinity. */
export async function writeJsonAtomic(file: string, value: unknown): Promise<void> {
  await writeFileAtomic(file, `${encodeRecord(value, { indent: 2 })}\n`);
}

/** Makes a rename durable. Some platforms cannot sync a directory; the rename itself has happened all the same. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows and some network file systems refuse; nothing is lost short of a power cut.
  }
}
