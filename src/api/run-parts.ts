/** What every command that grades programs of a suite needs, opened and closed in one place. */
import { allSettled } from "../concurrency.ts";
import { setMaxListeners } from "node:events";
import { bytesText } from "../bytes-text.ts";
import type { TrainConfiguration } from "../config/schema.ts";
import type { Grader } from "../grading/grade.ts";
import { createGrader } from "../grading/grader.ts";
import type { ProgressReporter } from "../progress.ts";
import { openSandbox, type SandboxKind } from "../sandbox/open-sandbox.ts";
import { createQuickjsSandbox } from "../sandbox/quickjs/quickjs-sandbox.ts";
import type { Language, Sandbox } from "../sandbox/sandbox.ts";
import type { RunDirectory } from "../store/run-directory.ts";
import { openSuite } from "../tasks/suites.ts";
import type { Suite, TaskSet } from "../tasks/task.ts";

export interface GraderChoice {
  /** `auto` (default): `native` where it shows that it can isolate, `pyodide` elsewhere. */
  readonly sandbox?: SandboxKind;
  /** Languages of the programs to be graded. Default: Python. */
  readonly languages?: readonly Language[];
  /** Programs run at the same time. Default: one per core. */
  readonly workers?: number;
  /** Seconds of CPU time for a run of a program, in the place of the tasks' own limits. */
  readonly timeLimit?: number | undefined;
  /** Told which sandbox was taken and why, in a sentence. */
  readonly onChoice?: (text: string) => void;
}

/** What a run's configuration and task sets ask of the sandboxes. */
export function graderChoice(
  { sandbox, timeLimit }: Pick<GraderChoice, "sandbox" | "timeLimit">,
  taskSets: readonly TaskSet[],
  progress: ProgressReporter,
): GraderChoice {
  const languages = new Set(taskSets.flatMap(({ tasks }) => tasks.map(({ language }) => language)));
  return {
    ...(sandbox && { sandbox }),
    ...(timeLimit !== undefined && { timeLimit }),
    languages: [...languages],
    onChoice: (text) => progress.log(text),
  };
}

/**
 * Opens the sandboxes and a grader on them, gives it to `work`, and closes them whatever happens. `version` changes
 * whenever a sandbox would give another verdict.
 */
export async function withGrader<T>(
  { sandbox: kind = "auto", languages = ["python"], workers, timeLimit, onChoice }: GraderChoice,
  work: (grader: Grader, concurrency: number, version: string) => Promise<T>,
): Promise<T> {
  const sandboxes: Partial<Record<Language, Sandbox>> = {};
  try {
    for (const language of new Set(languages)) {
      const options = workers === undefined ? {} : { workers };
      if (language === "python") {
        const { sandbox, why } = await openSandbox({ kind, ...options });
        sandboxes.python = sandbox;
        onChoice?.(why);
      } else {
        sandboxes[language] = await createQuickjsSandbox(options);
        onChoice?.("JavaScript programs run in the quickjs sandbox.");
      }
    }
    const grader = await createGrader({ sandboxes, ...(timeLimit !== undefined && { timeLimit }) });
    try {
      const concurrency = Object.values(sandboxes).reduce((sum, sandbox) => sum + sandbox.concurrency, 0);
      const version = Object.values(sandboxes).map((sandbox) => sandbox.version);
      return await work(grader, concurrency, version.join(" "));
    } finally {
      await grader.close();
    }
  } finally {
    await allSettled(Object.values(sandboxes).map((sandbox) => sandbox.close()));
  }
}

/** The suite that a run of `mucode train` is trained and evaluated on. @throws ConfigError */
export function openTrainSuite({ name, data, heldOutShare, seed }: TrainConfiguration["suite"]): Suite {
  return openSuite({
    name,
    ...(data !== undefined && { dataDirectory: data }),
    heldOut: { share: heldOutShare, seed },
  });
}

/** Says where the run is written, whether it is resumed, and what it was started with that is another version now. */
export function announceRun(run: RunDirectory, progress: ProgressReporter): void {
  progress.log(`${run.resumed ? "resuming" : "writing to"} ${run.directory}`);
  for (const { key, before, after } of run.versionChanges) {
    progress.log(`started with ${key} ${String(before)}, goes on with ${String(after)}: results may differ`);
  }
}

/** Says how much the run's directory may grow, where anything is known. */
export function announceDisk(bytes: number, forWhat: string, progress: ProgressReporter): void {
  if (bytes > 0) progress.log(`needs up to ${bytesText(bytes)} of disk (${forWhat})`);
}

/** Lets hundreds of conversations listen to one signal without Node's warning of a leak. */
export function sharedSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal !== undefined) setMaxListeners(0, signal);
  return signal;
}
