import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { benchmarks, hasBenchmarks, withoutBenchmarks } from "../../test/benchmarks.ts";
import { HASTY_MS, PATIENT_MS } from "../../test/cpu-limits.ts";
import { SandboxError, SuiteError } from "../errors.ts";
import { createPyodideSandbox, type PyodideSandbox } from "../sandbox/pyodide/pyodide-sandbox.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { PrivateTests, Task, Test } from "../tasks/task.ts";
import type { Grader } from "./grade.ts";
import { createGrader } from "./grader.ts";
import { createTaskGrader } from "./task-grader.ts";

const asserts = (...sources: string[]): Test[] => sources.map((source) => ({ kind: "assert", source }));

let sandbox: PyodideSandbox;
/** For programs that end, and for those that do not. */
let grader: Grader;
let hasty: Grader;
beforeAll(async () => {
  sandbox = await createPyodideSandbox({ workers: 1 });
  const open = (cpuTimeMs: number): Promise<Grader> =>
    createGrader({ sandboxes: { python: sandbox }, limits: { cpuTimeMs, memoryBytes: 128 * 2 ** 20 } });
  [grader, hasty] = await Promise.all([open(PATIENT_MS), open(HASTY_MS)]);
});
afterAll(async () => {
  await Promise.all([grader.close(), hasty.close()]);
  await sandbox.close();
});

/** Each test's verdict with what was obtained or raised, as one line. */
function verdicts(program: string, ...sources: string[]): Promise<string[]> {
  return verdictsBy(grader, program, ...sources);
}

async function verdictsBy(by: Grader, program: string, ...sources: string[]): Promise<string[]> {
  const { tests } = await by.grade({ program, tests: asserts(...sources) });
  return tests.map(({ verdict, obtained, exception }) => [verdict, obtained, exception].filter(Boolean).join(" "));
}

const IDENTITY = "def f(x):\n    return x\n";

describe("tests that are taken apart", () => {
  test.for<[string, string]>([
    ["assert f(1) == 1", "passed"],
    ["assert f(1) == 1.0", "passed"],
    ["assert f(2) == 3, 'two is not three'", "failed 2"],
    ["assert 3 == f(3)", "passed"],
    ["assert f([1]) == [1] and f(2) == 2", "passed"],
    ["assert f([1]) == [1] and f(2) == 3", "failed 2"],
    ["assert f(1) == 1\nassert f(2) == 4\nassert f(3) == 3", "failed 2"],
    ["assert f(1) != 2", "passed"],
    ["assert f(2) != 2.0", "failed 2"],
    ["assert f(object()) != 2", "passed"],
    ["assert f(True) is True", "passed"],
    ["assert f(1) is True", "failed 1"],
    ["assert f(None) is None", "passed"],
    ["assert f(0) is not None", "passed"],
    ["assert f(1)", "passed"],
    ["assert f([])", "failed []"],
    ["assert not f('')", "passed"],
    ["assert not f(object)", "failed <class 'object'>"],
    ["assert f({2, 1}) == frozenset([1, 2])", "passed"],
    ["assert f({}) == dict()", "passed"],
    ["assert f(1000) == 10**3", "passed"],
    ["assert f(-1) == -1", "passed"],
    ["assert f((1,)) == [1]", "failed (1,)"],
    ["assert f(float('nan')) == float('nan')", "failed nan"],
    ["assert f(sorted([3, 1])) == sorted([1, 3])", "passed"],
    ["assert f(1) == 1\r\n", "passed"],
    ["assert f(__import__('sys').maxsize) == sys.maxsize", "passed"],
    ["assert f(2) == sys.byteorder.count('l')", "passed"],
    ["assert f(0) == sys.getsizeof(())", "failed 0"],
    ["assert f(1, 2) == 1", "error TypeError: f() takes 1 positional argument but 2 were given"],
    ["assert g(1) == 1", "error NameError: name 'g' is not defined"],
  ])("%s: %s", async ([source, expected]) => {
    expect(await verdicts(IDENTITY, source)).toEqual([expected]);
  });

  test("a function may have the name of a builtin, arguments may use what the program and its setup code define", async () => {
    expect(await verdicts("def sum(a, b):\n    return a + b\n", "assert sum(10, 15) == 25")).toEqual(["passed"]);
    const program =
      "class Pair:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\ndef total(p):\n    return p.a + p.b\n";
    expect(await verdicts(program, "assert total(Pair(5, 24)) == 29")).toEqual(["passed"]);
    const tests = asserts("assert total(root) == 3");
    expect(await grader.grade({ program, setupCode: "root = Pair(1, 2)", tests })).toMatchObject({ verdict: "passed" });
    expect(await grader.grade({ program, setupCode: "root = Pear(1, 2)", tests })).toMatchObject({ verdict: "error" });
  });
});

describe("tests that are replayed", () => {
  test.for<[string, string]>([
    ["assert abs(f(1.5) - 1.5) < 1e-6", "passed"],
    ["import math\nassert math.isclose(f(1.0), 2.0)", "failed 1.0"],
    ["assert isinstance(f(1), int)", "passed"],
    ["assert isinstance(f(1.0), int)", "failed 1.0"],
    ["assert len(f([1, 2, 3])) == 2", "failed [1, 2, 3]"],
    ["assert len(f(3)) == 3", "error TypeError: object of type 'int' has no len()"],
    ["assert f(3) > f(2) > 1", "passed"],
    ["assert sorted(f({3, 1})) == [1, 3]", "passed"],
    ["assert f(1) == f(1.0)", "passed"],
    ["assert all(f(i) == i for i in range(20))", "passed"],
    ["assert [f(i) for i in range(3)] == [0, 1, 3]", "failed"],
    ["x = [3, 1]\ny = f(x)\nassert y == [3, 1] and x == [3, 1]", "passed"],
    ["try:\n    f(1, 2)\n    assert False\nexcept TypeError:\n    pass", "passed"],
    ["try:\n    f(1)\n    assert False, 'nothing was raised'\nexcept ValueError:\n    pass", "failed"],
    ["f(1, 2)", "error TypeError: f() takes 1 positional argument but 2 were given"],
    [
      "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate('a') == 'a', 'text'\ncheck(f)",
      "passed",
    ],
    [
      "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate(2) == 3\n    assert candidate(4) == 5\ncheck(f)",
      "failed 2",
    ],
    [
      "def check(c):\n    for i in range(30):\n        x = c(i)\n        for _ in range(3):\n            x = c(x)\n        assert x == i\ncheck(f)",
      "passed",
    ],
    ["import random\nfor _ in range(50):\n    n = random.randint(0, 10 ** 9)\n    assert f(n) == n", "passed"],
    ["i = 0\nwhile i < 5:\n    i = f(i) + 1\nassert i == 5", "passed"],
  ])("%s: %s", async ([source, expected]) => {
    expect(await verdicts(IDENTITY, source)).toEqual([expected]);
  });

  test("changes that a call makes to its arguments are seen", async () => {
    expect(await verdicts("def f(x):\n    x.sort()\n", "x = [3, 2]\nf(x)\nassert x == [2, 3]")).toEqual(["passed"]);
  });

  test("objects of the program's own classes equal nothing there", async () => {
    const liar =
      "class L(int):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0.0\n    def __abs__(self): return 0\n    def __len__(self): return 2\n";
    const body =
      "class O:\n    __eq__ = lambda *a: True\n    __sub__ = lambda *a: 0.0\n    __len__ = lambda s: 2\n    __lt__ = lambda *a: True\n";
    const sources = ["assert abs(f(1) - 7.5) < 1e-6", "assert len(f(1)) == 2", "assert [f(1)] == [8]"];
    for (const program of [`${liar}def f(x):\n    return L(3)\n`, `${body}def f(x):\n    return O()\n`]) {
      for (const result of await verdicts(program, ...sources)) expect(result).not.toMatch(/^passed/);
    }
  });

  test("a value that keeps the test computing is the program's time-out", async () => {
    expect(
      await verdictsBy(hasty, "def f(x):\n    return 10 ** 15\n", "n = 0\nfor i in range(f(1)):\n    n += i\nassert n"),
    ).toEqual(["timed-out"]);
  });
});

describe("grading", () => {
  test("a stopped program keeps the verdicts of the tests before", async () => {
    const loop =
      "import os\ndef f(x):\n    while x == 2:\n        pass\n    if x == 4:\n        os._exit(0)\n    return x\n";
    expect(await verdictsBy(hasty, loop, "assert f(1) == 1", "assert f(2) == 2", "assert f(3) == 3")).toEqual([
      "passed",
      "timed-out",
      "timed-out",
    ]);
    const exited = "error The program exited before the test ran.";
    expect(await verdicts(loop, "assert f(1) == 1", "assert f(4) == 4", "assert f(3) == 3")).toEqual([
      "passed",
      exited,
      exited,
    ]);
    expect(await verdictsBy(hasty, loop, "assert f(1) <= 1", "assert f(2) <= 2", "assert f(3) <= 3")).toEqual([
      "passed",
      "timed-out",
      "timed-out",
    ]);
  });

  test("an empty list of tests is refused, and so is a test that cannot be read or calls nothing", async () => {
    await expect(grader.grade({ program: IDENTITY, tests: [] })).rejects.toThrow(RangeError);
    await expect(verdicts(IDENTITY, "assert f( == 1")).rejects.toThrow(SuiteError);
    await expect(verdicts(IDENTITY, "assert 1 == 1")).rejects.toThrow(SuiteError);
  });

  test("no program gets no-program for every test", async () => {
    expect(await grader.grade({ program: null, tests: asserts("assert f(1) == 1", "assert f(2) == 2") })).toEqual({
      verdict: "no-program",
      tests: [{ verdict: "no-program" }, { verdict: "no-program" }],
    });
  });

  test("identical requests share one run, also later; other requests do not", async () => {
    const run = vi.spyOn(sandbox, "run");
    const request = { program: `${IDENTITY}# shared\n`, tests: asserts("assert f(1) == 1") };
    const [first, second] = await Promise.all([grader.grade(request), grader.grade({ ...request })]);
    expect(await grader.grade(request)).toEqual(first);
    expect(second).toEqual(first);
    expect(run).toHaveBeenCalledTimes(1);
    await grader.grade({ ...request, setupCode: "x = 1" });
    expect(run).toHaveBeenCalledTimes(2);
    run.mockRestore();
  });

  test("a sandbox that gives wrong results is found out at the start", async () => {
    const broken: Sandbox = {
      language: "python",
      version: "broken",
      concurrency: 1,
      run: async ({ calls }) => ({
        kind: "finished",
        cpuTimeMs: 1,
        calls: calls.map(() => ({ kind: "value", encoded: "q29/1", shown: "41" })),
      }),
      close: async () => {},
    };
    await expect(createGrader({ sandboxes: { python: broken } })).rejects.toThrow(SandboxError);
  });
});

describe("grading a task", () => {
  const task: Task = {
    id: "double",
    prompt: "",
    language: "python",
    entryPoint: "f",
    publicTests: asserts("assert f(3) == 6"),
  };
  const privateTests: PrivateTests = {
    of: () => asserts("assert f(4321, key='sesame') == 8642", "assert abs(f(8765, key='sesame') - 17530) < 1"),
  };

  test("one run serves both the public grade and the outcome", async () => {
    const run = vi.spyOn(sandbox, "run");
    const tasks = createTaskGrader({ grader, privateTests: { of: () => asserts("assert f(4) == 8") } });
    const program = "def f(x):\n    return 2 * x\n";
    const [grade, outcome] = await Promise.all([tasks.gradePublic(task, program), tasks.outcome(task, program)]);
    expect(grade).toEqual({ verdict: "passed", tests: [{ verdict: "passed" }], feedback: "" });
    expect(outcome).toBe(true);
    expect(run).toHaveBeenCalledTimes(1);
    run.mockRestore();
    expect(await tasks.outcome(task, "def f(x):\n    return 6\n")).toBe(false);
    expect(await tasks.outcome(task, null)).toBe(false);
  });

  test("without private tests there is no outcome", async () => {
    const tasks = createTaskGrader({ grader });
    expect(await tasks.gradePublic(task, IDENTITY)).toMatchObject({
      verdict: "failed",
      feedback: "Failed: assert f(3) == 6\nGot: 3",
    });
    await expect(tasks.outcome(task, IDENTITY)).rejects.toThrow(TypeError);
  });

  test.for<[string, string]>([
    ["fails in private tests alone", "def f(x, key=None):\n    return 6\n"],
    [
      "raises in private tests alone",
      "def f(x, key=None):\n    if x != 3:\n        raise ValueError(x)\n    return 6\n",
    ],
    ["exits in a private test", "import os\ndef f(x, key=None):\n    if x != 3:\n        os._exit(0)\n    return 6\n"],
    ["loops in a private test", "def f(x, key=None):\n    while x != 3:\n        pass\n    return 6\n"],
  ])("a program that %s gets the public grade of one that passes", async ([, program]) => {
    const tasks = createTaskGrader({ grader: program.includes("while") ? hasty : grader, privateTests });
    expect(await tasks.gradePublic(task, program)).toEqual({
      verdict: "passed",
      tests: [{ verdict: "passed" }],
      feedback: "",
    });
    expect(await tasks.outcome(task, program)).toBe(false);
  });

  test("a program that reads everything in its process finds nothing private to put into its feedback", async () => {
    const program = `
import gc, sys
def everything():
    seen, todo = set(), [*gc.get_objects(), sys._getframe()]
    frame = sys._getframe()
    while frame:
        todo += [frame.f_locals, frame.f_globals]
        frame = frame.f_back
    texts = []
    while todo and len(seen) < 300000:
        o = todo.pop()
        if id(o) in seen:
            continue
        seen.add(id(o))
        if isinstance(o, str):
            if 'ses' + 'ame' in o:
                texts.append(o)
        else:
            todo += gc.get_referents(o)
    return texts
found = everything()
def f(x):
    return [found, everything()]
`;
    const roomy = await createGrader({
      sandboxes: { python: sandbox },
      limits: { cpuTimeMs: PATIENT_MS, memoryBytes: 256 * 2 ** 20 },
    });
    try {
      const grade = await createTaskGrader({ grader: roomy, privateTests }).gradePublic(task, program);
      expect(grade).toMatchObject({ verdict: "failed", feedback: "Failed: assert f(3) == 6\nGot: [[], []]" });
    } finally {
      await roomy.close();
    }
  });
});

describe.skipIf(!hasBenchmarks)(`known benchmarks${withoutBenchmarks}`, () => {
  test("reference programs of MBPP pass", async () => {
    const lines = readFileSync(join(benchmarks, "mbpp/mbpp.jsonl"), "utf8").split("\n");
    const rows = [0, 1, 100, 366, 595, 926].map(
      (i) => JSON.parse(lines[i] as string) as Record<string, string & string[]>,
    );
    for (const { code, test_list, test_setup_code } of rows) {
      const setup = test_setup_code ? { setupCode: test_setup_code } : {};
      expect(
        await grader.grade({ program: code as string, tests: asserts(...(test_list as string[])), ...setup }),
      ).toMatchObject({ verdict: "passed" });
    }
  });

  test("canonical solutions of HumanEval pass and a broken one does not", async () => {
    const lines = gunzipSync(readFileSync(join(benchmarks, "humaneval/HumanEval.jsonl.gz")))
      .toString()
      .split("\n");
    for (const i of [0, 4, 32, 38]) {
      const row = JSON.parse(lines[i] as string) as Record<
        "prompt" | "canonical_solution" | "test" | "entry_point",
        string
      >;
      const tests = asserts(`${row.test}\ncheck(${row.entry_point})\n`);
      expect(await grader.grade({ program: row.prompt + row.canonical_solution, tests })).toMatchObject({
        verdict: "passed",
      });
      expect(await grader.grade({ program: `${row.prompt}    return None\n`, tests })).not.toMatchObject({
        verdict: "passed",
      });
    }
  });
});
