import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { SuiteError } from "../errors.ts";
import type { Grade, Grader, GradeRequest } from "../grading/grade.ts";
import { createTaskSet } from "../tasks/task-set.ts";
import type { Task } from "../tasks/task.ts";
import { checkTasks, hasUnexplained } from "./check-tasks.ts";
import { describeReport, reportLine, type SplitReport } from "./describe-tasks.ts";
import { main } from "./main.ts";
import { registerTasksCommand } from "./tasks.ts";

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  const code = await main(["tasks", ...argv], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    commands: [registerTasksCommand],
  });
  return { code, stdout, stderr };
}

const record = {
  task_id: 11,
  text: "Add two numbers.",
  code: "def add(a, b):\n    return a + b",
  test_setup_code: "",
  test_list: ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
  challenge_test_list: [],
};

let directory: string;
let cache: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-cli-tasks-"));
  cache = join(directory, "cache");
  vi.stubEnv("MUCODE_CACHE", cache);
  const records = [record, { ...record, task_id: 12, code: "def add(a, b):\n    return a * b + 2 * (a > 0) - 1" }];
  await writeFile(join(directory, "mbpp.jsonl"), records.map((one) => JSON.stringify(one)).join("\n"));
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

describe("mucode tasks show", () => {
  it("prints a task with its name, tests and gold program", async () => {
    const { code, stdout } = await run("show", "mubpp", "--limit", "2", "--split", "train");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^mubpp\/train\/0\n {2}[A-Z].*\.\n {2}function\n {4}\w+\n {2}public tests\n {4}assert .*\n {2}private tests\n(?: {4}assert .*\n){3,} {2}gold program\n {4}def /,
    );
    expect(stdout).toContain("\n\nmubpp/train/1\n");
  });

  it("prints one JSON object per task with --json, other tasks for another seed", async () => {
    const [first, again, other] = await Promise.all([
      run("show", "mubpp", "--limit", "3", "--json"),
      run("show", "mubpp", "--limit", "3", "--json", "--seed", "0"),
      run("show", "mubpp", "--limit", "3", "--json", "--seed", "7"),
    ]);
    const tasks = first.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Task & { privateTests: unknown[] });
    expect(tasks.map(({ id }) => id)).toEqual(["mubpp/test/0", "mubpp/test/1", "mubpp/test/2"]);
    for (const { privateTests } of tasks) expect(privateTests.length).toBeGreaterThanOrEqual(3);
    expect(again.stdout).toBe(first.stdout);
    expect(other.stdout).not.toBe(first.stdout);
  });

  it("prints what the suite jsonl reads, and says exactly which tasks these are", async () => {
    const shown = await run("show", "mubpp", "--limit", "4", "--json");
    const file = join(directory, "own.jsonl");
    await writeFile(file, shown.stdout);
    const again = await run("show", "jsonl", "--data", file, "--json");
    expect(again.stdout).toBe(shown.stdout);
    const [, hash] = /sha256 ([0-9a-f]{12})/.exec(shown.stderr) ?? [];
    expect(again.stderr).toBe(`jsonl/test: version 1, 4 tasks, sha256 ${hash}\n`);
  });

  it("prints tests of every kind", async () => {
    const tests = {
      publicTests: [{ kind: "stdin", stdin: "1 2\n", stdout: "3\n" }],
      privateTests: [
        {
          kind: "reference",
          entryPoint: "f",
          inputs: ["1.0, (2,)"],
          reference: "def f(a, b):\n    return a\n",
          tolerance: 0.001,
          comparison: "set",
        },
      ],
    };
    const file = join(directory, "kinds.jsonl");
    await writeFile(file, JSON.stringify({ id: "a", prompt: "Do.", language: "javascript", ...tests, split: "dev" }));
    const { stdout } = await run("show", "jsonl", "--data", file);
    expect(stdout).toBe(
      [
        "a",
        "  Do.",
        "  language",
        "    javascript",
        "  function",
        "    (none: the program as a whole)",
        "  public tests",
        "    Input:",
        "    1 2",
        "    Output:",
        "    3",
        "  private tests",
        "    f answers like the reference (set, tolerance 0.001) on 1 input:",
        "      f(1.0, (2,))",
        "  gold program",
        "    (none)",
        "",
        "",
      ].join("\n"),
    );
  });

  it.each([
    [["show", "mubp"], /did you mean "mubpp"/],
    [["show", "mbpp"], /mucode tasks pull mbpp.*--data DIR/],
    [["show", "jsonl"], /--data FILE/],
    [["show", "mubpp", "--split", "dev"], /use one of pretrain, train, validation, test/],
    [["show", "mubpp", "--limit", "many"], /whole number above 0/],
    [["show", "mbpp", "--data", "nowhere"], /no file .*mbpp\.jsonl/],
    [["pull", "jsonl"], /jsonl has no files to pull/],
    [["pull", "mbpp", "--endpoint", "hub"], /must be a URL/],
    [["check", "mubpp", "--sandbox", "none"], /auto, native, pyodide/],
  ])("ends with code 2 and a hint for %j", async (argv, hint) => {
    const { code, stdout, stderr } = await run(...argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(hint);
  });
});

describe("mucode tasks list", () => {
  it("says of every suite what it holds, its licence and where it comes from, and whether it is here", async () => {
    const { code, stdout } = await run("list");
    expect(code).toBe(0);
    expect(stdout).toContain(
      "\nhumaneval-plus\n  HumanEval+ (EvalPlus): HumanEval with about 80 times as many inputs\n" +
        "  test 164; version 0.1.10; Apache-2.0\n  from\n  https://github.com/evalplus/",
    );
    expect(stdout).toContain("  not here: mucode tasks pull mbpp\n");
  });

  it("prints one JSON object per suite, with what was pulled", async () => {
    const folder = join(cache, "suites", "humaneval");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "a"), "abc");
    const file = { path: "a", bytes: 3, sha256: "0".repeat(64) };
    const manifest = {
      suite: "humaneval",
      source: "x/y",
      commit: "c".repeat(40),
      pulledAt: "2026-01-01",
      files: [file],
    };
    await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
    const listed = async (): Promise<Record<string, unknown>> => {
      const { stdout } = await run("list", "--json");
      const suites = stdout.trimEnd().split("\n");
      return suites
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .find((one) => one.suite === "humaneval")!;
    };
    expect(await listed()).toMatchObject({ here: "pulled", directory: folder, commit: "c".repeat(40), version: "1" });
    await writeFile(join(folder, "a"), "ab");
    expect(await listed()).toMatchObject({ here: "damaged" });
  });
});

describe("mucode tasks schema", () => {
  it("prints the JSON Schema of a line of one's own tasks", async () => {
    const { stdout } = await run("schema");
    expect(JSON.parse(stdout)).toMatchObject({ required: expect.arrayContaining(["id", "privateTests"]) as string[] });
  });
});

describe("mucode tasks check", () => {
  it("runs the gold programs, names each that fails, and then ends with code 1", async () => {
    const { code, stdout, stderr } = await run(
      "check",
      "mbpp",
      "--data",
      directory,
      "--split",
      "test",
      "--workers",
      "1",
    );
    expect(stdout).toMatch(/^mbpp\/test: version 1, 2 tasks, sha256 [0-9a-f]{12}\n {2}1\/2 gold programs pass\n/);
    expect(stdout).toMatch(/\n {2}mbpp\/12: failed: got -1\n {4}assert add\(0, 0\) == 0\n$/);
    expect(stderr).toContain("mbpp/test");
    expect(code).toBe(1);
  });
});

const TESTS = [{ kind: "assert", source: "assert f() == 1" }];
/** Holds whatever the program is. */
const HOLLOW = { kind: "assert", source: "try:\n    f()\nexcept NameError:\n    pass" };

describe("checkTasks", () => {
  const task = (id: string, programs: Partial<Task>): Task => ({
    id,
    prompt: "Do.",
    language: "python",
    publicTests: [{ kind: "assert", source: "assert f() == 1" }],
    ...programs,
  });

  /** Fails the second test of programs that hold the word `wrong`. */
  const grader: Grader = {
    grade({ program, tests }: GradeRequest): Promise<Grade> {
      if (program === "")
        return Promise.resolve({ verdict: "failed", tests: tests.map(() => ({ verdict: "failed" })) });
      if (program === "ungradable") return Promise.reject(new SuiteError("the test calls nothing"));
      const wrong = program?.includes("wrong");
      const results = tests.map((_, i) =>
        wrong && i === 1
          ? ({ verdict: "error", exception: "ValueError: no" } as const)
          : ({ verdict: "passed" } as const),
      );
      return Promise.resolve({ verdict: wrong ? "error" : "passed", tests: results });
    },
    close: () => Promise.resolve(),
  };

  async function check(...tasks: readonly Task[]): Promise<SplitReport> {
    const privateTests = [{ kind: "assert", source: "assert f() != 2" }] as const;
    const entries = tasks.map((one) => ({ task: one, privateTests }));
    const taskSet = await createTaskSet({ suite: "s", version: "1", split: "test", tasks: entries });
    return { taskSet, report: await checkTasks({ taskSet, grader, concurrency: 2 }) };
  }

  it("tells unexplained failures from known ones, and passing wrong programs from failing ones", async () => {
    const split = await check(
      task("a", { goldProgram: "wrong" }),
      task("b", { goldProgram: "right", wrongProgram: "wrong" }),
      task("c", { goldProgram: "wrong", goldProblem: "two right answers" }),
      task("d", { wrongProgram: "right" }),
      task("e", { goldProgram: "right", goldProblem: "it was slow" }),
      task("f", {}),
    );
    expect(split.report).toEqual({
      gold: {
        total: 4,
        failures: [
          { taskId: "a", verdict: "error", reason: "ValueError: no", test: "assert f() != 2" },
          {
            taskId: "c",
            verdict: "error",
            reason: "ValueError: no",
            test: "assert f() != 2",
            knownProblem: "two right answers",
          },
        ],
      },
      wrong: { total: 2, passing: ["d"] },
      mended: ["e"],
      vacuous: [],
      unusable: [],
      unchecked: { gold: 2, wrong: 4, both: 1 },
    });
    expect(describeReport(split).split("\n").slice(1)).toEqual([
      "  2/4 gold programs pass",
      "  1/2 known wrong programs pass",
      "  not checked: 2 tasks have no gold program, so that nothing shows a right one to pass",
      "  not checked: 4 tasks have no known wrong program; an empty one was tried",
      "  a: error: ValueError: no",
      "    assert f() != 2",
      "  c: error, as expected: two right answers",
      "  d: its known wrong program passes every test",
      "  e: its gold program is known to fail, and passes",
      "",
    ]);
    expect(JSON.parse(reportLine(split))).toMatchObject({ count: 6, ...split.report });
  });

  it("lists a task whose test cannot be used beside the others", async () => {
    const split = await check(task("a", { goldProgram: "ungradable" }), task("b", { goldProgram: "right" }));
    expect(split.report.gold).toEqual({
      total: 2,
      failures: [{ taskId: "a", verdict: "ungradable", reason: "the test calls nothing" }],
    });
    expect(describeReport(split)).toContain("\n  a: ungradable: the test calls nothing\n");
    expect(hasUnexplained(split.report)).toBe(true);
  });

  it.each([
    ["an unexplained failure", { goldProgram: "wrong" }, true],
    ["a wrong program that passes", { wrongProgram: "right" }, true],
    ["a known failure", { goldProgram: "wrong", goldProblem: "two right answers" }, false],
    ["a gold program that passes against expectation", { goldProgram: "right", goldProblem: "slow" }, false],
    ["no program", {}, false],
  ])("%s: unexplained is %s", async (_, programs, unexplained) => {
    const { report } = await check(task("a", programs));
    expect(hasUnexplained(report)).toBe(unexplained);
  });

  it.each([
    [
      "a public test that does not parse",
      { publicTests: [{ kind: "assert", source: "x = 1\nassert f(1 == 2\n" }] },
      /\n {2}a: public test 1: A test cannot be used: SyntaxError: .* \(line 2: assert f\(1 == 2\)\n/,
    ],
    [
      "a private test that does not parse, of a task with a gold program",
      { privateTests: [TESTS[0], { kind: "assert", source: "assert f() == = 1" }], goldProgram: "def f(): return 1" },
      /\n {2}a: ungradable: private test 2: A test cannot be used: SyntaxError: .* \(line 1: assert f\(\) == = 1\)\n/,
    ],
    [
      "a test in JavaScript that does not parse",
      { language: "javascript", publicTests: [{ kind: "assert", source: "let x;\nconsole.assert(f( === 1)" }] },
      /\n {2}a: public test 1: A test cannot be used: SyntaxError: .* \(line 2: console.assert\(f\( === 1\)\)\n/,
    ],
    [
      "a preamble that fails",
      { preamble: "import nothing_such" },
      /\n {2}a: The preamble cannot be used: .*nothing_such/,
    ],
    [
      "a test that checks nothing",
      { publicTests: [HOLLOW], privateTests: [HOLLOW] },
      /\n {2}a: an empty program passes/,
    ],
  ])("names the task of %s, with its line", async (_, more, message) => {
    const file = join(directory, "faulty.jsonl");
    const faulty = { id: "a", prompt: "Do.", language: "python", publicTests: TESTS, privateTests: TESTS, ...more };
    await writeFile(file, JSON.stringify(faulty));
    const { code, stdout } = await run("check", "jsonl", "--data", file, "--workers", "1", "--sandbox", "pyodide");
    expect(stdout.replaceAll(/\n {2}(?!a: )/g, " ")).toMatch(message);
    expect(code).toBe(1);
  });

  it("is not content with having checked nothing", async () => {
    const file = join(directory, "bare.jsonl");
    const bare = { id: "a", prompt: "Do.", language: "python", publicTests: TESTS, privateTests: TESTS };
    await writeFile(file, JSON.stringify(bare));
    const { code, stdout, stderr } = await run("check", "jsonl", "--data", file, "--workers", "1");
    expect(stdout).toContain("not checked: 1 task has no gold program");
    expect(stderr).toContain("nothing was checked");
    expect(code).toBe(1);
  });
});
