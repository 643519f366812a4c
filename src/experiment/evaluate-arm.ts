/** One generator on the held-out tasks: a resumable stage with a record per task. */
import { allSettled } from "../concurrency.ts";
import { StoreError } from "../errors.ts";
import type { OutcomeGrader } from "../grading/grade.ts";
import type { ProgressReporter } from "../progress.ts";
import { collect, describeFailures } from "../rollout/collect.ts";
import { Clocks } from "../rollout/timed.ts";
import type { RunStore } from "../store/run-store.ts";
import type { Task } from "../tasks/task.ts";
import type { Checkpoint, Trainer } from "../training/trainer.ts";
import type { Verifier } from "../verifier/verifier.ts";
import type { VerifierName } from "./results.ts";
import type { SolveTaskRequest, TaskRecord } from "./solve-task.ts";
import { protocolKey, solveTask } from "./solve-task.ts";

export interface EvaluateArmRequest extends Omit<SolveTaskRequest, "task"> {
  /** The stage's name and its records'. */
  readonly name: string;
  readonly generator: Checkpoint;
  readonly verifiers: Readonly<Partial<Record<VerifierName, Checkpoint>>>;
  readonly tasks: readonly Task[];
}

export interface EvaluateArmParts {
  readonly trainer: Trainer;
  readonly grader: OutcomeGrader;
  readonly store: RunStore;
  readonly progress: ProgressReporter;
  readonly signal?: AbortSignal;
}

/** So many samples are to be wanted at any time: a task waits for grades and scores in between, and the model is not to. */
const SAMPLES_UNDER_WAY = 512;

/** `result[i]` belongs to `tasks[i]`; `null` where the infrastructure failed. */
export async function evaluateArm(
  request: EvaluateArmRequest,
  parts: EvaluateArmParts,
): Promise<(TaskRecord | null)[]> {
  const { name, tasks, protocols } = request;
  const widest = Math.max(...protocols.map(({ candidates }) => candidates));
  const { trainer, store, progress, signal } = parts;
  const log = await store.openRecords<TaskRecord>(name);
  try {
    await store.stage(name, async (context) => {
      const clocks = new Clocks();
      const grader = clocks.grader(parts.grader);
      const stage = progress.stage(name, { total: tasks.length, unit: "tasks" });
      const generator = clocks.generator(await trainer.openGenerator(request.generator));
      let verifiers: Partial<Record<VerifierName, Verifier>> = {};
      try {
        verifiers = await openVerifiers(request.verifiers, trainer);
        const timed = Object.entries(verifiers).map(([key, verifier]) => [key, clocks.verifier(verifier)]);
        const solving = { generator, grader, verifiers: Object.fromEntries(timed) as Record<string, Verifier> };
        const { failures } = await collect({
          items: tasks,
          itemKey: (task) => task.id,
          recordKey: (record) => record.taskId,
          work: (task) => solveTask({ ...request, task }, solving, signal),
          log,
          concurrency: Math.ceil(SAMPLES_UNDER_WAY / widest),
          ...(signal && { signal }),
          onRecord: (_record, from) => stage.advance(1, from),
        });
        stage.finish();
        if (failures.length > 0) progress.log(`${name}: ${describeFailures(failures)}`);
        return { failures };
      } finally {
        clocks.charge(context);
        await allSettled([generator, ...Object.values(verifiers)].map((opened) => opened.close()));
      }
    });
    const byTask = new Map(log.records.map((record) => [record.taskId, record]));
    for (const { taskId, solved } of byTask.values()) {
      const missing = protocols.map(protocolKey).find((key) => solved[key] === undefined);
      if (missing === undefined) continue;
      const file = store.path(name);
      throw new StoreError(
        `${file}.jsonl has no result of "${missing}" for ${taskId}: another version of mucode wrote it. ` +
          `Delete it and ${file}.done.json to evaluate again; everything else is kept`,
        { file, taskId, protocol: missing },
      );
    }
    return tasks.map(({ id }) => byTask.get(id) ?? null);
  } finally {
    await log.close();
  }
}

/** Opens all of them, or none. The caller closes them. */
export async function openVerifiers(
  checkpoints: Readonly<Partial<Record<VerifierName, Checkpoint>>>,
  trainer: Trainer,
): Promise<Partial<Record<VerifierName, Verifier>>> {
  const verifiers: Partial<Record<VerifierName, Verifier>> = {};
  try {
    for (const [name, checkpoint] of Object.entries(checkpoints) as [VerifierName, Checkpoint][]) {
      verifiers[name] = await trainer.openVerifier(checkpoint);
    }
  } catch (error) {
    await allSettled(Object.values(verifiers).map((verifier) => verifier.close()));
    throw error;
  }
  return verifiers;
}
