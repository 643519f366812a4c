import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSuite } from "./suites.ts";
import type { TaskSet } from "./task.ts";

const record = (n: number, libs: string, more: object = {}): object => ({
  task_id: `BigCodeBench/${n}`,
  complete_prompt: 'import random\ndef task_func(n):\n    """Draws.\n    >>> task_func(1)\n    2\n    """\n',
  instruct_prompt: "Draws.",
  canonical_solution: "    return random.randint(0, n)\n",
  code_prompt: "import random\ndef task_func(n):\n",
  test: "import unittest\nclass TestCases(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(task_func(0), 0)\n",
  entry_point: "task_func",
  doc_struct: "{}",
  libs,
  ...more,
});

describe("bigcodebench", () => {
  let directory: string;
  const load = (split: string): Promise<TaskSet> =>
    openSuite({ name: "bigcodebench", dataDirectory: directory }).load({ split });
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-bcb-"));
    const records = [
      record(0, "['random']"),
      record(1, "['pandas', 'random', 'sklearn.linear_model']"),
      record(2, "['random']", {
        test: "import unittest\nfrom faker import Faker\nimport numpy as np, os\nclass TestCases(unittest.TestCase):\n    pass\n",
      }),
      record(3, "['pandas']", { complete_prompt: "def task_func(n):\n    pass\n" }),
    ];
    await writeFile(join(directory, "BigCodeBench.jsonl"), records.map((one) => JSON.stringify(one)).join("\n"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("has tasks with the standard library, and counts the others by the packages that they need", async () => {
    const set = await load("complete");
    expect(set.tasks).toMatchObject([
      {
        id: "BigCodeBench/0",
        entryPoint: "task_func",
        publicTests: [{ kind: "assert", source: "assert task_func(1) == 2" }],
        goldProgram: "import random\ndef task_func(n):\n    return random.randint(0, n)\n",
      },
    ]);
    expect(set.privateTests.of("BigCodeBench/0")).toMatchObject([{ kind: "unittest" }]);
    expect(set.notGradable?.map(({ task, reason }) => [task.id, reason])).toEqual([
      ["BigCodeBench/1", "it needs pandas, sklearn, which no sandbox has"],
      ["BigCodeBench/2", "it needs faker, numpy, which no sandbox has"],
      ["BigCodeBench/3", "it needs pandas, which no sandbox has"],
    ]);
    expect(set.notes?.[0]).toBe(
      "3 of 4 tasks are not gradable, for want of packages: pandas 2, faker 1, numpy 1, sklearn 1",
    );
  });

  it("has the other prompt in the other split", async () => {
    expect((await load("instruct")).tasks[0]?.prompt).toBe("Draws.");
    await expect(load("test")).rejects.toThrow(/no split "test"; use one of complete, instruct/);
  });
});
