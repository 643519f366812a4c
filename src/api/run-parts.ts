/** What every command that grades programs of a suite needs, opened and closed in one place. */
import { setMaxListeners } from "node:events";
import { createGrader } from "../grading/grader.ts";
import type { Grader } from "../grading/grade.ts";
import type { ProgressReporter } from "../progress.ts";
import { createPyodideSandbox } from "../sandbox/pyodide/pyodide-sandbox.ts";
import type { RunDirectory } from "../store/run-directory.ts";

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

/** Says where the run is written, whether it is resumed, and what it was started with that is another version now. */
export function announceRun(run: RunDirectory, progress: ProgressReporter): void {
  progress.log(`${run.resumed ? "resuming" : "writing to"} ${run.directory}`);
  for (const { key, before, after } of run.versionChanges) {
    progress.log(`started with ${key} ${String(before)}, goes on with ${String(after)}: results may differ`);
  }
}

/** Lets hundreds of conversations listen to one signal without Node's warning of a leak. */
export function sharedSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal !== undefined) setMaxListeners(0, signal);
  return signal;
}
