/** Held-out tasks are never trained on: asserted by what the tasks are, not by what they are called. */
import { InfrastructureError } from "../errors.ts";
import { sha256 } from "../tasks/task-set.ts";
import type { Task } from "../tasks/task.ts";

/**
 * Two tasks are the same when they ask the same in words, upper case and white space aside, or when the programs known
 * to be right are the same but for the function's name.
 * @throws InfrastructureError naming the first held-out task that is among the training tasks: a fault of the suite.
 */
export async function assertHeldOut(training: readonly Task[], heldOut: readonly Task[]): Promise<void> {
  const trained = new Map<string, Task>();
  for (const task of training) for (const hash of await contentHashes(task)) trained.set(hash, task);
  for (const task of heldOut) {
    for (const hash of await contentHashes(task)) {
      const same = trained.get(hash);
      if (same === undefined) continue;
      const message = `held-out task ${task.id} is training task ${same.id}: results on it would say nothing`;
      throw new InfrastructureError(message, { heldOut: task.id, training: same.id, sha256: hash });
    }
  }
}

function contentHashes({ prompt, goldProgram, entryPoint }: Task): Promise<string[]> {
  const contents = [`prompt ${prompt.toLowerCase().replaceAll(/\s+/g, " ").trim()}`];
  if (goldProgram !== undefined) {
    const program = entryPoint === undefined ? goldProgram : goldProgram.replaceAll(entryPoint, "f");
    contents.push(`program ${program.trim()}`);
  }
  return Promise.all(contents.map(sha256));
}
