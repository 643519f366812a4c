/**
 * LiveCodeBench (Jain et al. 2024, arXiv 2403.07974), code generation, from its release files: problems of contests with
 * their dates, so that those which a model cannot have seen can be chosen.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { z } from "zod";
import { SuiteError } from "../errors.ts";
import { readInputLines } from "../store/input-lines.ts";
import { parseExactJson } from "./exact-json.ts";
import type { FileSuiteOptions } from "./mbpp.ts";
import { readPickledString } from "./pickled-string.ts";
import { asIs } from "./python-literal.ts";
import { canonicalJson } from "./task-set.ts";
import type { LoadOptions, PrivateTests, Suite, Task, Test } from "./task.ts";

const NAME = "livecodebench";
/** The first release is `test.jsonl`; each later one adds a file. */
const LATEST = 6;
const SOURCE = "https://huggingface.co/datasets/livecodebench/code_generation_lite";
/** Seconds that LiveCodeBench gives each test. */
const TIME_LIMIT = 6;
/** Bytes of private tests, unpacked. */
const MAX_UNPACKED = 2 ** 29 - 2 ** 16;
/** Tasks whose private tests are kept in memory: they are large. */
const KEPT_TASKS = 32;

/** What LiveCodeBench runs before every program. */
const PREAMBLE = [
  ..."string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json"
    .concat(" builtins typing")
    .split(" ")
    .map((name) => `from ${name} import *`),
  ..."string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json"
    .split(" ")
    .map((name) => `import ${name}`),
  "sys.setrecursionlimit(50000)",
  "",
].join("\n");

const testCases = z.array(
  z.object({ input: z.string(), output: z.string(), testtype: z.enum(["stdin", "functional"]) }),
);
type TestCase = z.infer<typeof testCases>[number];

const jsonText = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue("expected JSON text");
        return z.NEVER;
      }
    })
    .pipe(schema);

const releaseRecord = z.object({
  question_id: z.string().min(1),
  question_content: z.string().min(1),
  contest_date: z.string().regex(/^\d{4}-\d{2}-\d{2}/, "expected a date such as 2024-08-01T00:00:00"),
  starter_code: z.string(),
  public_test_cases: jsonText(testCases.min(1, "expected at least one test")),
  private_test_cases: z.string(),
  metadata: jsonText(z.object({ func_name: z.string().optional() })),
});
type ReleaseRecord = z.infer<typeof releaseRecord>;

/** Which files, from first to last, and which days (both included) of their problems. */
interface Window {
  readonly first: number;
  readonly last: number;
  readonly from: string;
  readonly until: string;
}

const SPLIT =
  /^(?:test|release_latest|release_v(?<release>[1-6])|v(?<first>[1-6])(?:_v(?<last>[1-6]))?)(?::(?<from>\d{4}-\d\d-\d\d)?\.\.(?<until>\d{4}-\d\d-\d\d)?)?$/;

/**
 * Splits: `release_v3` (the files of the first three releases), `v3` (what the third release added), `v2_v5` (what these
 * added), `test` (everything); each with a window of contest dates if wanted, both days included: `test:2024-08-01..`,
 * `v1_v5:2024-05-01..2024-12-31`. Public tests are the file's public ones. They are read at once; private tests, which
 * take gigabytes, are read from the files whenever a program is graded.
 */
export function createLiveCodeBench({ dataDirectory }: FileSuiteOptions): Suite {
  return {
    name: NAME,
    version: "1",
    splits: ["test"],
    async load({ split, limit }) {
      if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
        throw new SuiteError(`limit must be a whole number above 0, not ${limit}`, { suite: NAME, limit });
      }
      const entries = await readEntries(findFiles(dataDirectory, readSplit(split)), readSplit(split), limit);
      if (entries.length === 0) throw new SuiteError(`suite ${NAME} has no task in split "${split}"`, { split });
      return {
        suite: NAME,
        version: "1",
        split,
        hash: hashOf(entries),
        tasks: entries.map(({ task }) => task),
        privateTests: privateTestsOf(entries),
        notes: [
          `${entries.length} tasks have no gold program`,
          "a tuple in the place of a list counts as wrong here, and as right in LiveCodeBench",
        ],
      };
    },
  };
}

function readSplit(split: LoadOptions["split"]): Window {
  const groups = SPLIT.exec(split)?.groups;
  const { release, first, last, from = "", until = "9999-99-99" } = groups ?? {};
  const window =
    first === undefined
      ? { first: 1, last: Number(release ?? LATEST), from, until }
      : { first: Number(first), last: Number(last ?? first), from, until };
  if (groups !== undefined && window.first <= window.last && from <= until) return window;
  throw new SuiteError(
    `suite ${NAME} has no split "${split}"; use test, release_v1 … release_v${LATEST}, v1 … v${LATEST} or v2_v5, ` +
      `each with a window of dates if wanted, e.g. test:2024-08-01..2025-01-31`,
    { suite: NAME, split },
  );
}

function findFiles(directory: string, { first, last }: Window): readonly string[] {
  const files: string[] = [];
  for (let release = first; release <= last; release++) {
    const file = `test${release === 1 ? "" : release}.jsonl`;
    const found = [join(directory, file), join(directory, NAME, file)].find((path) => existsSync(path));
    if (found === undefined) {
      throw new SuiteError(
        `suite ${NAME}: no file ${join(directory, file)}; get it from ${SOURCE} and pass the directory that holds it, ` +
          `or choose another split (v${LATEST} is test${LATEST}.jsonl alone)`,
        { suite: NAME, file },
      );
    }
    files.push(found);
  }
  return files;
}

interface Entry {
  readonly task: Task;
  /** Where its record is, in bytes, for its private tests. */
  readonly place: {
    readonly file: string;
    readonly lineNumber: number;
    readonly offset: number;
    readonly bytes: number;
  };
  /** SHA-256 of the private tests as they stand in the file, hex. */
  readonly privateHash: string;
}

async function readEntries(files: readonly string[], { from, until }: Window, limit = Infinity): Promise<Entry[]> {
  const entries: Entry[] = [];
  const lineOfId = new Map<string, string>();
  for (const file of files) {
    let offset = 0;
    for await (const { lineNumber, text } of readInputLines(file)) {
      if (entries.length === limit) return entries;
      const bytes = Buffer.byteLength(text);
      const place = { file, lineNumber, offset, bytes };
      offset += bytes + 1;
      if (text.trim() === "") continue;
      const record = readRecord(text, place);
      const earlier = lineOfId.get(record.question_id);
      if (earlier !== undefined) throw broken(place, `question_id ${record.question_id} is already used on ${earlier}`);
      lineOfId.set(record.question_id, `${file} line ${lineNumber}`);
      const date = record.contest_date.slice(0, 10);
      if (date < from || date > until) continue;
      const privateHash = createHash("sha256").update(record.private_test_cases).digest("hex");
      entries.push({ task: toTask(record, place), place, privateHash });
    }
  }
  return entries;
}

function readRecord(text: string, place: Entry["place"]): ReleaseRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw broken(place, `expected a JSON object, found ${JSON.stringify(text.slice(0, 40))}`, cause);
  }
  const parsed = releaseRecord.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw broken(place, `${issue?.path.join(".") || "record"}: ${issue?.message ?? "malformed"}`);
}

function broken({ file, lineNumber }: Entry["place"], what: string, cause?: unknown): SuiteError {
  return new SuiteError(`${file} line ${lineNumber}: ${what}`, { path: file, lineNumber }, { cause });
}

function toTask(record: ReleaseRecord, place: Entry["place"]): Task {
  const { question_id, question_content, starter_code, public_test_cases } = record;
  const entryPoint = calleeOf(record)?.name;
  return {
    id: `${NAME}/${question_id}`,
    prompt: question_content,
    language: "python",
    ...(entryPoint !== undefined && { entryPoint }),
    ...(starter_code.trim() !== "" && { starterCode: starter_code.trimEnd() }),
    publicTests: public_test_cases.map((one) => toTest(one, record, place)),
    preamble: PREAMBLE,
    timeLimit: TIME_LIMIT,
  };
}

/** What functional tests call, and the name it begins with. */
function calleeOf({
  metadata,
  starter_code,
}: ReleaseRecord): { readonly name: string; readonly call: string } | undefined {
  const { func_name } = metadata;
  if (func_name === undefined) return undefined;
  const inClass = /\bclass\s+Solution\b/.test(starter_code);
  return inClass ? { name: "Solution", call: `Solution().${func_name}` } : { name: func_name, call: func_name };
}

function toTest({ input, output, testtype }: TestCase, record: ReleaseRecord, place: Entry["place"]): Test {
  if (testtype === "stdin") return { kind: "stdin", stdin: input, stdout: output, comparison: "lines", tolerance: 0 };
  const callee = calleeOf(record);
  if (callee === undefined) throw broken(place, "metadata: a functional test needs func_name");
  try {
    const given = input.split("\n").map((line) => asIs(parseExactJson(line)));
    return { kind: "assert", source: `assert ${callee.call}(${given.join(", ")}) == ${asIs(parseExactJson(output))}` };
  } catch (cause) {
    throw broken(place, `a functional test that is not JSON: ${String((cause as Error).message)}`, cause);
  }
}

function hashOf(entries: readonly Entry[]): string {
  const hash = createHash("sha256");
  for (const { task, privateHash } of entries) hash.update(`${canonicalJson({ task, privateHash })}\n`);
  return hash.digest("hex");
}

function privateTestsOf(entries: readonly Entry[]): PrivateTests {
  const entryOf = new Map(entries.map((entry) => [entry.task.id, entry]));
  const kept = new Map<string, readonly Test[]>();
  return {
    of(taskId) {
      const entry = entryOf.get(taskId);
      if (entry === undefined) throw new RangeError(`task ${taskId} is not in ${NAME}`);
      const tests = kept.get(taskId) ?? readPrivateTests(entry);
      kept.delete(taskId);
      kept.set(taskId, tests);
      if (kept.size > KEPT_TASKS) kept.delete(kept.keys().next().value as string);
      return tests;
    },
  };
}

/** The public tests where there are no private ones. */
function readPrivateTests({ task, place, privateHash }: Entry): readonly Test[] {
  const record = readRecord(readBytes(place).toString("utf8"), place);
  if (createHash("sha256").update(record.private_test_cases).digest("hex") !== privateHash) {
    throw broken(place, "the file has changed since it was read");
  }
  const tests = decodeTests(record.private_test_cases, place).map((one) => toTest(one, record, place));
  return tests.length > 0 ? tests : task.publicTests;
}

function readBytes({ file, offset, bytes }: Entry["place"]): Buffer {
  const buffer = Buffer.alloc(bytes);
  const descriptor = openSync(file, "r");
  try {
    for (let done = 0; done < bytes;) {
      const count = readSync(descriptor, buffer, done, bytes - done, offset + done);
      if (count === 0) break;
      done += count;
    }
  } finally {
    closeSync(descriptor);
  }
  return buffer;
}

/** JSON, or base64 of zlib of a pickle of a text that is JSON. */
function decodeTests(text: string, place: Entry["place"]): readonly TestCase[] {
  try {
    const json = text.trimStart().startsWith("[")
      ? text
      : readPickledString(inflateSync(Buffer.from(text, "base64"), { maxOutputLength: MAX_UNPACKED }));
    return testCases.parse(JSON.parse(json));
  } catch (cause) {
    const what = "private_test_cases: expected a list of tests as JSON, or as base64 of a compressed pickle of it";
    throw broken(place, what, cause);
  }
}
