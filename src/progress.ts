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
  /** `count` more units are done (default 1); `note` replaces the extra text, e.g. `solve rate 41 %`. */
  advance(count?: number, options?: { readonly note?: string }): void;
  /** The stage is over; `note` replaces the extra text. Later calls do nothing. */
  finish(note?: string): void;
}

export interface ProgressReporter {
  /** Starts a stage. Stages may overlap. */
  stage(name: string, options: ProgressStageOptions): ProgressStage;
  /** One line for people, beside the stages. */
  log(line: string): void;
}

/** Reports to nobody. */
export const silentProgress: ProgressReporter = {
  stage: () => ({ advance: () => undefined, finish: () => undefined }),
  log: () => undefined,
};
