/** What the loop and the evaluation need of a run's directory. No file system in sight, so that they run anywhere. */

/** Records that survive a kill: what an earlier attempt wrote, and a place for the rest. */
export interface RecordLog<R> {
  readonly known: readonly R[];
  append(record: R): void;
  /** Everything appended is on disk. */
  close(): Promise<void>;
}

export interface RunStore {
  /** A place inside the run, e.g. `path("mucode", "iteration-1", "generator")`. */
  path(...parts: readonly string[]): string;
  /** Opens `NAME.jsonl` inside the run. */
  openRecords<R>(name: string): Promise<RecordLog<R>>;
  /**
   * Runs `work` unless an earlier attempt finished this stage, and returns its result either way. The result must
   * survive JSON; it is written last, so a stage is finished exactly when its result is there.
   */
  stage<S>(name: string, work: () => Promise<S>): Promise<S>;
}
