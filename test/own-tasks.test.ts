/** Tasks as people have them, graded: with code before the program, time limits, unittest classes, of both languages. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "../src/cli/main.ts";
import { registerGradeCommand } from "../src/cli/grade.ts";
import { registerTasksCommand } from "../src/cli/tasks.ts";
import { SuiteError } from "../src/errors.ts";
import type { Grade, Grader, GradeRequest } from "../src/grading/grade.ts";
import { createGrader } from "../src/grading/grader.ts";
import { createNativeSandbox } from "../src/sandbox/native/native-sandbox.ts";
import { probeNativeSandbox } from "../src/sandbox/native/probe.ts";
import { createPyodideSandbox } from "../src/sandbox/pyodide/pyodide-sandbox.ts";
import { createQuickjsSandbox } from "../src/sandbox/quickjs/quickjs-sandbox.ts";
import type { Sandbox } from "../src/sandbox/sandbox.ts";
import type { Test } from "../src/tasks/task.ts";

const asserts = (...sources: string[]): Test[] => sources.map((source) => ({ kind: "assert", source }));
const shown = ({ tests }: Grade): string[] =>
  tests.map(({ verdict, exception, obtained }) => [verdict, exception ?? obtained].filter(Boolean).join(" "));

const native = await probeNativeSandbox();
const SANDBOXES: readonly [string, (() => Promise<Sandbox>) | undefined][] = [
  ["pyodide", () => createPyodideSandbox({ workers: 1 })],
  ["native", native.available ? () => createNativeSandbox({ workers: 1 }) : undefined],
];

describe.each(SANDBOXES)("in the %s sandbox", (_, open) => {
  let sandbox: Sandbox;
  let grader: Grader;
  const grade = async (request: GradeRequest): Promise<string[]> => shown(await grader.grade(request));
  beforeAll(async () => {
    if (!open) return;
    sandbox = await open();
    grader = await createGrader({ sandboxes: { python: sandbox } });
  });
  afterAll(async () => {
    await grader?.close();
    await sandbox?.close();
  });

  const solution = (body: string): string =>
    `class Solution:\n    def two(self, xs: List[int]) -> Optional[int]:\n        ${body}\n`;
  const preamble = "from typing import *\nfrom sys import *\nimport math\n";

  test.skipIf(!open)("a preamble runs before the program, whatever kind of test", async () => {
    const program = solution("return math.floor(sum(xs))");
    const reference: Test = {
      kind: "reference",
      entryPoint: "Solution().two",
      inputs: ["[1, 2]"],
      reference: program,
      tolerance: 0,
      comparison: "equal",
    };
    const tests: Test[] = [
      ...asserts("assert Solution().two([1, 2]) == 3", "s = Solution()\nassert s.two([1]) == 1"),
      reference,
      {
        kind: "unittest",
        source:
          "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(Solution().two([2]), 2)\n",
      },
    ];
    expect(await grade({ preamble, program, tests })).toEqual(["passed", "passed", "passed", "passed"]);
    const [without] = await grade({ program, tests: tests.slice(0, 1) });
    expect(without).toMatch(/^error NameError: name '(?:List|math)' is not defined$/);
    const whole = "from __future__ import annotations\nx: List = stdin.readline()\nprint(math.floor(float(x)))\n";
    expect(await grade({ preamble, program: whole, tests: [{ kind: "stdin", stdin: "2.5\n", stdout: "2" }] })).toEqual([
      "passed",
    ]);
  });

  test.skipIf(!open)("the program keeps its own lines and its own future", async () => {
    const program = "from __future__ import annotations\ndef f(x: Unknown):\n    return 1 // x\n";
    const { tests } = await grader.grade({ preamble: "a = 1\nb = 2\n", program, tests: asserts("assert f(0) == 1") });
    expect(tests[0]?.traceback).toMatch(/^line 3, in f\n {4}return 1 \/\/ x\nZeroDivisionError/);
    const broken = await grader.grade({ preamble, program: "x = 1\ndef f(:\n", tests: asserts("assert f(0) == 1") });
    expect(broken.tests[0]?.exception).toMatch(/^SyntaxError: .* \(line 2\)$/);
  });

  test.skipIf(!open)("a preamble that fails is the task's fault, and no program's", async () => {
    const request = { program: "def f(x):\n    return x\n", tests: asserts("assert f(1) == 1") };
    await expect(grader.grade({ ...request, preamble: "import nothing_such" })).rejects.toThrow(SuiteError);
    await expect(grader.grade({ ...request, preamble: "x = = 1" })).rejects.toThrow(/preamble .*SyntaxError/);
    expect(await grade({ ...request, preamble: "x = 1", program: "raise ValueError('no')" })).toEqual([
      "error ValueError: no",
    ]);
  });

  const cases = `import unittest
from unittest.mock import patch
class TestCases(unittest.TestCase):
    def setUp(self):
        self.n = 3
    @patch('random.randint', return_value=2)
    def test_patched(self, randint):
        self.assertEqual(task_func(self.n), 2)
        randint.assert_called_once_with(0, 3)
    def test_raises(self):
        with self.assertRaises(ValueError):
            task_func(-1)
`;
  const right = `import random
def task_func(n):
    if n < 0:
        raise ValueError('negative')
    return random.randint(0, n)
`;
  test.skipIf(!open).each([
    ["passes", right, "passed"],
    ["fails", right.replace("randint(0, n)", "randint(0, n) + 1"), "failed AssertionError: 3 != 2"],
    [
      "raises",
      right.replace("random.randint", "random.nothing"),
      "error AttributeError: module 'random' has no attribute 'nothing'",
    ],
    [
      "does not raise",
      right.replace("raise ValueError('negative')", "return 0"),
      "failed AssertionError: ValueError not raised",
    ],
    ["is not there", "x = 1\n", "failed NameError: name 'task_func' is not defined"],
    ["leaves", `${right}import os\nos._exit(0)\n`, "error The program exited before the test ran."],
  ])("a unittest class: a program that %s", async (_name, program, verdict) => {
    const [result] = await grade({ program, tests: [{ kind: "unittest", source: cases }] });
    expect(result?.replace("error NameError", "failed NameError")).toBe(verdict);
  });

  test.skipIf(!open)("a unittest class without a method passes nothing", async () => {
    const source = "import unittest\nclass T(unittest.TestCase):\n    pass\n";
    expect(await grade({ program: right, tests: [{ kind: "unittest", source }] })).toEqual([
      "error RuntimeError: there is no test method",
    ]);
  });

  test.skipIf(!open).each(["{", "[", "7", '["list",[1]]', '"passed"', '["?","1object"]', ""])(
    "an outcome of a unittest class that is no outcome, %j, is an error",
    async (encoded) => {
      const forging: Sandbox = {
        ...sandbox,
        async run(job, signal) {
          const result = await sandbox.run(job, signal);
          const isCases = job.setupCode?.includes("TestCases");
          const call = { kind: "value", encoded, shown: "" } as const;
          return isCases ? { kind: "finished", calls: [call], cpuTimeMs: 1 } : result;
        },
      };
      const forged = await createGrader({ sandboxes: { python: forging } });
      try {
        const tests: Test[] = [{ kind: "unittest", source: cases }];
        expect((await forged.grade({ program: right, tests })).verdict).toBe("error");
      } finally {
        await forged.close();
      }
    },
  );

  test.skipIf(!open)("deep recursion under LiveCodeBench's preamble ends with a verdict", async () => {
    const program = "def f(x):\n    return f(x + 1) + 1\ndef g(n):\n    return 0 if n == 0 else g(n - 1) + 1\n";
    const tests = asserts("assert g(900) == 900", "assert f(1) == 1");
    const deep = "import sys\nsys.setrecursionlimit(50000)\n";
    const results = await grade({ preamble: deep, program, tests });
    expect(results[0]).toBe("passed");
    expect(results[1]).toMatch(/^(?:error|out-of-memory)/);
  });
});

describe("in the quickjs sandbox", () => {
  test("a preamble runs before the program, which keeps its lines", async () => {
    const sandbox = await createQuickjsSandbox({ workers: 1 });
    const grader = await createGrader({ sandboxes: { javascript: sandbox } });
    try {
      const request = { language: "javascript", preamble: "const increment = (x) => x + 1;\n" } as const;
      const program = "class Solution {\n  f(x) { return increment(x); }\n  g() { throw new Error('no'); }\n}\n";
      const tests = asserts("const s = new Solution(); console.assert(s.f(1) === 2)", "new Solution().g()");
      const grade = await grader.grade({ ...request, program, tests });
      expect(shown(grade)).toEqual(["passed", "error Error: no"]);
      expect(grade.tests[1]?.traceback).toContain("line 3, in g");
      const whole = "console.log(increment(Number(require('fs').readFileSync(0, 'utf8'))));";
      const stdin: Test[] = [{ kind: "stdin", stdin: "2\n", stdout: "3" }];
      expect(shown(await grader.grade({ ...request, program: whole, tests: stdin }))).toEqual(["passed"]);
      await expect(grader.grade({ ...request, preamble: "nothing()", program, tests })).rejects.toThrow(SuiteError);
    } finally {
      await grader.close();
      await sandbox.close();
    }
  });
});

describe("commands", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-own-tasks-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  const run = async (...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    let stdout = "";
    let stderr = "";
    const code = await main(argv, {
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      commands: [registerTasksCommand, registerGradeCommand],
    });
    return { code, stdout, stderr };
  };
  const pyodide = ["--sandbox", "pyodide", "--workers", "1"];

  test("the tasks that docs/suites.md shows can be read, and check out", async () => {
    const text = await readFile(new URL("../docs/suites.md", import.meta.url), "utf8");
    const tasks = [...text.matchAll(/```json\n([^]*?)```/g)].map(([, json]) => JSON.parse(json as string) as object);
    expect(tasks).toHaveLength(3);
    const file = join(directory, "documented.jsonl");
    await writeFile(file, tasks.map((task) => JSON.stringify({ ...task, split: "test" })).join("\n"));
    const { code, stdout } = await run("tasks", "check", "jsonl", "--data", file, ...pyodide);
    expect(stdout).toContain("3/3 gold programs pass");
    expect(stdout).toContain("0/1 known wrong programs pass");
    expect(code).toBe(0);
  });

  test("samples of tasks whose packages are not there are ungradable, with the name of the package", async () => {
    const record = (n: number, libs: string): object => ({
      task_id: `BigCodeBench/${n}`,
      complete_prompt: 'def task_func(n):\n    """Double.\n    """\n',
      instruct_prompt: "Double.",
      canonical_solution: "    return 2 * n\n",
      code_prompt: "def task_func(n):\n",
      test: "import unittest\nclass TestCases(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(task_func(2), 4)\n",
      entry_point: "task_func",
      libs,
    });
    const records = [record(0, "[]"), ...Array.from({ length: 20 }, (_, n) => record(n + 1, "['pandas']"))];
    await writeFile(join(directory, "BigCodeBench.jsonl"), records.map((one) => JSON.stringify(one)).join("\n"));
    const samples = join(directory, "samples.jsonl");
    const lines = records.map((_, n) => ({ task_id: `BigCodeBench/${n}`, completion: "    return n + n\n" }));
    await writeFile(samples, lines.map((one) => JSON.stringify(one)).join("\n"));
    const suite = ["--suite", "bigcodebench", "--split", "complete", "--data", directory];
    const { code, stdout } = await run("grade", samples, ...suite, ...pyodide, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ samples: 21, ungradable: 20, verdicts: { passed: 1 } });
    expect(code).toBe(0);
    const results = await readFile(join(directory, "samples.results.jsonl"), "utf8");
    expect(JSON.parse(results.split("\n")[1] as string)).toMatchObject({
      verdict: "ungradable",
      reason: "it needs pandas, which no sandbox has",
    });
    expect((await run("tasks", "check", ...suite.slice(1, 2), ...suite.slice(2), ...pyodide)).stdout).toContain(
      "1/1 gold programs pass",
    );
  });
});
