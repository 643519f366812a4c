import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { benchmarks, hasBenchmarks, withoutBenchmarks } from "../../test/benchmarks.ts";
import { createHumanEvalPlus, createMbppPlus } from "./evalplus.ts";
import { SUITE_CATALOG } from "./suite-catalog.ts";
import type { ReferenceTest, TaskSet } from "./task.ts";

const humanEval = {
  task_id: '"HumanEval/32"',
  prompt: JSON.stringify('def root(xs: list):\n    """ Find a root.\n    >>> root([1, 2])\n    -0.5\n    """\n'),
  entry_point: '"root"',
  canonical_solution: JSON.stringify("    return -xs[0] / xs[1]\n"),
  base_input: "[[[1.0, 2]]]",
  plus_input: "[[[12345678901234567890, 1.0]], [[-0, 1e3]]]",
  atol: "0.0001",
};

const mbpp = {
  task_id: '"Mbpp/2"',
  prompt: JSON.stringify('"""\nFind the shared elements.\nassert set(similar((3, 4), (5, 4))) == set((4,))\n"""\n'),
  entry_point: '"similar"',
  canonical_solution: JSON.stringify("\ndef similar(a, b):\n  return tuple(set(a) & set(b))\n"),
  base_input: "[[[3, 4], [5, 4]]]",
  plus_input: "{}",
  atol: "0",
};

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-evalplus-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** One line of JSON whose values are given as they are to stand in it: a literal of JavaScript would lose `1.0`. */
const line = (record: Readonly<Record<string, string>>): string =>
  `{${Object.entries(record)
    .map(([key, value]) => `"${key}": ${value}`)
    .join(", ")}}`;

const writeHumanEval = (record: object): Promise<void> =>
  writeFile(join(directory, "HumanEvalPlus.jsonl.gz"), gzipSync(line({ ...humanEval, ...record })));
const writeMbpp = (record: object): Promise<void> =>
  writeFile(join(directory, "MbppPlus.jsonl"), line({ ...mbpp, ...record }));
const loadHumanEval = (): Promise<TaskSet> => createHumanEvalPlus({ dataDirectory: directory }).load({ split: "test" });
const loadMbpp = (): Promise<TaskSet> => createMbppPlus({ dataDirectory: directory }).load({ split: "test" });

describe("humaneval-plus", () => {
  it("makes two private tests of the base and the added inputs, numbers as they are written", async () => {
    await writeHumanEval({});
    const { tasks, privateTests } = await loadHumanEval();
    const goldProgram = tasks[0]?.goldProgram as string;
    expect(tasks[0]).toMatchObject({ id: "HumanEval/32", entryPoint: "root", language: "python" });
    expect(tasks[0]?.publicTests).toEqual([{ kind: "assert", source: "assert root([1, 2]) == -0.5" }]);
    expect(goldProgram).toMatch(/^def root[^]*return -xs\[0\] \/ xs\[1\]\n$/);
    const common = {
      kind: "reference",
      entryPoint: "root",
      reference: goldProgram,
      tolerance: 0.0001,
      comparison: "root",
    };
    expect(privateTests.of("HumanEval/32")).toEqual([
      { ...common, inputs: ["[1.0, 2]"] },
      { ...common, inputs: ["[12345678901234567890, 1.0]", "[-0, 1e3]"] },
    ]);
  });

  it.each([
    [{ base_input: "[]" }, /line 1: base_input: expected at least one input/],
    [{ base_input: "[1]" }, /line 1: base_input\.0: expected a list of arguments/],
    [{ plus_input: '{"a": 1}' }, /line 1: plus_input/],
    [{ atol: '"0"' }, /line 1: atol/],
    [{ task_id: '"Other/1"' }, /line 1: task_id: expected HumanEval\/N or Mbpp\/N/],
    [{ entry_point: "nothing" }, /line 1: expected a JSON object, found/],
  ])("refuses %j, naming file and line", async (change, message) => {
    await writeHumanEval(change);
    await expect(loadHumanEval()).rejects.toThrow(message);
    await expect(loadHumanEval()).rejects.toThrow(join(directory, "HumanEvalPlus.jsonl.gz"));
  });
});

describe("mbpp-plus", () => {
  it("takes the assert out of the prompt as the public test and gives the inputs their types", async () => {
    await writeMbpp({});
    const { tasks, privateTests } = await loadMbpp();
    expect(tasks).toEqual([
      {
        id: "Mbpp/2",
        prompt: "Find the shared elements.",
        language: "python",
        entryPoint: "similar",
        publicTests: [{ kind: "assert", source: "assert set(similar((3, 4), (5, 4))) == set((4,))" }],
        goldProgram: "def similar(a, b):\n  return tuple(set(a) & set(b))\n",
      },
    ]);
    expect(privateTests.of("Mbpp/2")).toMatchObject([
      { kind: "reference", inputs: ["(3, 4), (5, 4)"], comparison: "set", tolerance: 1e-6 },
    ]);
  });

  it("accepts either reading of a task that has two", async () => {
    await writeMbpp({
      task_id: '"Mbpp/558"',
      entry_point: '"digit_distance_nums"',
      base_input: "[[1, 2], [23, 5]]",
      plus_input: "[[123, 45]]",
    });
    const tests = (await loadMbpp()).privateTests.of("Mbpp/558");
    expect(tests.map(({ kind }) => kind)).toEqual(["assert", "assert"]);
    expect(tests[0]).toMatchObject({
      source: expect.stringContaining("assert digit_distance_nums(23, 5) in right_answers(23, 5)") as string,
    });
  });

  it("says which task has a prompt or an input of another form", async () => {
    await writeMbpp({ prompt: '"Find the shared elements."' });
    await expect(loadMbpp()).rejects.toThrow(/mbpp-plus Mbpp\/2: expected its prompt to be a docstring/);
    await writeMbpp({ base_input: "[[1, [2]]]" });
    await expect(loadMbpp()).rejects.toThrow(/mbpp-plus Mbpp\/2: expected a list, found 1/);
  });
});

describe.skipIf(!hasBenchmarks)(`the published files${withoutBenchmarks}`, () => {
  it("hold as many tasks as the catalogue says, each with inputs", async () => {
    const sets = await Promise.all([
      createHumanEvalPlus({ dataDirectory: benchmarks }).load({ split: "test" }),
      createMbppPlus({ dataDirectory: benchmarks }).load({ split: "test" }),
    ]);
    expect(sets.map(({ tasks }) => tasks.length)).toEqual([
      SUITE_CATALOG["humaneval-plus"].splits.test,
      SUITE_CATALOG["mbpp-plus"].splits.test,
    ]);
    const tests = sets.flatMap(({ tasks, privateTests }) => tasks.flatMap(({ id }) => privateTests.of(id)));
    const references = tests.filter((test): test is ReferenceTest => test.kind === "reference");
    // 558 and 581 of MBPP+ are asserts; 793 has no added inputs.
    expect(references).toHaveLength(2 * (164 + 378) - 4 - 1);
    expect(references.filter(({ comparison }) => comparison === "root")).toHaveLength(2);
    expect(references.filter(({ comparison }) => comparison === "set")).toHaveLength(14);
    expect(references.filter(({ comparison }) => comparison === "presence")).toHaveLength(6);
  });
});
