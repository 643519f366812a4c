import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HASTY_MS } from "../../test/cpu-limits.ts";
import { createPyodideSandbox, type PyodideSandbox } from "../sandbox/pyodide/pyodide-sandbox.ts";
import type { ProgramJob, ProgramResult, Sandbox } from "../sandbox/sandbox.ts";
import type { Test } from "../tasks/task.ts";
import type { GradeRequest } from "./grade.ts";
import { createGrader } from "./grader.ts";
import { cpuLimit, weightOf } from "./time-limits.ts";

const asserts = (...sources: string[]): Test[] => sources.map((source) => ({ kind: "assert", source }));

/** Programs of this world begin with the seconds of CPU time that each of their runs takes. */
const secondsOf = (program: string): number => Number(/^# (\S+) s\n/.exec(program)?.[1] ?? 0);

describe("time limits", () => {
  let pyodide: PyodideSandbox;
  const jobs: ProgramJob[] = [];
  /** Takes as long as the program says, by its own clock. */
  let timed: Sandbox;
  beforeAll(async () => {
    pyodide = await createPyodideSandbox({ workers: 1 });
    timed = {
      ...pyodide,
      async run(job, signal): Promise<ProgramResult> {
        jobs.push(job);
        const cpuTimeMs = 1000 * secondsOf(job.program);
        if (cpuTimeMs > job.limits.cpuTimeMs) return { kind: "timed-out", calls: [], cpuTimeMs };
        return { ...(await pyodide.run(job, signal)), cpuTimeMs };
      },
    };
  });
  afterAll(() => pyodide.close());

  const program = (seconds: number, body = "x"): string => `# ${seconds} s\ndef f(x):\n    return ${body}\n`;
  const grade = async (request: GradeRequest, timeLimit?: number): Promise<string> => {
    const grader = await createGrader({ sandboxes: { python: timed }, ...(timeLimit && { timeLimit }) });
    jobs.length = 0;
    try {
      return (await grader.grade(request)).verdict;
    } finally {
      await grader.close();
    }
  };
  const tests = asserts("assert f(1) == 1");
  const gold = program(0.001);

  test.each<[string, Partial<GradeRequest> & { program: string }, number | undefined, string]>([
    ["three seconds without a gold program", { program: program(3) }, undefined, "passed"],
    ["no more", { program: program(3.1) }, undefined, "timed-out"],
    ["as much with a gold program that takes no time", { program: program(3), goldProgram: gold }, undefined, "passed"],
    ["no more with it either", { program: program(3.1), goldProgram: gold }, undefined, "timed-out"],
    ["ten times the gold program's", { program: program(9), goldProgram: program(0.9) }, undefined, "passed"],
    ["no more than that", { program: program(9.1), goldProgram: program(0.9) }, undefined, "timed-out"],
    ["the task's own limit", { program: program(8), timeLimit: 8 }, undefined, "passed"],
    ["a shorter one of the task", { program: program(1.1), timeLimit: 1 }, undefined, "timed-out"],
    ["the limit given, in the place of the task's", { program: program(8), timeLimit: 1 }, 8, "passed"],
    ["a shorter one given", { program: program(1.1), timeLimit: 8 }, 1, "timed-out"],
    [
      "more for many calls",
      { program: program(6), tests: asserts(...Array<string>(100).fill("assert f(1) == 1")) },
      undefined,
      "passed",
    ],
    [
      "more for much input",
      { program: program(6), tests: asserts(`assert f([${"1, ".repeat(70_000)}]) == 1`) },
      undefined,
      "failed",
    ],
    [
      "more for much to read",
      {
        program: `${program(6)}print(len(input()))\n`,
        tests: [{ kind: "stdin", stdin: "1".repeat(200_000), stdout: "200000" }],
      },
      undefined,
      "passed",
    ],
  ])("allow %s", async (_, request, given, verdict) => {
    expect(await grade({ tests, ...request }, given)).toBe(verdict);
  });

  test("grow with the load of a run, up to ten times, and never fall below the base", () => {
    const loads = [1, 50, 100, 400, 10_000].map((calls) => weightOf({ calls: Array<string>(calls).fill("f(1)") }));
    expect(loads).toEqual([1, 1, 2, 8, 10]);
    expect(weightOf({ calls: [], stdin: "x".repeat(300_000) })).toBe(3);
    expect(cpuLimit(3000, { calls: [] }, null)).toBe(3000);
    expect(cpuLimit(3000, { calls: [] }, 10 ** 9)).toBe(120_000);
  });

  test("are spent once by a program that does not end, whatever kinds of test its task has", async () => {
    const kinds: Test[] = [
      ...asserts("assert f(1) == 1", "assert abs(f(1) - 1) < 1"),
      { kind: "stdin", stdin: "1\n", stdout: "1" },
      { kind: "reference", entryPoint: "f", inputs: ["1"], reference: gold, tolerance: 0, comparison: "equal" },
      { kind: "unittest", source: "import unittest\nclass T(unittest.TestCase):\n    pass\n" },
    ];
    const endless = program(1000);
    expect(await grade({ program: endless, tests: kinds })).toBe("timed-out");
    expect(jobs.filter((job) => job.program === endless)).toHaveLength(1);
  });

  test("change no result of a public test by a private one of another kind", async () => {
    const looping =
      "import sys\ndef f(x):\n    return x\nif len(sys.stdin.read()) > 2:\n    while True: pass\nprint(1)\n";
    const grader = await createGrader({ sandboxes: { python: pyodide }, timeLimit: HASTY_MS / 1000 });
    try {
      const mixed: Test[] = [
        { kind: "stdin", stdin: "1\n", stdout: "1" },
        { kind: "stdin", stdin: "123\n", stdout: "1" },
        ...asserts("assert f(1) == 1"),
      ];
      const { tests: results } = await grader.grade({ program: looping, tests: mixed });
      expect(results.map(({ verdict }) => verdict)).toEqual(["passed", "timed-out", "passed"]);
    } finally {
      await grader.close();
    }
  });
});
