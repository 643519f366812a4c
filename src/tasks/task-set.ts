/** Puts tasks and their private tests together, apart from each other, under one hash. */
import type { LoadOptions, NotGradable, Suite, Task, TaskSet, Test } from "./task.ts";
import { SuiteError } from "../errors.ts";

export interface TaskSetParts {
  readonly suite: string;
  readonly version: string;
  readonly split: string;
  /** In order; ids are unique. */
  readonly tasks: readonly { readonly task: Task; readonly privateTests: readonly Test[] }[];
  readonly notGradable?: readonly NotGradable[];
  readonly notes?: readonly string[];
}

/** A {@link TaskSet} whose hash is SHA-256 over the canonical JSON of each task with its private tests, in order. */
export async function createTaskSet(parts: TaskSetParts): Promise<TaskSet> {
  const { suite, version, split, tasks, notGradable, notes = [] } = parts;
  const privateTests = new Map(tasks.map((entry) => [entry.task.id, entry.privateTests]));
  return {
    suite,
    version,
    split,
    hash: await sha256(canonicalJson(tasks.map(({ task, privateTests: tests }) => ({ task, privateTests: tests })))),
    notes,
    ...(notGradable && { notGradable }),
    tasks: tasks.map((entry) => entry.task),
    privateTests: {
      of(taskId) {
        const tests = privateTests.get(taskId);
        if (tests === undefined) throw new RangeError(`task ${taskId} is not in ${suite}/${split}`);
        return tests;
      },
    },
  };
}

/** Checks the split and the limit of a request. @throws SuiteError naming the valid splits, or the limit. */
export function checkLoadOptions(suite: Pick<Suite, "name" | "splits">, { split, limit }: LoadOptions): void {
  if (!suite.splits.includes(split)) {
    throw new SuiteError(`suite ${suite.name} has no split "${split}"; use one of ${suite.splits.join(", ")}`, {
      suite: suite.name,
      split,
    });
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
    throw new SuiteError(`limit must be a whole number above 0, not ${limit}`, { suite: suite.name, limit });
  }
}

/** JSON with the keys of every object in alphabetical order and no white space. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Hex. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
