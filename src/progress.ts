/**
 * How long work tells of itself. Library code reports here and never prints; who shows it, and how, is up to the
 * caller (the command line has a terminal implementation).
 */

export interface ProgressStageOptions {
  /** How many units there are in all, when that is known. */
  readonly total?: number;
  /** What is counted, plural: `programs`, `tokens`, `examples`. */
  readonly unit: string;
  /** Units finished in an earlier attempt: part of the count, not of the rate. Default 0. */
  readonly alreadyDone?: number;
}

/** One piece of work being counted. */
export interface ProgressStage {
  /**
   * `count` more units are done (default 1; a part of one may be told, too). `note` replaces the extra text, e.g. `solve
   * rate 41 %`; `total` is for stages that began before it was known. `earlier`: they were done in an earlier attempt,
   * which says nothing about speed.
   */
  advance(
    count?: number,
    options?: { readonly note?: string; readonly total?: number; readonly earlier?: boolean },
  ): void;
  /** The stage is over; `note` replaces the extra text. Later calls do nothing. */
  finish(note?: string): void;
}

/** Where a run stands among its stages; the stage under way tells for itself how much of it is left. */
export interface RunPlace {
  /** From 1. */
  readonly stage: number;
  /** In all. */
  readonly stages: number;
  /** Seconds that the stage under way is expected to take, and all stages after it; `null` where nothing is known yet. */
  readonly expected: { readonly thisStage: number; readonly later: number } | null;
}

export interface ProgressReporter {
  /** Starts a stage. Stages may overlap. */
  stage(name: string, options: ProgressStageOptions): ProgressStage;
  /** One line for people, beside the stages. */
  log(line: string): void;
  /** The run has come to another stage. */
  reach?(place: RunPlace): void;
}

/** Reports to nobody. */
export const silentProgress: ProgressReporter = {
  stage: () => ({ advance: () => undefined, finish: () => undefined }),
  log: () => undefined,
};
