/** Files of samples in the form the field uses: one JSON object a line, with a task's id and a model's text. */
import { createHash } from "node:crypto";
import { ConfigError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { readInputLines } from "../store/input-lines.ts";
import { sampleSchema, type SampleText } from "../tasks/sample.ts";
import { createFindTaskId, type FindTaskId } from "../tasks/sample-ids.ts";
import type { Task, TaskSet } from "../tasks/task.ts";

/** A sample of a file; its text is what the file holds, unchanged. */
export interface Sample extends SampleText {
  /** From 0, blank lines not counted. */
  readonly sampleIndex: number;
  /** Line of the file, from 1. */
  readonly line: number;
  readonly task: Task;
  /** Why no sample of this task can be graded. */
  readonly notGradable?: string;
}

export interface SampleFileDescription {
  readonly file: string;
  readonly samples: number;
  /** SHA-256 of the text, unpacked. */
  readonly sha256: string;
}

const MAX_NAMED = 10;

/**
 * Reads the whole file once, so that whatever is wrong with it is known before anything is graded.
 * @throws ConfigError for unreadable lines (file, line, what was expected) and unknown tasks (the nearest id), up to ten
 * of them at once; for a file without samples, or that cannot be read.
 */
export async function checkSampleFile(file: string, taskSet: TaskSet): Promise<SampleFileDescription> {
  const hash = createHash("sha256");
  const find = createFindTaskId(allTaskIds(taskSet));
  const problems: string[] = [];
  let samples = 0;
  for await (const { lineNumber, text } of readInputLines(file, { hash })) {
    if (text.trim() === "") continue;
    samples++;
    const parsed = parseLine(text, taskSet, find);
    if (typeof parsed === "string") problems.push(`${file} line ${lineNumber}: ${parsed}`);
    if (problems.length > MAX_NAMED) break;
  }
  if (problems.length > 0) {
    const more = problems.length > MAX_NAMED ? ["… and more"] : [];
    throw new ConfigError([...problems.slice(0, MAX_NAMED), ...more, "Nothing was graded."].join("\n"), {
      file,
      problems,
    });
  }
  if (samples === 0) throw new ConfigError(`${file} holds no sample: expected one JSON object per line`, { file });
  return { file, samples, sha256: hash.digest("hex") };
}

/** The samples of a file that {@link checkSampleFile} has found good, in order. @throws ConfigError where it has changed. */
export async function* readSamples(file: string, taskSet: TaskSet): AsyncGenerator<Sample> {
  const tasks = new Map(taskSet.tasks.map((task) => [task.id, { task }]));
  const others = (taskSet.notGradable ?? []).map(({ task, reason }) => ({ task, notGradable: reason }));
  for (const other of others) tasks.set(other.task.id, other);
  const find = createFindTaskId([...tasks.keys()]);
  let sampleIndex = 0;
  for await (const { lineNumber: line, text: content } of readInputLines(file)) {
    if (content.trim() === "") continue;
    const parsed = parseLine(content, taskSet, find);
    if (typeof parsed === "string") throw new ConfigError(`${file} line ${line}: ${parsed}`, { file, line });
    const { taskId, ...rest } = parsed;
    yield { sampleIndex: sampleIndex++, line, ...tasks.get(taskId)!, ...rest };
  }
}

/** Those that cannot be graded, too. */
export function allTaskIds({ tasks, notGradable = [] }: Pick<TaskSet, "tasks" | "notGradable">): string[] {
  return [...tasks, ...notGradable.map(({ task }) => task)].map(({ id }) => id);
}

type ParsedLine = SampleText & { readonly taskId: string };

/** What the line says, or in words what is wrong with it. */
function parseLine(content: string, taskSet: TaskSet, find: FindTaskId): ParsedLine | string {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    return `expected a JSON object, found ${JSON.stringify(content.length > 40 ? `${content.slice(0, 40)}…` : content)}`;
  }
  const parsed = sampleSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const key = issue?.path.join(".");
    return `${key ? `${key}: ` : ""}${issue?.message ?? "malformed"}`;
  }
  const { taskId: spelt, ...sample } = parsed.data;
  const taskId = find(spelt);
  return taskId === undefined ? describeUnknown(spelt, taskSet) : { taskId, ...sample };
}

function describeUnknown(id: string, { suite, split, tasks }: TaskSet): string {
  const guess = nearest(
    id,
    tasks.map((task) => task.id),
  );
  const hint = guess === undefined ? `its ids look like ${tasks[0]?.id}` : `the nearest is ${guess}`;
  return `no task ${JSON.stringify(id)} in ${suite}, split ${split} (${tasks.length} tasks); ${hint}`;
}
