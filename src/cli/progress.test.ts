import { expect, test } from "vitest";
import { createProgress, formatDuration } from "./progress.ts";

function setUp(interactive: boolean, columns = 120) {
  const clock = { ms: 0 };
  const written: string[] = [];
  const stream = { columns, write: (text: string) => written.push(text) };
  const progress = createProgress({ stream, interactive, now: () => clock.ms });
  return { clock, written, progress, text: () => written.join("") };
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
