/** One's own tasks: the JSON form of a task with its tests, one object per line. What `tasks show --json` prints. */
import { z } from "zod";
import { nearest } from "../nearest.ts";
import { describeProblems, type RecordProblem } from "./record-words.ts";
import { expandTask, SHORTHAND_KEYS } from "./task-shorthand.ts";
import type { Task, TaskSet, Test } from "./task.ts";

const text = z.string();
const name = z.string().regex(/^[A-Za-z_$][\w$]*$/, "expected the name of a function or class");

const assertTest = z
  .strictObject({
    kind: z.literal("assert"),
    source: text.min(1).describe("Statements that raise when the program is wrong, e.g. `assert add(1, 2) == 3`"),
  })
  .describe("Statements run after the program and the setup code");

const stdinTest = z
  .strictObject({
    kind: z.literal("stdin"),
    stdin: text.describe("What the program reads"),
    stdout: text.describe("What it must print"),
    comparison: z
      .enum(["words", "lines", "unordered-lines", "exact"])
      .describe(
        "words (default): whatever white space is between them; lines: but for white space at their ends; " +
          "unordered-lines: these in any order; exact: every character but line feeds at the end",
      )
      .optional(),
    tolerance: z
      .number()
      .min(0)
      .describe(
        "With words and lines: words that are numbers compare as numbers. Largest absolute or relative difference that " +
          "counts as equal; 0: the same number however it is written",
      )
      .optional(),
  })
  .refine(({ comparison = "words", tolerance }) => tolerance === undefined || /^(?:words|lines)$/.test(comparison), {
    path: ["tolerance"],
    message: "goes with the comparisons words and lines only",
  })
  .describe("The program as a whole: input and output");

const referenceTest = z
  .strictObject({
    kind: z.literal("reference"),
    entryPoint: name.describe("The function that is called"),
    inputs: z.array(text).min(1).describe("Argument lists as Python source without the parentheses, e.g. `[1.0], 0.3`"),
    reference: text.min(1).describe("A right program; never shown to a solver"),
    tolerance: z.number().min(0).describe("Largest difference between floats that counts as equal; 0: exact"),
    comparison: z
      .enum(["equal", "set", "presence", "root"])
      .describe("equal: ==; set: as sets; presence: both None or neither; root: the input's polynomial is 0 there"),
  })
  .describe("The function must answer like a reference program (Python only)");

const unittestTest = z
  .strictObject({
    kind: z.literal("unittest"),
    source: text
      .regex(/^class\s+\w+\s*\([^)\n]*TestCase\b/m, "expected a class with TestCase among its bases")
      .describe("Classes of unittest.TestCase"),
  })
  .describe("Runs in the program's own process, where a program could see it and lie about it (Python only)");

export const testSchema = z.discriminatedUnion("kind", [assertTest, stdinTest, referenceTest, unittestTest]);
const tests = z.array(testSchema).min(1, "expected at least one test");

/** Whatever is left out is `undefined` and never `null`. */
export const taskRecordSchema = z
  .strictObject({
    id: text.min(1).describe("Unique within the file"),
    prompt: text.min(1).describe("The problem in words, or the start of the program: signature and docstring"),
    language: z.enum(["python", "javascript"]).describe("Language of the program and of its tests"),
    entryPoint: name
      .describe("The function or class that the tests call; none for programs that read stdin")
      .optional(),
    starterCode: text.min(1).describe("The start of a program, shown with the prompt").optional(),
    publicTests: tests.describe("The solver may run these and read the result"),
    privateTests: tests.describe("These decide, together with the public ones, whether a program is right"),
    preamble: text.describe("Source run before the program, e.g. `from typing import *`").optional(),
    setupCode: text.describe("Source run after the program and before the tests; not with stdin tests").optional(),
    timeLimit: z
      .number()
      .gt(0)
      .max(3600)
      .describe("Seconds of CPU time for a run with little to do; default 3. Long runs are allowed more")
      .optional(),
    goldProgram: text.min(1).describe("A program known to pass every test; `tasks check` runs it").optional(),
    goldProblem: text.min(1).describe("Why the gold program is known to fail its tests").optional(),
    wrongProgram: text.min(1).describe("A program known to be wrong; `tasks check` runs it").optional(),
    split: text.min(1).describe("The split it belongs to; default test").optional(),
  })
  .describe("A task of mucode's `jsonl` suite");

export type TaskRecord = z.infer<typeof taskRecordSchema>;

/** Of tests. */
const TEST_KEYS = ["kind", "source", "stdin", "stdout", "comparison", "tolerance", "entryPoint", "inputs", "reference"];

/**
 * A task as people write it, in the full form or a shorter one, as a record; or what is wrong with it. `extraKeys`: what
 * becomes of keys that no task has.
 */
export function readTaskRecord(
  value: unknown,
  options: { readonly defaults?: Partial<TaskRecord>; readonly extraKeys: "refuse" | "leave unread" },
): { readonly record: TaskRecord } | { readonly problems: readonly RecordProblem[] } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { problems: [{ key: "record", message: "expected an object" }] };
  }
  const { fields: expanded, problems, isMbpp } = expandTask(value as Record<string, unknown>);
  if (problems.length > 0) return { problems };
  const fields = { ...options.defaults, ...expanded };
  const { shape } = taskRecordSchema;
  const keys = Object.keys(shape);
  const left = options.extraKeys === "leave unread" || isMbpp ? unreadKeys(fields, keys) : [];
  const read = Object.fromEntries(Object.entries(fields).filter(([key]) => !left.includes(key)));
  const parsed = taskRecordSchema.safeParse(read);
  if (parsed.success) return { record: parsed.data };
  return {
    problems: describeProblems(parsed.error.issues, read, {
      keys: [...keys, "tests"],
      innerKeys: TEST_KEYS,
      describe: (key) => (shape as Record<string, z.ZodType | undefined>)[key]?.description,
    }),
  };
}

/** Keys that no task has, but for those that look like one which is not there. */
function unreadKeys(fields: Readonly<Record<string, unknown>>, keys: readonly string[]): string[] {
  const missing = [...keys, ...SHORTHAND_KEYS].filter((key) => fields[key] === undefined);
  return Object.keys(fields).filter((key) => !keys.includes(key) && nearest(key, missing) === undefined);
}

/** The task and its private tests, apart. */
export function fromTaskRecord(record: TaskRecord): { readonly task: Task; readonly privateTests: readonly Test[] } {
  const { privateTests, split: _, ...rest } = record;
  return { task: definedKeys(rest), privateTests };
}

/** The object without the keys whose value is `undefined`. */
export function definedKeys<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** A task of a set in the form of {@link taskRecordSchema}: what is printed can be read again. */
export function toTaskRecord(task: Task, { privateTests, split }: Pick<TaskSet, "privateTests" | "split">): object {
  return { ...task, privateTests: privateTests.of(task.id), split };
}

/** The JSON Schema of one line (draft 2020-12), for editors and for other programs. */
export function taskJsonSchema(): object {
  return z.toJSONSchema(taskRecordSchema);
}
