import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Grade, Grader, GradeRequest } from "../grading/grade.ts";
import { createTaskSet } from "../tasks/task-set.ts";
import type { Task } from "../tasks/task.ts";
import { checkTasks } from "./check-tasks.ts";
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

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-cli-tasks-"));
  const records = [record, { ...record, task_id: 12, code: "def add(a, b):\n    return a * b + 2 * (a > 0) - 1" }];
  await writeFile(join(directory, "mbpp.jsonl"), records.map((one) => JSON.stringify(one)).join("\n"));
});

afterAll(async () => {
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

  it.each([
    [["show", "mubp"], /did you mean "mubpp"/],
    [["show", "mbpp"], /--data DIR/],
    [["show", "mubpp", "--split", "dev"], /use one of pretrain, train, validation, test/],
    [["show", "mubpp", "--limit", "many"], /whole number above 0/],
    [["show", "mbpp", "--data", "nowhere"], /no file .*mbpp\.jsonl/],
  ])("ends with code 2 and a hint for %j", async (argv, hint) => {
    const { code, stdout, stderr } = await run(...argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(hint);
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
    expect(stdout).toBe("mbpp/test: 1/2 gold programs pass\n  mbpp/12: failed: got -1\n    assert add(0, 0) == 0\n");
    expect(stderr).toContain("mbpp/test");
    expect(code).toBe(1);
  }, 60_000);
});

describe("checkTasks", () => {
  const task = (id: string, goldProgram?: string): Task => ({
    id,
    prompt: "Do.",
    language: "python",
    publicTests: [{ kind: "assert", source: "assert f() == 1" }],
    ...(goldProgram !== undefined && { goldProgram }),
  });

  /** Fails the second test of programs that hold the word `wrong`. */
  const grader: Grader = {
    grade({ program, tests }: GradeRequest): Promise<Grade> {
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

  it("reports failing and missing gold programs with their reason, in the order of the tasks", async () => {
    const privateTests = [{ kind: "assert", source: "assert f() != 2" }] as const;
    const tasks = [task("a", "wrong"), task("b", "right"), task("c")].map((one) => ({ task: one, privateTests }));
    const taskSet = await createTaskSet({ suite: "s", version: "1", split: "test", tasks });
    const checked: string[] = [];
    const report = await checkTasks({ taskSet, grader, concurrency: 2, onChecked: ({ id }) => checked.push(id) });
    expect(report).toEqual({
      total: 3,
      failures: [
        { taskId: "a", verdict: "error", reason: "ValueError: no", test: "assert f() != 2" },
        { taskId: "c", verdict: "no-program", reason: "the task has no gold program" },
      ],
    });
    expect(checked.toSorted()).toEqual(["a", "b", "c"]);
  });
});
