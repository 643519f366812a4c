/** Many conversations at once, resumable: whatever an earlier attempt recorded is not done again. */
import { allSettled, mapConcurrently } from "../concurrency.ts";
import { ConfigError, InfrastructureError, RefusedError, StopRunError, StoreError } from "../errors.ts";
import type { OutcomeGrader } from "../grading/grade.ts";
import type { ProgressStage } from "../progress.ts";
import type { RecordLog } from "../store/run-store.ts";
import type { Task } from "../tasks/task.ts";
import type { GradedTrajectory } from "./graded-trajectory.ts";
import type { Trajectory } from "./trajectory.ts";

/** One conversation that could not be had, as the infrastructure failed or a server refused it: neither right nor wrong. */
export interface Failure {
  readonly key: string;
  /** Name of the error: `SandboxError` for a program that could not be graded, `RefusedError`, `GeneratorError`, … */
  readonly kind: string;
  readonly message: string;
}

export interface Collection<R> {
  /** In the order of the items, failed ones left out. */
  readonly records: readonly R[];
  readonly failures: readonly Failure[];
}

export interface CollectRequest<Item, R> {
  readonly items: readonly Item[];
  readonly itemKey: (item: Item) => string;
  readonly recordKey: (record: R) => string;
  readonly work: (item: Item) => Promise<R>;
  readonly log: RecordLog<R>;
  /** Items under way at the same time: enough to fill the model's batches. */
  readonly concurrency: number;
  readonly signal?: AbortSignal;
  /** `earlier`: of a record that an earlier attempt made. */
  readonly onRecord?: (record: R, from: { readonly earlier: boolean }) => void;
}

/**
 * Ends with the log's records in the order of the items, so that equal work leaves equal files.
 * A failure of the infrastructure costs its item and is reported; more than a fifth of the items (and more than ten)
 * means that something is down, and stops the collection with what it has kept. Refused conversations are reported, and
 * say nothing of the kind: the server answers others.
 * @throws InfrastructureError also when every item failed: nothing is known then.
 */
export async function collect<Item, R>(request: CollectRequest<Item, R>): Promise<Collection<R>> {
  const byKey = new Map<string, R>();
  for (const record of request.log.records) byKey.set(request.recordKey(record), record);
  const wanted = new Set(request.items.map(request.itemKey));
  for (const [key, record] of byKey) {
    if (wanted.has(key)) request.onRecord?.(record, { earlier: true });
  }
  const missing = request.items.filter((item) => !byKey.has(request.itemKey(item)));
  const failures: Failure[] = [];
  const tolerated = Math.max(10, request.items.length / 5);
  const options = { limit: request.concurrency, ...(request.signal && { signal: request.signal }) };
  await mapConcurrently(missing, options, async (item) => {
    const key = request.itemKey(item);
    try {
      const record = await request.work(item);
      byKey.set(key, record);
      request.log.append(record);
      request.onRecord?.(record, { earlier: false });
    } catch (error) {
      if (!isToleratedFailure(error)) throw error;
      failures.push({ key, kind: error.name, message: error.message });
      if (error instanceof RefusedError) return;
      const failed = countRefused(failures).others;
      if (failed > tolerated) {
        const text = `${failed} of ${request.items.length} failed, the last one: ${error.message}`;
        throw new InfrastructureError(text, { key }, { cause: error });
      }
    }
  });
  const places = new Map(request.items.map((item, index) => [request.itemKey(item), index]));
  await request.log.arrange((record) => places.get(request.recordKey(record)) ?? request.items.length);
  const records = request.items
    .map((item) => byKey.get(request.itemKey(item)))
    .filter((record) => record !== undefined);
  const [failure] = failures;
  if (failure !== undefined && records.length === 0) {
    const { refused } = countRefused(failures);
    const what = refused === failures.length ? "was refused" : "failed";
    throw new InfrastructureError(`every one of ${request.items.length} ${what}, the first: ${failure.message}`, {
      key: failure.key,
    });
  }
  return { records, failures };
}

/** Conversations that a server refused are known to be lost for good; the others may be had another time. */
export function countRefused(failures: readonly Failure[]): { readonly refused: number; readonly others: number } {
  const refused = failures.filter(({ kind }) => kind === RefusedError.name).length;
  return { refused, others: failures.length - refused };
}

/** For people, e.g. `2 refused by the server and left out, 1 failed and left out`; empty without failures. */
export function describeFailures(failures: readonly Failure[]): string {
  const { refused, others } = countRefused(failures);
  return [
    ...(refused > 0 ? [`${refused} refused by the server and left out`] : []),
    ...(others > 0 ? [`${others} failed and left out`] : []),
  ].join(", ");
}

function isToleratedFailure(error: unknown): error is InfrastructureError {
  if (error instanceof StoreError || error instanceof StopRunError || error instanceof ConfigError) return false;
  return error instanceof InfrastructureError;
}

/** Adds the outcome of every turn; the runs behind them have been made already when the public tests were. */
export async function gradeOutcomes(
  task: Task,
  trajectory: Trajectory,
  grader: OutcomeGrader,
  signal?: AbortSignal,
): Promise<GradedTrajectory> {
  const outcomes = await allSettled(trajectory.turns.map((turn) => grader.outcome(task, turn.program, signal)));
  return { ...trajectory, outcomes };
}

/** Counts trajectories on a progress stage and shows the share that ended in a right program. */
export function countSolved(
  stage: ProgressStage,
): (trajectory: GradedTrajectory, from: { readonly earlier: boolean }) => void {
  let solved = 0;
  let seen = 0;
  return (trajectory, { earlier }) => {
    seen++;
    if (trajectory.outcomes.at(-1)) solved++;
    stage.advance(1, { note: `solved ${((100 * solved) / seen).toFixed(1)} %`, earlier });
  };
}
