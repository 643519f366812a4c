/** Reads the record files of published suites: plain or gzipped JSONL in a directory the user names. */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { z } from "zod";
import { SuiteError } from "../errors.ts";

export interface TaskFileRequest<T> {
  readonly suite: string;
  readonly directory: string;
  /** Paths below the directory, in order of preference; those that end in `.gz` are unpacked. */
  readonly paths: readonly string[];
  /** Where people get the file, for the message when it is missing. */
  readonly source: string;
  readonly schema: z.ZodType<T>;
  /** What must be unique. */
  idOf(record: T): string | number;
}

/**
 * The records of the first of the paths that exists, in file order; empty lines are skipped.
 * @throws SuiteError for a missing or unreadable file (where it was looked for, how to get it), and for a malformed line
 * or one with an id seen before (file, line number, what was expected).
 */
export async function readTaskFile<T>(request: TaskFileRequest<T>): Promise<readonly T[]> {
  const path = await findFile(request);
  const text = await readText(path, request.suite);
  const lineOfId = new Map<string | number, number>();
  const records: T[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const lineNumber = index + 1;
    const record = parseLine(line, request.schema, path, lineNumber);
    const id = request.idOf(record);
    const earlier = lineOfId.get(id);
    if (earlier !== undefined) {
      throw new SuiteError(`${path} line ${lineNumber}: task id ${id} is already used on line ${earlier}`, {
        path,
        lineNumber,
        id,
      });
    }
    lineOfId.set(id, lineNumber);
    records.push(record);
  }
  if (records.length === 0) throw new SuiteError(`${path} holds no task: expected one JSON object per line`, { path });
  return records;
}

async function findFile<T>({ suite, directory, paths, source }: TaskFileRequest<T>): Promise<string> {
  const candidates = paths.map((path) => join(directory, path));
  for (const candidate of candidates) {
    const found = await access(candidate).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  throw new SuiteError(
    `suite ${suite}: no file ${candidates.join(" or ")}; get it from ${source} and pass the directory that holds it`,
    { suite, candidates },
  );
}

async function readText(path: string, suite: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    return (path.endsWith(".gz") ? await promisify(gunzip)(bytes) : bytes).toString("utf8");
  } catch (cause) {
    throw new SuiteError(`suite ${suite}: cannot read ${path}: ${String(cause)}`, { suite, path }, { cause });
  }
}

function parseLine<T>(line: string, schema: z.ZodType<T>, path: string, lineNumber: number): T {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new SuiteError(
      `${path} line ${lineNumber}: expected a JSON object, found ${quoteStart(line)}`,
      { path, lineNumber },
      { cause },
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const key = issue?.path.join(".") || "record";
  throw new SuiteError(`${path} line ${lineNumber}: ${key}: ${issue?.message ?? "malformed"}`, {
    path,
    lineNumber,
    key,
  });
}

function quoteStart(line: string): string {
  return JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}…` : line);
}
