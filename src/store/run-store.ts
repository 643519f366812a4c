/** What the loop and the evaluation need of a run's directory. No file system in sight, so that they run anywhere. */
import type { StageContext, StageTotals } from "./stages.ts";

/** Records that survive a kill. */
export interface RecordLog<R> {
  /** What earlier attempts wrote, then what was appended since. */
  readonly records: readonly R[];
  append(record: R): void;
  /**
   * Puts the records in the order of their places, equal places in the order they had. Whoever is killed meanwhile leaves
   * either order, whole.
   */
  arrange(placeOf: (record: R) => number): Promise<void>;
  /** Everything appended is on disk. */
  close(): Promise<void>;
}

export interface RunStore {
  /** A place inside the run, e.g. `path("mucode", "iteration-1", "generator")`. */
  path(...parts: string[]): string;
  /** Opens `NAME.jsonl` inside the run. */
  openRecords<R>(name: string): Promise<RecordLog<R>>;
  /**
   * Runs `work` unless an earlier attempt finished this stage, and returns its result either way. The result must
   * survive JSON; it is written last, so a stage is finished exactly when its result is there. `work` charges its time
   * to resources through the context.
   */
  stage<S>(name: string, work: (context: StageContext) => Promise<S>): Promise<S>;
  /** Time by stage and by resource, over all attempts. */
  totals(): Promise<StageTotals>;
}
