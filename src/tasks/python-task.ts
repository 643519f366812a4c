/** One task from a Python file that people write by hand. The file is read and never run. */
import { ConfigError } from "../errors.ts";
import { calledNames, TEST_WORDS, withoutStrings } from "./python-source.ts";
import {
  blockStatements,
  leadingDocstring,
  splitHeader,
  topLevelStatements,
  type PythonStatement,
} from "./python-statements.ts";
import type { Task, Test } from "./task.ts";

export interface PythonTask {
  readonly task: Task;
  /** What a person should know about how the file was read. */
  readonly notes: readonly string[];
}

/**
 * The rule, for a file that is the start of a program and its tests:
 *
 * - **Public tests** are the asserts at the top level and under `if __name__ == …:`, and the functions `test_…()`
 *   without parameters.
 * - **The function to write** is the first one that a test calls and that is a stub (its body is at most a docstring and
 *   `pass`, `...` or `raise …`); where none is a stub, the first one that a test calls. Its body is dropped, its
 *   docstring is kept; further stubs lose their bodies as well.
 * - **The prompt** is what stands before that function (module docstring, comments, imports, helpers) with its signature
 *   and docstring: the start of the program. Where the file defines no such function, the prompt is the module
 *   docstring or the leading comment alone.
 * - Everything else runs after the program and before the tests, and is not shown.
 *
 * @throws ConfigError for a file without a test, without words that say what is asked for, or with nothing left to write.
 */
export function parsePythonTask(source: string, name: string): PythonTask {
  const statements = topLevelStatements(source);
  const tests = statements.flatMap((statement) => testsOf(statement));
  if (tests.length === 0) {
    throw new ConfigError(
      `${name} has no test: expected an assert at the top level or under if __name__ == "__main__":, ` +
        `e.g. assert f(2) == 4`,
      { file: name },
    );
  }
  const rest = statements
    .filter((statement) => !isTest(statement))
    .map(withoutTests)
    .filter((one) => one !== undefined);
  const called = new Set(tests.flatMap(({ source: test }) => calledNames(test)));
  const functions = rest.filter(({ kind, text }) => kind === "function" && called.has(functionName(text)));
  const asked = functions.find(({ text }) => isStub(text)) ?? functions[0];
  const described = asked === undefined ? describeInWords(rest) : describeFunction(rest, asked);
  if (described.words === "") {
    throw new ConfigError(
      `${name} does not say what to write: expected a docstring or a comment at its start, or a docstring in ` +
        `${asked === undefined ? "the function" : functionName(asked.text)}`,
      { file: name },
    );
  }
  const entryPoint = asked === undefined ? firstUnknownCall(tests, rest) : functionName(asked.text);
  if (entryPoint === undefined && rest.some(({ text }) => definesOneOf(text, called))) {
    throw new ConfigError(
      `${name} leaves nothing to write: it defines all that its tests call. Make the body of a function a stub; ask for ` +
        `a class in words, in the docstring, and leave it out`,
      { file: name },
    );
  }
  const task: Task = {
    id: name,
    prompt: described.prompt,
    language: "python",
    // A capital begins a class, which is no function to name; the tests show it.
    ...(entryPoint !== undefined && !/^[A-Z]/.test(entryPoint) && { entryPoint }),
    publicTests: tests,
    ...(described.setupCode !== "" && { setupCode: `${described.setupCode}\n` }),
  };
  const notes =
    asked !== undefined && !isStub(asked.text)
      ? [`${functionName(asked.text)} has a body already: it is left out, and the function is written anew`]
      : [];
  return { task, notes };
}

interface Description {
  readonly prompt: string;
  /** What of the prompt is words; empty when it says nothing. */
  readonly words: string;
  readonly setupCode: string;
}

function describeFunction(rest: readonly PythonStatement[], asked: PythonStatement): Description {
  const index = rest.indexOf(asked);
  const before = rest.slice(0, index).filter(({ kind, text }) => kind !== "function" || !isStub(text));
  const after = rest.slice(index + 1);
  const laterStubs = after.filter(({ kind, text }) => kind === "function" && isStub(text));
  const setup = after.filter((statement) => !laterStubs.includes(statement) && statement.kind !== "comment");
  const prompt = [
    ...before.map(({ text }) => text),
    signatureOf(asked.text),
    ...laterStubs.map(({ text }) => signatureOf(text)),
  ];
  const { body } = splitHeader(asked.text);
  return {
    prompt: `${prompt.join("\n\n")}\n`,
    words: leadingWords(rest) || (leadingDocstring(body)?.value ?? ""),
    setupCode: joined(setup),
  };
}

function describeInWords(rest: readonly PythonStatement[]): Description {
  const words = leadingWords(rest);
  const code = rest.filter(({ kind }) => kind !== "comment" && kind !== "docstring");
  return { prompt: words, words, setupCode: joined(code) };
}

/** The module docstring, else the comment that the file begins with (without `#!` and encoding lines). */
function leadingWords(statements: readonly PythonStatement[]): string {
  const [first] = statements.filter(({ kind }) => kind !== "comment");
  if (first?.kind === "docstring") return leadingDocstring(first.text)?.value ?? "";
  const comment = statements[0]?.kind === "comment" ? statements[0].text : "";
  const lines = comment.split("\n").filter((line) => !/^#!|^#.*coding[:=]/.test(line));
  return lines
    .map((line) => line.replace(/^#+ ?/, "").trimEnd())
    .join("\n")
    .trim();
}

function isTest(statement: PythonStatement): boolean {
  return statement.kind === "assert" || isTestFunction(statement);
}

function isTestFunction({ kind, text }: PythonStatement): boolean {
  return kind === "function" && /^(?:@[^\n]*\n)*def[ \t]+test\w*[ \t]*\([ \t]*\)/.test(text);
}

function testsOf(statement: PythonStatement): (Test & { kind: "assert" })[] {
  if (statement.kind === "assert") return [{ kind: "assert", source: statement.text }];
  if (isTestFunction(statement)) {
    return [{ kind: "assert", source: `${statement.text}\n\n${functionName(statement.text)}()` }];
  }
  if (statement.kind === "main") return blockStatements(statement).flatMap((inner) => testsOf(inner));
  return [];
}

/** A main block without its tests; what is left of it, e.g. helpers for them, runs before the tests. */
function withoutTests(statement: PythonStatement): PythonStatement | undefined {
  if (statement.kind !== "main") return statement;
  const kept = blockStatements(statement).filter((inner) => !isTest(inner) && inner.kind !== "comment");
  const text = joined(kept);
  return /^\s*(?:pass\s*)?$/.test(text) ? undefined : { ...statement, text, kind: "other" };
}

function functionName(text: string): string {
  return /^(?:@[^\n]*\n|#[^\n]*\n)*(?:async[ \t]+)?def[ \t]+(\w+)/.exec(text)?.[1] ?? "";
}

/** A body of at most a docstring and `pass`, `...` or `raise …`. */
function isStub(text: string): boolean {
  const { body } = splitHeader(text);
  const rest = withoutStrings(body.slice(leadingDocstring(body)?.end ?? 0));
  return /^(?:\s|;|pass\b|\.\.\.|raise\b[^\n]*)*$/.test(rest);
}

/** Signature and docstring, as they stand in the file. */
function signatureOf(text: string): string {
  const { header, body } = splitHeader(text);
  return header + body.slice(0, leadingDocstring(body)?.end ?? 0);
}

function definesOneOf(text: string, names: ReadonlySet<string>): boolean {
  return [...text.matchAll(/^class[ \t]+(\w+)/gm)].some(([, name]) => names.has(name as string));
}

/** A function that the tests call and nothing defines: what a task in words asks for. */
function firstUnknownCall(tests: readonly { source: string }[], rest: readonly PythonStatement[]): string | undefined {
  const sources = [...rest.map(({ text }) => text), ...tests.map(({ source }) => source)];
  const defined = new Set(
    sources.flatMap((text) =>
      [...text.matchAll(/^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)/gm)].map(([, name]) => name),
    ),
  );
  const imported = rest.filter(({ text }) => /^(?:from|import)\b/.test(text)).map(({ text }) => text);
  const isKnown = (name: string): boolean =>
    defined.has(name) || TEST_WORDS.has(name) || imported.some((line) => new RegExp(`\\b${name}\\b`).test(line));
  return tests.flatMap(({ source }) => calledNames(source)).find((name) => !isKnown(name));
}

function joined(statements: readonly PythonStatement[]): string {
  return statements.map(({ text }) => text).join("\n");
}
