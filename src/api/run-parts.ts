/** What every command that grades programs of a suite needs, opened and closed in one place. */
import { setMaxListeners } from "node:events";
import { createGrader } from "../grading/grader.ts";
import type { Grader } from "../grading/grade.ts";
import { createPyodideSandbox } from "../sandbox/pyodide/pyodide-sandbox.ts";

/** Opens the sandbox and a grader on it, gives them to `work`, and closes them whatever happens. */
export async function withGrader<T>(work: (grader: Grader) => Promise<T>): Promise<T> {
  const sandbox = await createPyodideSandbox({});
  try {
    const grader = await createGrader({ sandbox });
    try {
      return await work(grader);
    } finally {
      await grader.close();
    }
  } finally {
    await sandbox.close();
  }
}

/** Lets hundreds of conversations listen to one signal without Node's warning of a leak. */
export function sharedSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal !== undefined) setMaxListeners(0, signal);
  return signal;
}
