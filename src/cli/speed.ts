/** How fast units are done, from the last seconds alone: what was slow at the start says nothing about what is left. */

const WINDOW_MS = 15_000;
/** Times are kept so far apart, so that there are few of them however fast units are done. */
const APART_MS = 100;

interface Mark {
  readonly ms: number;
  /** Units done by then. */
  readonly done: number;
}

export class Speed {
  readonly #startedMs: number;
  /** From the first unit on; the oldest is at most the last one that is older than the window. */
  #marks: Mark[] = [];
  #done = 0;
  #lastMs: number;

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
    this.#lastMs = startedMs;
  }

  add(count: number, nowMs: number): void {
    this.#done += count;
    if (this.#done <= 0) return;
    this.#lastMs = nowMs;
    const newest = this.#marks.at(-1);
    if (newest === undefined || nowMs - newest.ms >= APART_MS) this.#marks.push({ ms: nowMs, done: this.#done });
    while (this.#marks.length > 2 && this.#marks[1]!.ms <= nowMs - WINDOW_MS) this.#marks.shift();
  }

  /** `undefined` while nothing is done. Falls while nothing more is done for longer than anything took before. */
  perSecond(nowMs: number): number | undefined {
    const [oldest] = this.#marks;
    if (oldest === undefined) return undefined;
    // What went before the first unit is start-up, unless nothing else is known.
    const from: Mark = this.#done > oldest.done ? oldest : { ms: this.#startedMs, done: 0 };
    const units = this.#done - from.done;
    const toLast = this.#lastMs - from.ms;
    const idle = nowMs - this.#lastMs;
    const seconds = (toLast + Math.max(0, idle - toLast / units)) / 1000;
    return seconds > 0 ? units / seconds : undefined;
  }
}
