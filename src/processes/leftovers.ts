/** Records of running programs, by which a later start ends what an earlier one had to leave behind. */
import { randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { errorCode, fileError } from "../store/file-errors.ts";
import { readIfThere } from "../store/read-file.ts";
import { endTree, membersOf } from "./process-tree.mjs";

const recordSchema = z.object({
  mark: z.uuid(),
  command: z.array(z.string()),
  group: z.int().min(2).nullable(),
  start: z.string().nullable(),
});

export interface ProcessRecord {
  /** Adds how the program is found once it runs. */
  running(found: { readonly group: number; readonly start: string | null }): Promise<void>;
  /** It has ended. */
  remove(): Promise<void>;
}

/** @throws StoreError */
export async function recordProcess(
  directory: string,
  process: { readonly mark: string; readonly command: readonly string[] },
): Promise<ProcessRecord> {
  const file = join(directory, `${randomUUID()}.json`);
  let writing: Promise<void> = writeJsonAtomic(file, { ...process, group: null, start: null });
  await writing;
  return {
    running(found) {
      // The mark is on record: without the group it is found all the same.
      writing = writing.then(() => writeJsonAtomic(file, { ...process, ...found }).catch(() => undefined));
      return writing;
    },
    async remove() {
      await writing;
      await rm(file, { force: true }).catch(() => undefined);
    },
  };
}

/** A program that outlived whoever started it. */
export interface Leftover {
  readonly command: readonly string[];
  readonly pids: readonly number[];
}

/**
 * Ends what the records of a directory tell of, and nothing else: numbers of processes are given out again, marks are
 * not. To be called by the one process that may write there, before it starts its own programs.
 * @throws StoreError when the directory cannot be read.
 */
export async function endLeftovers(directory: string, options: { readonly graceMs: number }): Promise<Leftover[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw fileError("reading", directory, error);
  }
  const ended = await Promise.all(
    names.filter((name) => name.endsWith(".json")).map((name) => endRecorded(join(directory, name), options)),
  );
  return ended.flat();
}

async function endRecorded(file: string, options: { readonly graceMs: number }): Promise<Leftover[]> {
  const text = await readIfThere(file);
  if (text === undefined) return [];
  const record = parseRecord(text);
  const pids = record === null ? [] : membersOf(record);
  if (record !== null && pids.length > 0) await endTree(record, options);
  await rm(file, { force: true });
  return record === null || pids.length === 0 ? [] : [{ command: record.command, pids }];
}

function parseRecord(text: string): z.infer<typeof recordSchema> | null {
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
