/** Tasks, task sets and the results of checking them, as people read them. */
import type { ReferenceTest, Task, TaskSet, Test } from "../tasks/task.ts";
import { describeTest } from "../tasks/test-text.ts";
import type { CheckReport, GoldFailure } from "./check-tasks.ts";

export interface SplitReport {
  readonly taskSet: TaskSet;
  readonly report: CheckReport;
}

/** Characters shown of a hash: enough to tell two sets apart. */
const HASH_CHARACTERS = 12;
/** Lines shown of a test that failed. */
const TEST_LINES = 8;
/** Inputs shown of a reference test. */
const INPUTS_SHOWN = 5;
/** Characters shown of a line that may be of any length. */
const LINE_CHARACTERS = 300;

/** Which tasks exactly: what must stand beside every result. */
export function describeTaskSet({ suite, split, version, hash, tasks }: TaskSet): string {
  return `${suite}/${split}: version ${version}, ${tasks.length} tasks, sha256 ${hash.slice(0, HASH_CHARACTERS)}`;
}

export function describeTask(task: Task, privateTests: readonly Test[]): string {
  const sections: (readonly [string, string])[] = [
    ["language", task.language === "python" ? "" : task.language],
    ["function", task.entryPoint ?? "(none: the program as a whole)"],
    ["public tests", textsOf(task.publicTests)],
    ["private tests", textsOf(privateTests)],
    ["starter code", task.starterCode ?? ""],
    ["preamble", task.preamble ?? ""],
    ["setup code", task.setupCode ?? ""],
    ["time limit", task.timeLimit === undefined ? "" : `${task.timeLimit} s`],
    ["gold program", task.goldProgram ?? "(none)"],
    ["known problem of the gold program", task.goldProblem ?? ""],
    ["known wrong program", task.wrongProgram ?? ""],
  ];
  const texts = sections.filter(([, text]) => text !== "").map(([title, text]) => `  ${title}\n${indent(text, 4)}`);
  return [task.id, indent(task.prompt, 2), ...texts].join("\n") + "\n\n";
}

/** One split's results as a line of JSON. */
export function reportLine({ taskSet, report }: SplitReport): string {
  const { suite, version, split, hash, tasks, notes = [] } = taskSet;
  return `${JSON.stringify({ suite, version, split, hash, count: tasks.length, notes, ...report })}\n`;
}

/** One split's results: counts, then each exception with its reason. */
export function describeReport({ taskSet, report }: SplitReport): string {
  const { gold, wrong, mended, vacuous, unusable, unchecked } = report;
  const { notes = [] } = taskSet;
  const lines = [
    describeTaskSet(taskSet),
    ...(gold.total > 0 ? [`  ${gold.total - gold.failures.length}/${gold.total} gold programs pass`] : []),
    ...(wrong.total > 0 ? [`  ${wrong.passing.length}/${wrong.total} known wrong programs pass`] : []),
    ...(unchecked.gold > 0
      ? [`  not checked: ${countOf(unchecked.gold)} no gold program, so that nothing shows a right one to pass`]
      : []),
    ...(unchecked.wrong > 0
      ? [`  not checked: ${countOf(unchecked.wrong)} no known wrong program; an empty one was tried`]
      : []),
    ...unusable.map(({ taskId, reason }) => `  ${taskId}: ${cut(reason.replace(/\s+/g, " "))}`),
    ...vacuous.map((taskId) => `  ${taskId}: an empty program passes every test`),
    ...gold.failures.map(describeFailure),
    ...wrong.passing.map((taskId) => `  ${taskId}: its known wrong program passes every test`),
    ...mended.map((taskId) => `  ${taskId}: its gold program is known to fail, and passes`),
    ...notes.map((note) => `  note: ${note}`),
  ];
  return `${lines.join("\n")}\n`;
}

const countOf = (tasks: number): string => (tasks === 1 ? "1 task has" : `${tasks} tasks have`);

function describeFailure({ taskId, verdict, test, reason, knownProblem }: GoldFailure): string {
  if (knownProblem !== undefined) return `  ${taskId}: ${verdict}, as expected: ${knownProblem}`;
  const parts = [taskId, verdict, ...(reason === undefined ? [] : [cut(reason.replace(/\s+/g, " "))])];
  const head = `  ${parts.join(": ")}`;
  if (test === undefined) return head;
  const lines = test.split("\n");
  const shown = lines.length > TEST_LINES ? [...lines.slice(0, TEST_LINES), "…"] : lines;
  return `${head}\n${indent(shown.map(cut).join("\n"), 4)}`;
}

function textsOf(tests: readonly Test[]): string {
  return tests.map((test) => (test.kind === "reference" ? describeReference(test) : describeTest(test))).join("\n");
}

function describeReference({ entryPoint, inputs, comparison, tolerance }: ReferenceTest): string {
  const calls = inputs.slice(0, INPUTS_SHOWN).map((input) => `  ${cut(`${entryPoint}(${input})`)}`);
  const rest = inputs.length > INPUTS_SHOWN ? [`  … and ${inputs.length - INPUTS_SHOWN} more`] : [];
  const count = inputs.length === 1 ? "1 input" : `${inputs.length} inputs`;
  const head = `${entryPoint} answers like the reference (${comparison}, tolerance ${tolerance}) on ${count}:`;
  return [head, ...calls, ...rest].join("\n");
}

function cut(text: string): string {
  return text.length > LINE_CHARACTERS ? `${text.slice(0, LINE_CHARACTERS)}…` : text;
}

function indent(text: string, width: number): string {
  return text.trimEnd().replace(/^(?=.)/gm, " ".repeat(width));
}
