import { expect, test } from "vitest";
import { formatDuration } from "./duration.ts";
import { createProgress } from "./progress.ts";

function setUp(interactive: boolean, columns = 120) {
  const clock = { ms: 0 };
  const written: string[] = [];
  const stream = { columns, write: (text: string) => written.push(text) };
  let tick = (): void => undefined;
  const everySecond = (callback: () => void): (() => void) => {
    tick = callback;
    return () => undefined;
  };
  const progress = createProgress({ stream, interactive, now: () => clock.ms, everySecond });
  return { clock, written, progress, tick: () => tick(), text: () => written.join("") };
}

/** What a terminal shows at the end: every rewrite of a line replaces it. */
const screen = (text: string): string[] =>
  text.split("\n").map((line) => line.slice(line.lastIndexOf("\u001b[2K") + 1).replace("[2K", ""));

test("elsewhere than on a terminal a line comes about every ten seconds and at the end, without control codes", () => {
  const { clock, progress, text } = setUp(false);
  const stage = progress.stage("rollouts", { total: 400, unit: "programs" });
  for (let done = 0; done < 400; done++) {
    clock.ms += 100;
    stage.advance(1, { note: "solve rate 41 %" });
  }
  stage.finish("solve rate 42 %");
  stage.advance();
  stage.finish();
  expect(text().split("\n")).toEqual([
    "rollouts  100/400 programs  25 %  10.0/s  30 s left  solve rate 41 %",
    "rollouts  200/400 programs  50 %  10.0/s  20 s left  solve rate 41 %",
    "rollouts  300/400 programs  75 %  10.0/s  10 s left  solve rate 41 %",
    "rollouts  400/400 programs  100 %  10.0/s  0.0 s left  solve rate 41 %",
    "rollouts  400 programs  in 40 s  10.0/s  solve rate 42 %",
    "",
  ]);
});

test("on a terminal one line is rewritten at most ten times a second", () => {
  const { clock, progress, written, text } = setUp(true);
  const stage = progress.stage("training", { total: 1000, unit: "examples" });
  for (let done = 0; done < 1000; done++) {
    clock.ms += 2;
    stage.advance();
  }
  expect(written.length).toBeLessThanOrEqual(21);
  expect(text()).not.toContain("\n");
  stage.finish();
  expect(screen(text())).toEqual(["training  1000 examples  in 2.0 s  500/s", ""]);
});

test("the last state is drawn even when nothing follows it", async () => {
  const written: string[] = [];
  const progress = createProgress({ stream: { write: (line: string) => written.push(line) }, interactive: true });
  const stage = progress.stage("grading", { total: 3, unit: "programs" });
  stage.advance();
  stage.advance();
  await expect.poll(() => written.join("")).toContain("2/3 programs");
  progress.close();
  expect(written.at(-1)).toBe("\n");
});

test("a line is cut to the width of the terminal", () => {
  const { clock, progress, text } = setUp(true, 24);
  const stage = progress.stage("日本語日本語", { unit: "programs" });
  clock.ms = 1000;
  stage.advance(5, { note: "a long note that cannot fit" });
  expect(screen(text()).at(-1)).toBe("日本語日本語  5 progra…");
});

test("what an earlier attempt had done counts as done but not for the rate", () => {
  const { clock, progress, text } = setUp(false);
  const stage = progress.stage("rollouts", { total: 100, unit: "programs", alreadyDone: 80 });
  clock.ms = 10_000;
  stage.advance(10);
  expect(text()).toBe("rollouts  90/100 programs  90 %  1.00/s  10 s left\n");
});

test("stages may overlap, and log lines stand between them", () => {
  const { clock, progress, text } = setUp(true);
  const first = progress.stage("a", { unit: "x" });
  clock.ms = 200;
  const second = progress.stage("b", { unit: "y" });
  clock.ms = 400;
  second.advance();
  progress.log("a note");
  second.finish();
  first.finish("done");
  progress.close();
  expect(screen(text())).toEqual(["a note", "b  1 y  in 0.2 s  5.00/s", "a  0 x  in 0.4 s  done", ""]);
});

test("speed is that of the last seconds: neither start-up nor what an earlier attempt did counts", () => {
  const { clock, progress, text } = setUp(false);
  const stage = progress.stage("rollouts", { total: 1000, unit: "rollouts" });
  for (let done = 0; done < 300; done++) stage.advance(1, { earlier: true });
  expect(text()).toBe("");
  clock.ms = 30_000;
  stage.advance();
  // One is known by its own time, start-up included; from the second on it is not.
  expect(text()).toBe("rollouts  301/1000 rollouts  30 %  30 s each  5 h 50 min left\n");
  for (let done = 0; done < 400; done++) {
    clock.ms += 50;
    stage.advance();
  }
  expect(text().split("\n").slice(1)).toEqual([
    "rollouts  501/1000 rollouts  50 %  20.0/s  25 s left",
    "rollouts  701/1000 rollouts  70 %  20.0/s  15 s left",
    "",
  ]);
  stage.finish();
  expect(text().split("\n").at(-2)).toBe("rollouts  701/1000 rollouts  300 of them before  in 50 s  8.02/s");
});

test("a slower end is seen, and so is that nothing is done any more", () => {
  const { clock, progress, tick, text } = setUp(true);
  const stage = progress.stage("grading", { total: 400, unit: "tasks" });
  for (let done = 0; done < 100; done++) {
    clock.ms += 100;
    stage.advance();
  }
  expect(screen(text())).toEqual(["grading  100/400 tasks  25 %  10.0/s  30 s left"]);
  for (let done = 0; done < 20; done++) {
    clock.ms += 1000;
    stage.advance();
  }
  expect(screen(text())).toEqual(["grading  120/400 tasks  30 %  1.00/s  4 min 40 s left"]);
  clock.ms += 120_000;
  tick();
  expect(screen(text())).toEqual(["grading  120/400 tasks  30 %  0.11/s  41 min 41 s left"]);
});

test("parts of a step are told, its total when it is known, and the stage's time is all of its time", () => {
  const { clock, progress, tick, text } = setUp(false);
  const stage = progress.stage("verifier", { unit: "steps" });
  clock.ms = 12_000;
  tick();
  stage.advance(0, { total: 2 });
  clock.ms = 40_000;
  stage.advance(0.25);
  clock.ms = 75_000;
  stage.advance(0.75, { note: "loss 0.693" });
  clock.ms = 100_000;
  stage.advance(1, { note: "loss 0.5" });
  stage.finish();
  expect(text().split("\n")).toEqual([
    "verifier  0 steps",
    "verifier  0.3/2 steps  12 %  2 min 40 s each  4 min 40 s left",
    "verifier  1/2 steps  50 %  47 s each  47 s left  loss 0.693",
    "verifier  2/2 steps  100 %  25 s each  0.0 s left  loss 0.5",
    "verifier  2 steps  in 1 min 40 s  50 s each  loss 0.5",
    "",
  ]);
});

test("the whole run stands before its stage: what is left of that and what is expected of those to come", () => {
  const { clock, progress, tick, text } = setUp(true, 200);
  progress.reach!({ stage: 1, stages: 12, expected: null });
  const first = progress.stage("rollouts", { total: 4, unit: "rollouts" });
  expect(screen(text())).toEqual(["stage 1/12 · rollouts  0/4 rollouts  0 %"]);
  first.finish();
  clock.ms += 1000;
  progress.reach!({ stage: 5, stages: 12, expected: { thisStage: 20, later: 50 } });
  const stage = progress.stage("generator", { total: 40, unit: "steps" });
  expect(screen(text()).at(-1)).toBe("stage 5/12 · about 1 min 10 s left · generator  0/40 steps  0 %");
  // Nothing is done yet, but time goes on.
  clock.ms += 5_000;
  tick();
  expect(screen(text()).at(-1)).toBe("stage 5/12 · about 1 min 05 s left · generator  0/40 steps  0 %");
  stage.advance(4);
  tick();
  expect(screen(text()).at(-1)).toBe(
    "stage 5/12 · about 1 min 35 s left · generator  4/40 steps  10 %  0.80/s  45 s left",
  );
  stage.finish();
  expect(screen(text()).at(-2)).toBe("stage 5/12 · generator  4/40 steps  in 5.0 s  0.80/s");
});

test("durations are short and readable", () => {
  expect([0.44, 12.4, 59.6, 200, 3599.7, 3840].map(formatDuration)).toEqual([
    "0.4 s",
    "12 s",
    "1 min 00 s",
    "3 min 20 s",
    "1 h 00 min",
    "1 h 04 min",
  ]);
});
