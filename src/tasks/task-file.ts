/** Reads the record files of suites: JSONL (plain or gzipped), a JSON array, or Parquet. */
import { readFileSync } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gunzipSync } from "node:zlib";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { z } from "zod";
import { SuiteError } from "../errors.ts";
import { describeBrokenLine } from "../store/broken-json.ts";
import { errorCode } from "../store/file-errors.ts";
import { describeProblems, type RecordProblem } from "./record-words.ts";

export interface RecordSchema<T> {
  readonly schema: z.ZodType<T>;
  /** What must be unique. */
  idOf(record: T): string | number;
  /** Reads the text of one record; default `JSON.parse`. Rows of Parquet files do not pass through it. */
  readonly parse?: (text: string) => unknown;
}

export interface TaskFileRequest<T> extends RecordSchema<T> {
  readonly suite: string;
  readonly directory: string;
  /**
   * Paths below the directory, in order of preference; a list stands for files that belong together. What a file holds
   * is told by its name: `.jsonl`, `.jsonl.gz`, `.json` (an array) or `.parquet`.
   */
  readonly paths: readonly (string | readonly string[])[];
  /** Where people get the file, for the message when it is missing. */
  readonly source: string;
  /** Columns to read of a Parquet file; default all. */
  readonly columns?: readonly string[];
}

/**
 * The records of the first of the paths that exists, in file order; empty lines are skipped.
 * @throws SuiteError for a missing or unreadable file (where it was looked for, how to get it), and for a malformed
 * record or one with an id seen before (file, line or row, what was expected).
 */
export async function readTaskFile<T>(request: TaskFileRequest<T>): Promise<readonly T[]> {
  const paths = await findFiles(request);
  const read = createRecordReader(request);
  const records: T[] = [];
  for (const path of paths) {
    const raw = path.endsWith(".parquet")
      ? await readRows(path, request)
      : splitRecords(await readText(path, request.suite), path);
    for (const one of raw) records.push(read(one));
  }
  return requireRecords(records, paths.join(", "));
}

/**
 * The records of one JSONL file, gzipped or not, that the user names; read at once, because its splits are part of what
 * a suite says of itself. @throws SuiteError as {@link readTaskFile} does.
 */
export function readTaskLines<T>(suite: string, path: string, schema: RecordSchema<T>): readonly T[] {
  let bytes: Buffer;
  try {
    bytes = path.endsWith(".gz") ? gunzipSync(readFileSync(path)) : readFileSync(path);
  } catch (cause) {
    throw unreadable(suite, path, cause);
  }
  return requireRecords(splitRecords(bytes.toString("utf8"), path).map(createRecordReader(schema)), path);
}

/** A record as it stands in its file: text, or a row that has been read already. */
interface RawRecord {
  /** File and line, for messages. */
  readonly place: string;
  readonly fields: { readonly path: string; readonly lineNumber: number };
  readonly text?: string;
  readonly row?: unknown;
}

/** Checks records one by one, and that no id comes twice. */
function createRecordReader<T>({ schema, idOf, parse = JSON.parse }: RecordSchema<T>): (raw: RawRecord) => T {
  const placeOfId = new Map<string | number, string>();
  return (raw) => {
    const { place, fields } = raw;
    const record = checkRecord(raw.text === undefined ? raw.row : parseText(raw.text, parse, raw), schema, raw);
    const id = idOf(record);
    const earlier = placeOfId.get(id);
    if (earlier !== undefined) {
      const where = earlier.startsWith(`${fields.path} `) ? earlier.slice(fields.path.length + 1) : earlier;
      throw new SuiteError(`${place}: task id ${id} is already used on ${where}`, { ...fields, id });
    }
    placeOfId.set(id, place);
    return record;
  };
}

function parseText(text: string, parse: (text: string) => unknown, { place, fields }: RawRecord): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new SuiteError(`${place}: ${describeBrokenLine(text)}`, fields, { cause });
  }
}

function checkRecord<T>(record: unknown, schema: z.ZodType<T>, { place, fields }: RawRecord): T {
  const parsed = schema.safeParse(record);
  if (parsed.success) return parsed.data;
  const [{ key, message }] = describeProblems(parsed.error.issues, record) as [RecordProblem];
  throw new SuiteError(`${place}: ${key}: ${message}`, { ...fields, key });
}

function requireRecords<T>(records: readonly T[], path: string): readonly T[] {
  if (records.length > 0) return records;
  throw new SuiteError(`${path} holds no task: expected one JSON object per line`, { path });
}

async function findFiles<T>({ suite, directory, paths, source }: TaskFileRequest<T>): Promise<readonly string[]> {
  const candidates = paths.map((path) => (typeof path === "string" ? [path] : path).map((one) => join(directory, one)));
  for (const candidate of candidates) {
    if ((await Promise.all(candidate.map(exists))).every(Boolean)) return candidate;
  }
  const names = candidates.map((files) => files.join(" and "));
  throw new SuiteError(
    `suite ${suite}: no file ${names.join(" or ")}; get it from ${source} and pass the directory that holds it`,
    { suite, candidates: names },
  );
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readText(path: string, suite: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    return (path.endsWith(".gz") ? await promisify(gunzip)(bytes) : bytes).toString("utf8");
  } catch (cause) {
    throw unreadable(suite, path, cause);
  }
}

function unreadable(suite: string, path: string, cause: unknown): SuiteError {
  return new SuiteError(`suite ${suite}: cannot read ${path}: ${reasonFor(cause)}`, { suite, path }, { cause });
}

function reasonFor(cause: unknown): string {
  switch (errorCode(cause)) {
    case "ENOENT":
      return "there is no such file";
    case "EISDIR":
      return "it is a directory; name a file in it";
    case "EACCES":
    case "EPERM":
      return "no permission to read it";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}

function splitRecords(text: string, path: string): RawRecord[] {
  const parts = path.endsWith(".json") ? splitArray(text, path) : splitLines(text);
  return parts.map(({ text: part, lineNumber }) => ({
    place: `${path} line ${lineNumber}`,
    fields: { path, lineNumber },
    text: part,
  }));
}

interface Part {
  readonly text: string;
  readonly lineNumber: number;
}

function splitLines(text: string): Part[] {
  const lines = text.split(/\r?\n/).map((line, index) => ({ text: line, lineNumber: index + 1 }));
  return lines.filter((line) => line.text.trim() !== "");
}

/** The items of a JSON array, each with the line it starts on, so that a malformed one can be named. */
function splitArray(text: string, path: string): Part[] {
  const parts: Part[] = [];
  let depth = 0;
  let start = 0;
  let lineNumber = 1;
  let counted = 0;
  const lineAt = (offset: number): number => {
    for (; counted < offset; counted++) if (text[counted] === "\n") lineNumber++;
    return lineNumber;
  };
  const token = /"(?:[^"\\]|\\.)*"?|[[\]{},]/gs;
  const add = (end: number): void => {
    const item = text.slice(start, end);
    const offset = start + item.length - item.trimStart().length;
    if (item.trim() !== "") parts.push({ text: item.trim(), lineNumber: lineAt(offset) });
    start = end + 1;
  };
  for (const { 0: found, index } of text.matchAll(token)) {
    if (found === "[" || found === "{") {
      if (depth === 0) start = index + 1;
      depth++;
    } else if (found === "]" || found === "}") {
      depth--;
      if (depth === 0) add(index);
    } else if (found === "," && depth === 1) {
      add(index);
    }
  }
  if (!text.trimStart().startsWith("[") || depth !== 0) {
    throw new SuiteError(
      `${path}: expected a JSON array of objects${depth > 0 ? ", found one that does not end" : ""}`,
      {
        path,
      },
    );
  }
  return parts;
}

async function readRows<T>(path: string, { suite, columns }: TaskFileRequest<T>): Promise<RawRecord[]> {
  try {
    const file = await asyncBufferFromFile(path);
    const rows = await parquetReadObjects({ file, ...(columns && { columns: [...columns] }) });
    return rows.map((row, index) => ({
      place: `${path} row ${index + 1}`,
      fields: { path, lineNumber: index + 1 },
      row: plainNumbers(row),
    }));
  } catch (cause) {
    throw new SuiteError(
      `suite ${suite}: cannot read ${path} as Parquet: ${String(cause)}`,
      { suite, path },
      { cause },
    );
  }
}

/** 64-bit integers come as BigInt; those of these files are small. */
function plainNumbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plainNumbers(one)]));
  }
  return value;
}
