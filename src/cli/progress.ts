/**
 * Progress for people: on a terminal one line that is rewritten in place, elsewhere (a log file, CI) a plain line now
 * and then.
 */
import { displayWidth } from "../evaluation/display-width.ts";
import type { ProgressReporter, ProgressStage, RunPlace } from "../progress.ts";
import type { OutputStream } from "./context.ts";
import { formatDuration } from "./duration.ts";
import { Speed } from "./speed.ts";
import { say, widthOf } from "./text-output.ts";

export interface TerminalProgressOptions {
  readonly stream: OutputStream;
  /** Rewrite one line in place. Default: whether the stream is a terminal. */
  readonly interactive?: boolean;
  /** Milliseconds that only go forward. Default: the clock. */
  readonly now?: () => number;
  /** Calls back every second until it is told to end; keeps no process alive. Default: a timer. */
  readonly everySecond?: (tick: () => void) => () => void;
}

export interface TerminalProgress extends ProgressReporter {
  /** Leaves the terminal with a clean line, e.g. before an error is printed. */
  close(): void;
}

const redrawMs = 100;
const plainLineMs = 10_000;

interface StageState {
  readonly name: string;
  readonly unit: string;
  readonly startedMs: number;
  readonly speed: Speed;
  total: number | undefined;
  done: number;
  /** Of those done: in an earlier attempt. */
  earlier: number;
  note: string;
  lastPrintedMs: number;
}

export function createProgress(options: TerminalProgressOptions): TerminalProgress {
  const { stream, interactive = stream.isTTY === true, now = () => performance.now(), everySecond = timed } = options;
  /** Unfinished stages; the last is the one shown. */
  let active: StageState[] = [];
  let drawnMs = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let lineDrawn = false;
  let place: (RunPlace & { readonly sinceMs: number }) | undefined;
  let endTicks: (() => void) | undefined;

  /** Shows that time goes on where nothing is done for long. */
  function tick(): void {
    if (interactive) {
      if (active.length > 0) draw();
      return;
    }
    const shown = active.at(-1);
    if (shown !== undefined) printNowAndThen(shown);
  }

  function printNowAndThen(state: StageState): void {
    if (now() - state.lastPrintedMs < plainLineMs) return;
    state.lastPrintedMs = now();
    printLine(describe(state, place, now()));
  }

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
    stream.write(`\r\u001b[2K${fit(describe(shown, place, drawnMs), widthOf(stream) - 1)}`);
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
    say(stream, `${line}\n`);
  }

  function advanced(state: StageState): void {
    if (interactive) {
      active = [...active.filter((other) => other !== state), state];
      requestDraw();
    } else {
      printNowAndThen(state);
    }
  }

  return {
    stage(name, stageOptions): ProgressStage {
      const startedMs = now();
      const { total, unit, alreadyDone: done = 0 } = stageOptions;
      const times = { startedMs, lastPrintedMs: startedMs, speed: new Speed(startedMs) };
      const state: StageState = { name, unit, total, done, earlier: done, note: "", ...times };
      active.push(state);
      endTicks ??= everySecond(tick);
      if (interactive) requestDraw();
      return {
        advance(count = 1, { note, total: told, earlier = false } = {}) {
          if (!active.includes(state)) return;
          state.done += count;
          if (earlier) state.earlier += count;
          else state.speed.add(count, now());
          if (told !== undefined) state.total = told;
          if (note !== undefined) state.note = note;
          advanced(state);
        },
        finish(note) {
          if (!active.includes(state)) return;
          if (note !== undefined) state.note = note;
          active = active.filter((other) => other !== state);
          printLine(describeFinished(state, place, now()));
          if (interactive) draw();
        },
      };
    },
    log(line) {
      printLine(line);
      if (interactive) draw();
    },
    reach(reached) {
      place = { ...reached, sinceMs: now() };
    },
    close() {
      clearTimeout(timer);
      timer = undefined;
      endTicks?.();
      endTicks = undefined;
      active = [];
      if (lineDrawn) stream.write("\n");
      lineDrawn = false;
    },
  };
}

type Place = RunPlace & { readonly sinceMs: number };

/** `stage 5/12 · about 70 s left · rollouts  120/800 programs  15 %  12.3/s  55 s left  solve rate 41 %` */
function describe(state: StageState, place: Place | undefined, nowMs: number): string {
  const { total, unit } = state;
  const rate = state.speed.perSecond(nowMs);
  const done = showCount(state.done);
  const leftSeconds = total === undefined || rate === undefined ? undefined : Math.max(0, (total - state.done) / rate);
  const parts = [
    state.name,
    total === undefined ? `${done} ${unit}` : `${done}/${total} ${unit}`,
    total === undefined || total === 0 ? "" : `${Math.floor((100 * state.done) / total + 1e-6)} %`,
    rate === undefined ? "" : showRate(rate),
    leftSeconds === undefined ? "" : `${formatDuration(leftSeconds)} left`,
    state.note,
  ];
  return describePlace(place, nowMs, leftSeconds) + parts.filter((part) => part !== "").join("  ");
}

/** `stage 5/12 · rollouts  800 programs  in 1 min 05 s  12.3/s  solve rate 41 %` */
function describeFinished(state: StageState, place: Place | undefined, nowMs: number): string {
  const { total, unit, done, earlier } = state;
  const seconds = (nowMs - state.startedMs) / 1000;
  const parts = [
    state.name,
    total === undefined || total === Math.round(done)
      ? `${Math.round(done)} ${unit}`
      : `${showCount(done)}/${total} ${unit}`,
    earlier > 0 ? `${earlier} of them before` : "",
    `in ${formatDuration(seconds)}`,
    seconds > 0 && done > earlier ? showRate((done - earlier) / seconds) : "",
    state.note,
  ];
  const where = place === undefined ? "" : `stage ${place.stage}/${place.stages} · `;
  return where + parts.filter((part) => part !== "").join("  ");
}

function describePlace(place: Place | undefined, nowMs: number, stageLeft: number | undefined): string {
  if (place === undefined) return "";
  const { stage, stages, expected, sinceMs } = place;
  const left = expected && (stageLeft ?? Math.max(0, expected.thisStage - (nowMs - sinceMs) / 1000)) + expected.later;
  return `stage ${stage}/${stages} · ${left === null ? "" : `about ${formatDuration(left)} left · `}`;
}

/** A part of a unit is shown while one takes long. */
function showCount(count: number): string {
  return Math.abs(count - Math.round(count)) < 1e-6 ? `${Math.round(count)}` : count.toFixed(1);
}

/** `12.3/s`; what takes longer than ten seconds the other way round: `75 s each`. */
function showRate(rate: number): string {
  if (rate < 0.1) return `${formatDuration(1 / rate)} each`;
  if (rate >= 100) return `${rate.toFixed(0)}/s`;
  return `${rate >= 10 ? rate.toFixed(1) : rate.toFixed(2)}/s`;
}

function timed(tick: () => void): () => void {
  const timer = setInterval(tick, 1000);
  timer.unref();
  return () => clearInterval(timer);
}

/** Cut to the width of the terminal: a line that wraps cannot be rewritten. */
function fit(line: string, width: number): string {
  if (displayWidth(line) <= width) return line;
  const graphemes = [...line];
  while (graphemes.length > 0 && displayWidth(graphemes.join("")) > width - 1) graphemes.pop();
  return `${graphemes.join("")}…`;
}
