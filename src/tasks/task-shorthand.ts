/** Shorter ways to write a task, made the full form: tests as strings, one list of tests, the keys of MBPP's files. */
import { calledNames, defines, TEST_WORDS, withoutStrings } from "./python-source.ts";
import type { RecordProblem } from "./record-words.ts";

/** Keys of MBPP's files, and what they are called here. */
const MBPP_KEYS: Readonly<Record<string, string>> = {
  task_id: "id",
  text: "prompt",
  code: "goldProgram",
  test_list: "tests",
  challenge_test_list: "moreTests",
  test_setup_code: "setupCode",
  test_imports: "setupCode",
};

/** Keys that a task may have beside those of the full form. */
export const SHORTHAND_KEYS: readonly string[] = ["tests", ...Object.keys(MBPP_KEYS)];

export interface ExpandedTask {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly problems: readonly RecordProblem[];
  /** It has MBPP's list of tests; such files have columns that mean nothing here. */
  readonly isMbpp: boolean;
}

/**
 * A task in the full form, as far as it is one: nothing else of it is checked.
 *
 * - A string in a list of tests is an assert test (unittest classes: a unittest test).
 * - `tests`, and MBPP's `test_list`: the first is public, the others are private; one alone is both.
 * - `publicTests` without private ones: they decide alone, so they are the private tests too.
 * - `language` is Python; `entryPoint` is the function that the asserts call, where that is one.
 */
export function expandTask(record: Readonly<Record<string, unknown>>): ExpandedTask {
  const problems: RecordProblem[] = [];
  const { tests, moreTests, ...fields } = renameKeys(record, problems);
  const language = fields["language"] ?? "python";
  const expand = (key: string, list: unknown): unknown =>
    Array.isArray(list) ? list.map((one, index) => expandTest(one, `${key}.${index}`, language, problems)) : list;
  const full: Record<string, unknown> = { ...fields, language };
  for (const key of ["publicTests", "privateTests"]) {
    if (fields[key] !== undefined) full[key] = expand(key, fields[key]);
  }
  if (tests !== undefined || moreTests !== undefined) {
    const key = "test_list" in record ? "test_list" : "tests";
    if (fields["publicTests"] !== undefined || fields["privateTests"] !== undefined) {
      problems.push({
        key,
        message: "goes without publicTests and privateTests: the first is public, the others private",
      });
    } else if (!Array.isArray(tests) || tests.length === 0) {
      problems.push({ key, message: 'expected a list of tests, e.g. ["assert add(1, 2) == 3"]' });
    } else {
      const list = expand(key, tests) as unknown[];
      const more = (expand("challenge_test_list", moreTests ?? []) as unknown[]) ?? [];
      const others = [...list.slice(1), ...(Array.isArray(more) ? more : [])];
      full["publicTests"] = list.slice(0, 1);
      full["privateTests"] = others.length > 0 ? others : list.slice(0, 1);
    }
  } else if (full["privateTests"] === undefined && full["publicTests"] !== undefined) {
    full["privateTests"] = full["publicTests"];
  }
  if (full["entryPoint"] === undefined) {
    const entryPoint = findEntryPoint(full);
    if (entryPoint !== undefined) full["entryPoint"] = entryPoint;
  }
  return { fields: full, problems, isMbpp: "test_list" in record };
}

function renameKeys(record: Readonly<Record<string, unknown>>, problems: RecordProblem[]): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) {
    const name = MBPP_KEYS[key];
    if (name === undefined) {
      if (value !== undefined) fields[key] = value;
    } else if (Object.hasOwn(record, name)) {
      problems.push({ key, message: `means the same as ${name}, which is there too: leave one of them out` });
    } else {
      const text = unixLines(value);
      const isEmpty = text === "" || (Array.isArray(text) && text.length === 0 && name === "setupCode");
      if (name === "setupCode" && !isEmpty) {
        const code = Array.isArray(text) ? `${text.join("\n")}\n` : text;
        fields[name] = fields[name] === undefined ? code : `${String(fields[name])}\n${String(code)}`;
      } else if (!isEmpty && value !== null) fields[name] = text;
    }
  }
  // MBPP numbers its tasks.
  if (typeof fields["id"] === "number") fields["id"] = String(fields["id"]);
  return fields;
}

/** MBPP's files have the line ends of Windows. */
function unixLines(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/\r\n?/g, "\n");
  return Array.isArray(value) ? value.map(unixLines) : value;
}

function expandTest(test: unknown, key: string, language: unknown, problems: RecordProblem[]): unknown {
  if (typeof test !== "string") return test;
  const isPython = language === "python";
  if (isPython && /^class\s+\w+\s*\([^)\n]*TestCase\b/m.test(test)) return { kind: "unittest", source: test };
  // A test that cannot fail would make every program right.
  const canFail = isPython ? /\b(?:assert|raise)\b/.test(withoutStrings(test)) : /\bassert\b|\bthrow\b/.test(test);
  if (!canFail) {
    const example = isPython ? "assert add(1, 2) == 3" : "console.assert(add(1, 2) === 3)";
    problems.push({ key, message: `has no assert, so no program would fail it; write a statement like ${example}` });
  }
  return { kind: "assert", source: test };
}

/** The one function or class that the gold program defines, or that every assert calls; none where that is not plain. */
function findEntryPoint(task: Readonly<Record<string, unknown>>): string | undefined {
  const { publicTests, privateTests, language, goldProgram } = task;
  if (language !== "python" || !Array.isArray(publicTests) || !Array.isArray(privateTests)) return undefined;
  const tests = [...publicTests, ...privateTests].map(assertSource);
  if (tests.some((source) => source === undefined)) return undefined;
  const setup = [task["setupCode"], task["preamble"]].filter((code) => typeof code === "string").join("\n");
  const calls = (tests as string[]).map((source) =>
    calledNames(source).filter((name) => !TEST_WORDS.has(name) && !isBound(source, name) && !isBound(setup, name)),
  );
  if (typeof goldProgram === "string") {
    const first = calls[0]?.find((name) => defines(goldProgram, name));
    if (first !== undefined) return first;
  }
  // Names of parameters look like those of functions.
  if ((tests as string[]).some((source) => /\b(?:def|class|lambda)\b/.test(withoutStrings(source)))) return undefined;
  const inAll = [...new Set(calls[0])].filter((name) => calls.every((names) => names.includes(name)));
  return inAll.length === 1 ? inAll[0] : undefined;
}

function assertSource(test: unknown): string | undefined {
  const { kind, source } = (test ?? {}) as { readonly kind?: unknown; readonly source?: unknown };
  return kind === "assert" && typeof source === "string" ? source : undefined;
}

/** Whether the source gives the name a meaning of its own: defines, imports or assigns it. */
function isBound(source: string, name: string): boolean {
  const plain = withoutStrings(source);
  return new RegExp(
    `\\b(?:def|class|as|for)[ \\t]+${name}\\b|^[ \\t]*(?:from\\b.*)?import\\b.*\\b${name}\\b|^[ \\t]*${name}[ \\t]*=(?!=)`,
    "m",
  ).test(plain);
}
