/** Held-out tasks are never trained on: told by what the tasks are, not by what they are called. */
import { allSettled } from "../concurrency.ts";
import { InfrastructureError } from "../errors.ts";
import { sha256 } from "../tasks/task-set.ts";
import type { Task, TaskSet } from "../tasks/task.ts";

/**
 * The training tasks that are not held out. Splits of mubpp are disjoint by what the parts of a task mean, yet once in
 * some thousand tasks two different compositions come out as the same program.
 */
export async function withoutHeldOut(training: TaskSet, heldOut: TaskSet): Promise<TaskSet> {
  const held = await tasksByContent(heldOut.tasks);
  const tasks: Task[] = [];
  for (const task of training.tasks) if ((await find(task, held)) === undefined) tasks.push(task);
  return { ...training, tasks };
}

/** @throws InfrastructureError naming the first held-out task that is among the training tasks. */
export async function assertHeldOut(training: readonly Task[], heldOut: readonly Task[]): Promise<void> {
  const trained = await tasksByContent(training);
  for (const task of heldOut) {
    const same = await find(task, trained);
    if (same === undefined) continue;
    const message = `held-out task ${task.id} is training task ${same.id}: results on it would say nothing`;
    throw new InfrastructureError(message, { heldOut: task.id, training: same.id });
  }
}

async function tasksByContent(tasks: readonly Task[]): Promise<Map<string, Task>> {
  const known = new Map<string, Task>();
  for (const task of tasks) for (const hash of await contentHashes(task)) known.set(hash, task);
  return known;
}

async function find(task: Task, known: ReadonlyMap<string, Task>): Promise<Task | undefined> {
  for (const hash of await contentHashes(task)) {
    const same = known.get(hash);
    if (same !== undefined) return same;
  }
  return undefined;
}

/**
 * Two tasks are the same when they ask the same in words, upper case and white space aside, or when the programs known
 * to be right are the same but for the function's name.
 */
function contentHashes({ prompt, goldProgram, entryPoint }: Task): Promise<string[]> {
  const contents = [`prompt ${prompt.toLowerCase().replaceAll(/\s+/g, " ").trim()}`];
  if (goldProgram !== undefined) {
    const program = entryPoint === undefined ? goldProgram : goldProgram.replaceAll(entryPoint, "f");
    contents.push(`program ${program.trim()}`);
  }
  return allSettled(contents.map(sha256));
}
