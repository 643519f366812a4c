import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { untilComputing } from "../../test/computing.ts";
import { HASTY_MS, PATIENT_MS } from "../../test/cpu-limits.ts";
import { whileRunning } from "../../test/until.ts";
import { ConfigError, SandboxError, SuiteError } from "../errors.ts";
import { createPyodideSandbox, type PyodideSandbox } from "../sandbox/pyodide/pyodide-sandbox.ts";
import type { ProgramJob, Sandbox } from "../sandbox/sandbox.ts";
import type { ReferenceTest, StdinTest, Test } from "../tasks/task.ts";
import { buildFeedback } from "./feedback.ts";
import type { Grade, Grader } from "./grade.ts";
import { createGrader } from "./grader.ts";

const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 128 * 2 ** 20 };
const asserts = (...sources: string[]): Test[] => sources.map((source) => ({ kind: "assert", source }));

let pyodide: PyodideSandbox;
/** For programs that end, and for those that do not. */
let grader: Grader;
let hasty: Grader;
/** Every job that reached the sandbox. */
const jobs: ProgramJob[] = [];
beforeAll(async () => {
  pyodide = await createPyodideSandbox({ workers: 1 });
  const recorded: Sandbox = {
    ...pyodide,
    run(job, signal) {
      jobs.push(job);
      return pyodide.run(job, signal);
    },
  };
  const open = (cpuTimeMs: number): Promise<Grader> =>
    createGrader({ sandboxes: { python: recorded }, limits: { ...limits, cpuTimeMs } });
  [grader, hasty] = await Promise.all([open(PATIENT_MS), open(HASTY_MS)]);
});
afterAll(async () => {
  await Promise.all([grader.close(), hasty.close()]);
  await pyodide.close();
});

function summary({ tests }: Grade): string[] {
  return tests.map(({ verdict, obtained, exception }) => [verdict, obtained, exception].filter(Boolean).join(" "));
}

describe("tests from standard input", () => {
  const sum: readonly StdinTest[] = [
    { kind: "stdin", stdin: "1 2\n", stdout: "3\n" },
    { kind: "stdin", stdin: "0 0\n", stdout: "0" },
    { kind: "stdin", stdin: "5 6\n", stdout: " 11 \n\n" },
  ];
  const graded = async (program: string, tests: readonly Test[] = sum, by = grader): Promise<string[]> =>
    summary(await by.grade({ program, tests }));

  test("what is printed has to have the same words", async () => {
    expect(await graded("a, b = map(int, input().split())\nprint(a + b)\n")).toEqual(["passed", "passed", "passed"]);
    expect(await graded("a, b = map(int, input().split())\nprint('', a + b, sep='\\n')\n")).toEqual([
      "passed",
      "passed",
      "passed",
    ]);
    expect(await graded("a, b = map(int, input().split())\nprint(a or '')\n")).toEqual([
      "failed 1\n",
      "failed \n",
      "failed 5\n",
    ]);
  });

  test("errors, bad ends and time-outs are told apart; a stopped program is not run again", async () => {
    const program =
      "import sys\na, b = map(int, input().split())\nif a == 1:\n    raise ValueError(a)\nif a == 0:\n    sys.exit(2)\nprint(11)\nexit()\n";
    expect(await graded(program)).toEqual([
      "error ValueError: 1",
      "error The program ended with an error status.",
      "passed",
    ]);
    jobs.length = 0;
    expect(await graded("a = input()\nwhile a == '0 0':\n    pass\nprint(3)\n", sum, hasty)).toEqual([
      "passed",
      "timed-out",
      "timed-out",
    ]);
    expect(jobs).toHaveLength(2);
  });

  test("expected output never reaches the sandbox", async () => {
    jobs.length = 0;
    await graded("print(input())\n", [{ kind: "stdin", stdin: "question", stdout: "sesame" }]);
    expect(jobs).toHaveLength(1);
    expect(JSON.stringify(jobs)).not.toContain("sesame");
  });

  test("feedback shows input, expectation and what was printed, or the program's own lines", async () => {
    const feedback = async (program: string, by = grader): Promise<string> =>
      buildFeedback(sum, await by.grade({ program, tests: sum }));
    expect(await feedback("print(input(), 4)\n")).toBe("Failed on this input:\n1 2\nExpected:\n3\nGot:\n1 2 4");
    expect(await feedback("input()\n")).toBe("Failed on this input:\n1 2\nExpected:\n3\nGot no output.");
    expect(await feedback("x = input()\nprint(int(x))\n")).toBe(
      "Failed on this input:\n1 2\nExpected:\n3\nline 2, in <module>\n    print(int(x))\nValueError: invalid literal for int() with base 10: '1 2'",
    );
    expect(await feedback("while True:\n    pass\n", hasty)).toContain("Timed out.");
  });
});

describe("tests against a reference program", () => {
  const reference = (more: Partial<ReferenceTest> = {}): ReferenceTest => ({
    kind: "reference",
    entryPoint: "f",
    inputs: ["1", "2.5", "[1, 2]", "'sesame'"],
    reference: "def f(x):\n    return x if isinstance(x, list) else x * 2\n",
    tolerance: 0,
    comparison: "equal",
    ...more,
  });
  const graded = async (program: string, more: Partial<ReferenceTest> = {}): Promise<string> =>
    summary(await grader.grade({ program, tests: [reference(more)] }))[0] as string;

  test.for<[string, Partial<ReferenceTest>, string, string]>([
    ["the same", {}, "x if isinstance(x, list) else x + x", "passed"],
    ["another value", {}, "x if isinstance(x, list) else 2", "failed 2"],
    ["a value of another type that is equal", { inputs: ["1", "2"] }, "2.0 * x", "passed"],
    ["a close float without tolerance", { inputs: ["0.5"] }, "1.0 + 1e-9", "failed 1.000000001"],
    ["a close float with tolerance", { inputs: ["0.5"], tolerance: 1e-6 }, "1.0 + 1e-9", "passed"],
    ["a float not close enough", { inputs: ["0.5"], tolerance: 1e-6 }, "1.0 + 1e-5", "failed 1.00001"],
    ["close floats inside", { inputs: ["[0.5, (1, 2.5)]"], tolerance: 1e-6 }, "[0.5 + 1e-9, (1, 2.5)]", "passed"],
    ["integers are never close", { inputs: ["10**9"], tolerance: 1e-6 }, "2 * 10 ** 9 + 1", "failed 2000000001"],
    ["the same set", { inputs: ["[1, 2]"], comparison: "set" }, "[2, 1, 1]", "passed"],
    ["another set", { inputs: ["[1, 2]"], comparison: "set" }, "[2, 3]", "failed [2, 3]"],
    ["no set at all", { inputs: ["[1, 2]"], comparison: "set" }, "7", "failed 7"],
    ["something where something is wanted", { inputs: ["1"], comparison: "presence" }, "object", "passed"],
    ["nothing where something is wanted", { inputs: ["1"], comparison: "presence" }, "None", "failed None"],
    ["a root", { inputs: ["[-4, 0, 1]"], comparison: "root", tolerance: 1e-4 }, "2.0000001", "passed"],
    ["another root", { inputs: ["[-4, 0, 1]"], comparison: "root", tolerance: 1e-4 }, "-2", "passed"],
    ["no root", { inputs: ["[-4, 0, 1]"], comparison: "root", tolerance: 1e-4 }, "1.9", "failed 1.9"],
    ["strings that look like the mark of an object", { inputs: ["['?', 'a']"] }, "['?', 'a']", "passed"],
    ["an exception", {}, "x.y", "error AttributeError: 'int' object has no attribute 'y'"],
  ])("%s", async ([, more, body, expected]) => {
    expect(await graded(`def f(x):\n    return ${body}\n`, more)).toBe(expected);
  });

  test("objects that claim to be equal are not", async () => {
    const liar =
      "class L:\n    __eq__ = lambda *a: True\n    __hash__ = lambda s: 1\n    __len__ = lambda s: 1\ndef f(x):\n    return L()\n";
    expect(await graded(liar)).toMatch(/^failed /);
    expect(await graded(liar, { tolerance: 1, inputs: ["1.5"] })).toMatch(/^failed /);
    expect(await graded(liar, { comparison: "set", inputs: ["[1]"] })).toMatch(/^failed /);
  });

  test("large answers are compared too", async () => {
    const more = { inputs: ["300000"], reference: "def f(n):\n    return list(range(n))\n" };
    expect(await graded("def f(n):\n    return [*range(n)]\n", more)).toBe("passed");
    expect(await graded("def f(n):\n    return [*range(n - 1), 7]\n", more)).toMatch(/^failed /);
  });

  test("the reference runs once, and its answers are in no job", async () => {
    const more = { inputs: ["20"], reference: "def f(x):\n    return 'open ' + 'sesame' * x\n" };
    jobs.length = 0;
    await graded("def f(x):\n    return 1\n", more);
    await graded("def f(x):\n    return 2\n", more);
    expect(jobs.map(({ program }) => program.includes("sesame"))).toEqual([true, false, false]);
    expect(JSON.stringify(jobs.slice(1))).not.toContain("sesame");
  });

  test("the failing call, the answer and the expected one are in the feedback", async () => {
    const tests = [reference()];
    const grade = await grader.grade({ program: "def f(x):\n    return x\n", tests });
    expect(buildFeedback(tests, grade)).toBe("Failed: f(1)\nGot: 1\nExpected: 2");
  });

  test("a reference that raises makes the test unusable", async () => {
    await expect(graded("def f(x):\n    return x\n", { reference: "def f(x):\n    return x.y\n" })).rejects.toThrow(
      SuiteError,
    );
  });
});

describe("checks of a candidate", () => {
  const check =
    "METADATA = {'author': 'x'}\n\n\ndef check(candidate):\n    assert True, 'always'\n    assert candidate(1) == 1\n    assert candidate([2]) == [2], 'text'\n";

  test("are taken apart where they are but assertions: one run, no value in it", async () => {
    jobs.length = 0;
    const tests = asserts(`${check}\ncheck(f)\n`);
    expect(summary(await grader.grade({ program: "def f(x):\n    return x\n", tests }))).toEqual(["passed"]);
    expect(jobs.map(({ calls, encoding }) => ({ calls, encoding }))).toEqual([
      { calls: ["f(1)", "f([2])"], encoding: undefined },
    ]);
    const failed = await grader.grade({ program: "def f(x):\n    return 1\n", tests });
    expect(failed.tests).toEqual([{ verdict: "failed", obtained: "1", statement: "assert f([2]) == [2], 'text'" }]);
  });

  test("a function that keeps state answers each call of a test in turn", async () => {
    const program = "n = 0\ndef f(x):\n    global n\n    n += 1\n    return x + n\n";
    const stateful =
      "def check(c):\n    a = c(1)\n    b = c(1)\n    assert (a, b) == (2, 3)\n    for i in range(3):\n        assert c(i) == 2 * i + 3\ncheck(f)\n";
    const twice = "x = f(0)\ny = f(0)\nassert y - x == 1";
    expect(summary(await grader.grade({ program, tests: asserts(stateful, twice) }))).toEqual(["passed", "passed"]);
    const constant = "def f(x):\n    return x + 1\n";
    expect(summary(await grader.grade({ program: constant, tests: asserts(twice) }))).toEqual(["failed"]);
  });

  test("calls that depend on the order of other calls are made in the test's order", async () => {
    const program = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)\n";
    const source =
      "first = f('a')\nif first == 1:\n    second = f('b')\nelse:\n    second = f('c')\nassert [first, second, f('a')] == [1, 2, 3]";
    expect(summary(await grader.grade({ program, tests: asserts(source) }))).toEqual(["passed"]);
  });
});

describe("time limits", () => {
  /** A sandbox in which a program takes the time that it says: `# takes 600 ms`, else one millisecond. */
  const timed: Sandbox = {
    language: "python",
    version: "timed",
    concurrency: 1,
    close: async () => {},
    async run(job, signal) {
      const time = /# takes (\w+) ms/.exec(job.program)?.[1];
      const cpuTimeMs = time === undefined ? 1 : time === "endless" ? Infinity : Number(time);
      if (cpuTimeMs > job.limits.cpuTimeMs) {
        return { kind: "timed-out", calls: [], cpuTimeMs: job.limits.cpuTimeMs };
      }
      return { ...(await pyodide.run({ ...job, limits }, signal)), cpuTimeMs };
    },
  };
  const program = (time: string): string => `def f(x):\n    return 3000000 + x\n# takes ${time} ms\n`;
  const tests = asserts("assert f(1) == 3000001");

  test.for<[what: string, program: string, gold: string | undefined, expected: string]>([
    ["the usual one without a gold program", "61", undefined, "timed-out"],
    ["the usual one where the gold program is quick", "60", "1", "passed"],
    ["no longer one where the gold program is quick", "61", "6", "timed-out"],
    ["ten times the gold program's where that takes long", "600", "60", "passed"],
    ["no more than ten times the gold program's", "601", "60", "timed-out"],
    ["at most the longest there is", "120001", "119999", "timed-out"],
    ["the usual one where the gold program itself does not end", "61", "endless", "timed-out"],
    ["one that ends what does not end", "endless", "119999", "timed-out"],
  ])("are %s", async ([, time, gold, expected]) => {
    const tight = await createGrader({ sandboxes: { python: timed }, limits: { ...limits, cpuTimeMs: 60 } });
    try {
      const more = gold === undefined ? {} : { goldProgram: program(gold) };
      expect(summary(await tight.grade({ program: program(time), tests, ...more }))).toEqual([expected]);
      const reference = {
        kind: "reference",
        entryPoint: "f",
        inputs: ["1"],
        tolerance: 0,
        comparison: "equal",
      } as const;
      if (gold === undefined || gold === "endless") return;
      const byReference = [{ ...reference, reference: program(gold) }];
      expect(summary(await tight.grade({ program: program(time), tests: byReference }))).toEqual([expected]);
    } finally {
      await tight.close();
    }
  });
});

describe("failures that are nobody's answer", () => {
  test("a language without a sandbox is refused", async () => {
    await expect(
      grader.grade({ language: "javascript", program: "1", tests: asserts("console.assert(f() === 1)") }),
    ).rejects.toThrow(ConfigError);
  });

  test("a grade survives the death of workers, and is an error and not a verdict when they keep dying", async () => {
    const program = "x = sum(i & 1 for i in range(10 ** 6))\ndef f(y):\n    return y + x\n";
    const kill = (): void => {
      for (const pid of pyodide.pids()) process.kill(pid, "SIGKILL");
    };
    const once = grader.grade({ program, tests: asserts("assert f(1) == 500001") });
    await untilComputing(() => pyodide.pids(), once);
    kill();
    expect(await once).toMatchObject({ verdict: "passed" });

    const request = { program: `while True:\n    pass\n${program}`, tests: asserts("assert f(1) == 1") };
    await expect(whileRunning(grader.grade(request), kill)).rejects.toThrow(SandboxError);
    expect(await grader.grade({ ...request, program })).toMatchObject({ verdict: "failed" });
  });
});
