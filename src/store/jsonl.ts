/**
 * Append-only JSON Lines. A record is finished when its newline is on disk: a killed writer leaves at most one line
 * without it, which readers drop and the next writer cuts away.
 */
import { createReadStream } from "node:fs";
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { StoreError } from "../errors.ts";
import { errorCode, fileError } from "./file-errors.ts";
import { encodeRecord } from "./json.ts";

export interface JsonlWriter {
  readonly file: string;
  /**
   * Queues a record; it reaches the operating system, in order, soon after. What killed the process keeps is what was
   * written by then.
   * @throws StoreError at once for a record without a faithful JSON form, and when an earlier write failed.
   */
  append(record: unknown): void;
  /** Resolves when every record appended so far survives a power cut. @throws StoreError */
  flush(): Promise<void>;
  /** Flushes and closes; later calls do nothing. @throws StoreError */
  close(): Promise<void>;
}

/**
 * Opens a file for appending, creating it and its directory if needed; a half-written last line is cut away first.
 * The caller sees to it that nobody else writes the file (a run directory's lock does).
 * @throws StoreError
 */
export async function openJsonl(file: string): Promise<JsonlWriter> {
  let handle: FileHandle;
  try {
    await mkdir(dirname(file), { recursive: true });
    handle = await open(file, "a+");
  } catch (error) {
    throw fileError("opening", file, error);
  }
  try {
    await cutHalfLine(handle);
  } catch (error) {
    await handle.close().catch(() => undefined);
    throw fileError("mending", file, error);
  }
  return createWriter(file, handle);
}

export interface ReadJsonlOptions<T> {
  /** Checks one record, e.g. a schema's `parse`; what it throws becomes a StoreError with file and line. */
  readonly parse: (record: unknown) => T;
}

/**
 * Every finished record, in order. A missing file has none; a half-written last line is dropped.
 * @throws StoreError naming file and line for any other line that is not JSON or that `parse` refuses.
 */
export async function readJsonl<T = unknown>(file: string, options?: ReadJsonlOptions<T>): Promise<T[]> {
  const records: T[] = [];
  let lineNumber = 0;
  for await (const line of finishedLines(file)) {
    lineNumber++;
    try {
      const record: unknown = JSON.parse(line);
      records.push(options ? options.parse(record) : (record as T));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StoreError(
        `${file}, line ${lineNumber}: not a record of this file (${reason}); restore the line or delete the file`,
        { file, line: lineNumber },
        { cause: error },
      );
    }
  }
  return records;
}

const newline = 0x0a;

/** Lines that end in a newline, without it. Works on bytes, so that no multi-byte character is split. */
async function* finishedLines(file: string): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        pieces.push(chunk.subarray(start, end));
        yield Buffer.concat(pieces).toString("utf8");
        pieces = [];
        start = end + 1;
      }
      if (start < chunk.length) pieces.push(chunk.subarray(start));
    }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw fileError("reading", file, error);
  }
}

/** Truncates to just after the last newline, reading backwards from the end. */
async function cutHalfLine(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat();
  const block = Buffer.alloc(1 << 16);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - block.length);
    await handle.read(block, 0, end - start, start);
    const last = block.subarray(0, end - start).lastIndexOf(newline);
    if (last !== -1 || start === 0) {
      const finished = start + last + 1;
      if (finished !== size) await handle.truncate(finished);
      return;
    }
    end = start;
  }
}

function createWriter(file: string, handle: FileHandle): JsonlWriter {
  let pending: string[] = [];
  let writing: Promise<void> | undefined;
  let failure: StoreError | undefined;
  let closing: Promise<void> | undefined;

  /** Writes until nothing is pending. A failed write may have left half a line, so nothing may follow it. */
  async function drain(): Promise<void> {
    while (pending.length > 0 && failure === undefined) {
      const text = pending.join("");
      pending = [];
      try {
        await handle.appendFile(text);
      } catch (error) {
        failure = fileError("writing", file, error);
      }
    }
    writing = undefined;
  }

  async function flush(): Promise<void> {
    await writing;
    if (failure !== undefined) throw failure;
    try {
      await handle.sync();
    } catch (error) {
      failure = fileError("writing", file, error);
      throw failure;
    }
  }

  async function finish(): Promise<void> {
    try {
      await flush();
    } finally {
      await handle.close();
    }
  }

  return {
    file,
    append(record) {
      if (failure !== undefined) throw failure;
      if (closing !== undefined) throw new StoreError(`${file} is closed`, { file });
      pending.push(`${encodeRecord(record)}\n`);
      writing ??= Promise.resolve().then(drain);
    },
    flush: () => (closing === undefined ? flush() : closing),
    close: () => (closing ??= finish()),
  };
}
