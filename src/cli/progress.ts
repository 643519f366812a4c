/**
 * Progress for people: on a terminal one line that is rewritten in place, elsewhere (a log file, CI) a plain line now
 * and then.
 */
import { displayWidth } from "../evaluation/display-width.ts";
import type { ProgressReporter, ProgressStage, ProgressStageOptions } from "../progress.ts";
import type { OutputStream } from "./context.ts";

export interface TerminalProgressOptions {
  readonly stream: OutputStream;
  /** Rewrite one line in place. Default: whether the stream is a terminal. */
  readonly interactive?: boolean;
  /** Milliseconds that only go forward. Default: the clock. */
  readonly now?: () => number;
}

export interface TerminalProgress extends ProgressReporter {
  /** Leaves the terminal with a clean line, e.g. before an error is printed. */
  close(): void;
}

const redrawMs = 100;
const plainLineMs = 10_000;

interface StageState {
  readonly name: string;
  readonly options: ProgressStageOptions;
  readonly startedMs: number;
  done: number;
  note: string;
  lastPrintedMs: number;
}

export function createProgress(options: TerminalProgressOptions): TerminalProgress {
  const { stream, interactive = stream.isTTY === true, now = () => performance.now() } = options;
  /** Unfinished stages; the last is the one shown. */
  let active: StageState[] = [];
  let drawnMs = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let lineDrawn = false;

  function clearLine(): void {
    if (lineDrawn) stream.write("\r\u001b[2K");
    lineDrawn = false;
  }

  function draw(): void {
    clearTimeout(timer);
    timer = undefined;
    const shown = active.at(-1);
    if (shown === undefined) return;
    drawnMs = now();
    stream.write(`\r\u001b[2K${fit(describe(shown, drawnMs), (stream.columns || 80) - 1)}`);
    lineDrawn = true;
  }

  /** At most ten times a second, and the last state always. */
  function requestDraw(): void {
    const waitMs = drawnMs + redrawMs - now();
    if (waitMs <= 0) draw();
    else if (timer === undefined) {
      timer = setTimeout(draw, waitMs);
      timer.unref();
    }
  }

  function printLine(line: string): void {
    clearLine();
    stream.write(`${line}\n`);
  }

  function advanced(state: StageState): void {
    if (interactive) {
      active = [...active.filter((other) => other !== state), state];
      requestDraw();
    } else if (now() - state.lastPrintedMs >= plainLineMs) {
      state.lastPrintedMs = now();
      printLine(describe(state, now()));
    }
  }

  return {
    stage(name, stageOptions): ProgressStage {
      const startedMs = now();
      const done = stageOptions.alreadyDone ?? 0;
      const state: StageState = { name, options: stageOptions, startedMs, done, note: "", lastPrintedMs: startedMs };
      active.push(state);
      if (interactive) requestDraw();
      return {
        advance(count = 1, { note } = {}) {
          if (!active.includes(state)) return;
          state.done += count;
          if (note !== undefined) state.note = note;
          advanced(state);
        },
        finish(note) {
          if (!active.includes(state)) return;
          if (note !== undefined) state.note = note;
          active = active.filter((other) => other !== state);
          printLine(describeFinished(state, now()));
          if (interactive) draw();
        },
      };
    },
    log(line) {
      printLine(line);
      if (interactive) draw();
    },
    close() {
      clearTimeout(timer);
      timer = undefined;
      active = [];
      if (lineDrawn) stream.write("\n");
      lineDrawn = false;
    },
  };
}

/** `rollouts  120/800 programs  15 %  12.3/s  55 s left  solve rate 41 %` */
function describe(state: StageState, nowMs: number): string {
  const { total, unit, alreadyDone = 0 } = state.options;
  const rate = perSecond(state, nowMs);
  const leftSeconds = total === undefined || rate === undefined ? undefined : (total - state.done) / rate;
  const parts = [
    state.name,
    total === undefined ? `${state.done} ${unit}` : `${state.done}/${total} ${unit}`,
    total === undefined || total === 0 ? "" : `${Math.floor((100 * state.done) / total)} %`,
    rate === undefined ? "" : `${formatRate(rate)}/s`,
    leftSeconds === undefined || state.done === alreadyDone ? "" : `${formatDuration(Math.max(0, leftSeconds))} left`,
    state.note,
  ];
  return parts.filter((part) => part !== "").join("  ");
}

/** `rollouts  800 programs  in 1 min 05 s  12.3/s  solve rate 41 %` */
function describeFinished(state: StageState, nowMs: number): string {
  const { total, unit } = state.options;
  const rate = perSecond(state, nowMs);
  const parts = [
    state.name,
    total === undefined || total === state.done ? `${state.done} ${unit}` : `${state.done}/${total} ${unit}`,
    `in ${formatDuration((nowMs - state.startedMs) / 1000)}`,
    rate === undefined ? "" : `${formatRate(rate)}/s`,
    state.note,
  ];
  return parts.filter((part) => part !== "").join("  ");
}

/** Units of this attempt per second; `undefined` while there is nothing to tell from. */
function perSecond(state: StageState, nowMs: number): number | undefined {
  const seconds = (nowMs - state.startedMs) / 1000;
  const done = state.done - (state.options.alreadyDone ?? 0);
  return seconds > 0 && done > 0 ? done / seconds : undefined;
}

function formatRate(rate: number): string {
  if (rate >= 100) return rate.toFixed(0);
  return rate >= 10 ? rate.toFixed(1) : rate.toFixed(2);
}

/** `0.4 s`, `12 s`, `3 min 20 s`, `1 h 04 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Cut to the width of the terminal: a line that wraps cannot be rewritten. */
function fit(line: string, width: number): string {
  if (displayWidth(line) <= width) return line;
  const graphemes = [...line];
  while (graphemes.length > 0 && displayWidth(graphemes.join("")) > width - 1) graphemes.pop();
  return `${graphemes.join("")}…`;
}
