import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSuite } from "./suites.ts";
import { taskJsonSchema, toTaskRecord } from "./task-record.ts";
import type { Suite, Test } from "./task.ts";

const tasks = [
  {
    id: "add",
    prompt: "Add two numbers.",
    language: "python",
    entryPoint: "add",
    publicTests: [{ kind: "assert", source: "assert add(1, 2) == 3" }],
    privateTests: [
      {
        kind: "reference",
        entryPoint: "add",
        inputs: ["0.1, 0.2"],
        reference: "def add(a, b):\n    return a + b\n",
        tolerance: 1e-9,
        comparison: "equal",
      },
    ],
    setupCode: "import math\n",
    goldProgram: "def add(a, b):\n    return a + b\n",
    wrongProgram: "def add(a, b):\n    return a - b\n",
  },
  {
    id: "echo",
    prompt: "Print the line.",
    language: "javascript",
    publicTests: [{ kind: "stdin", stdin: "a\n", stdout: "a\n" }],
    privateTests: [{ kind: "stdin", stdin: "b\n", stdout: "b\n" }],
    goldProgram: "nothing",
    goldProblem: "it is not written yet",
    split: "train",
  },
];

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-own-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function open(name: string, ...records: readonly unknown[]): Promise<Suite> {
  const file = join(directory, name);
  const text = records.map((one) => JSON.stringify(one)).join("\n");
  await writeFile(file, name.endsWith(".gz") ? gzipSync(text) : text);
  return openSuite({ name: "jsonl", dataDirectory: file });
}

describe("jsonl", () => {
  it("reads tasks with any kind of test, the private ones apart, in the splits that the file names", async () => {
    const suite = await open("tasks.jsonl.gz", ...tasks);
    expect(suite.splits).toEqual(["test", "train"]);
    const [test, train] = await Promise.all([suite.load({ split: "test" }), suite.load({ split: "train" })]);
    const { privateTests, ...add } = tasks[0]!;
    expect(test.tasks).toEqual([add]);
    expect(test.privateTests.of("add")).toEqual(privateTests);
    expect(train.tasks.map(({ id, goldProblem }) => [id, goldProblem])).toEqual([["echo", "it is not written yet"]]);
  });

  it("reads what it writes as the same tasks, those of other suites too", async () => {
    const original = await openSuite({ name: "mubpp" }).load({ split: "train", limit: 20 });
    const suite = await open("copy.jsonl", ...original.tasks.map((task) => toTaskRecord(task, original)));
    const copy = await suite.load({ split: "train" });
    expect(copy.tasks).toEqual(original.tasks);
    expect(copy.hash).toBe(original.hash);
  });

  const [add] = tasks;
  it.each<[string, unknown, RegExp]>([
    ["no private tests", { ...add, id: "b", privateTests: [] }, /line 2: privateTests: expected at least one test/],
    [
      "a kind of test that there is not",
      { ...add, id: "b", publicTests: [{ kind: "x" }] },
      /line 2: publicTests\.0\.kind/,
    ],
    ["a key that means nothing", { ...add, id: "b", gold: "x" }, /line 2: gold: no such key; the keys are id, prompt/],
    ["another language", { ...add, id: "b", language: "rust" }, /line 2: language: .*"python"/],
    ["an id used before", add, /line 2: task id add is already used on line 1/],
    ["an entry point that is no name", { ...add, id: "b", entryPoint: "f()" }, /line 2: entryPoint: expected the name/],
  ])("refuses %s, naming file and line", async (_, record, message) => {
    const file = join(directory, "tasks.jsonl");
    await expect(open("tasks.jsonl", add, record)).rejects.toThrow(message);
    await expect(open("tasks.jsonl", add, record)).rejects.toThrow(file);
  });

  it("asks for the file, and says when it cannot be read", () => {
    expect(() => openSuite({ name: "jsonl" })).toThrow(/--data FILE/);
    expect(() => openSuite({ name: "jsonl", dataDirectory: directory })).toThrow(
      /cannot read .*: it is a directory; name a file in it$/,
    );
  });
});

const shortForms: readonly (readonly [string, object, object])[] = [
  [
    "tests as strings",
    { id: "a", prompt: "Add.", publicTests: ["assert add(1, 2) == 3"], privateTests: ["assert add(0, 0) == 0"] },
    { public: ["assert add(1, 2) == 3"], private: ["assert add(0, 0) == 0"], entryPoint: "add" },
  ],
  [
    "one list of tests: the first is public",
    { id: "a", prompt: "Add.", tests: ["assert add(1, 2) == 3", "assert add(0, 0) == 0", "assert add(2, 2) == 4"] },
    {
      public: ["assert add(1, 2) == 3"],
      private: ["assert add(0, 0) == 0", "assert add(2, 2) == 4"],
      entryPoint: "add",
    },
  ],
  [
    "a list of one: it is public and private",
    { id: "a", prompt: "Add.", tests: ["assert add(1, 2) == 3"] },
    { public: ["assert add(1, 2) == 3"], private: ["assert add(1, 2) == 3"], entryPoint: "add" },
  ],
  [
    "public tests alone: they decide",
    { id: "a", prompt: "Add.", publicTests: ["assert add(1, 2) == 3", "assert add(0, 0) == 0"] },
    {
      public: ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
      private: ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
      entryPoint: "add",
    },
  ],
  [
    "MBPP's form",
    {
      task_id: 601,
      text: "Find the longest chain.\r\nOf pairs.",
      code: "class Pair(object):\r\n    pass\r\ndef longest(arr, n):\r\n    return 3",
      test_list: ["assert longest([Pair(5, 24)], 1) == 3", "assert longest([Pair(1, 2)], 1) == 3"],
      test_setup_code: "",
      challenge_test_list: ["assert longest([], 0) == 0"],
    },
    {
      id: "601",
      prompt: "Find the longest chain.\nOf pairs.",
      public: ["assert longest([Pair(5, 24)], 1) == 3"],
      private: ["assert longest([Pair(1, 2)], 1) == 3", "assert longest([], 0) == 0"],
      entryPoint: "longest",
      goldProgram: "class Pair(object):\n    pass\ndef longest(arr, n):\n    return 3",
    },
  ],
  [
    "the sanitized MBPP's form, with columns that mean nothing here",
    {
      task_id: 2,
      source_file: "x.ipynb",
      prompt: "Share.",
      code: "def similar(a, b):\n    return a & b",
      test_imports: ["import math"],
      test_list: ["assert set(similar({1}, {1})) == set({1})", "assert similar({1}, {2}) == set()"],
      difficulty: 3,
    },
    { id: "2", entryPoint: "similar", setupCode: "import math\n" },
  ],
  [
    "asserts that call several functions: no entry point is guessed",
    { id: "a", prompt: "Code.", tests: ["assert decode(encode('a')) == 'a'", "assert decode(encode('b')) == 'b'"] },
    { entryPoint: undefined },
  ],
  [
    "builtins, methods, imports and words in strings are no entry point",
    { id: "a", prompt: "Sort.", tests: ["import math\nassert sorted(mine([math.floor(2.5)])) == [2], 'use f(x)'"] },
    { entryPoint: "mine" },
  ],
  [
    "a check function's parameter is no entry point",
    { id: "a", prompt: "Sort.", tests: ["def check(candidate):\n    assert candidate(1) == 1\ncheck(mine)"] },
    { entryPoint: undefined },
  ],
  [
    "unittest classes as strings",
    {
      id: "a",
      prompt: "Sort.",
      tests: ["import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertTrue(f())"],
    },
    { kinds: ["unittest"], entryPoint: undefined },
  ],
];

it.each(shortForms)("a shorter form is read: %s", async (_, record, expected) => {
  const set = await (await open("short.jsonl", record)).load({ split: "test" });
  const [task] = set.tasks;
  const sources = (tests: readonly Test[]): unknown[] => tests.map((test) => "source" in test && test.source);
  const read = {
    ...task,
    entryPoint: task!.entryPoint,
    public: sources(task!.publicTests),
    private: sources(set.privateTests.of(task!.id)),
    kinds: task!.publicTests.map(({ kind }) => kind),
  };
  expect(read).toMatchObject(expected);
  expect(task!.language).toBe("python");
});

it("a task that is read in a shorter form is written in the full one, and reads back as the same", async () => {
  const set = await (
    await open("short.jsonl", ...shortForms.map(([, one], id) => ({ ...one, id: `t${id}`, task_id: undefined })))
  ).load({
    split: "test",
  });
  const copy = await (
    await open("full.jsonl", ...set.tasks.map((task) => toTaskRecord(task, set)))
  ).load({ split: "test" });
  expect(copy.hash).toBe(set.hash);
});

it.each<[string, string, RegExp]>([
  [
    "a misspelt key",
    '{"id": "a", "promt": "x", "tests": ["assert f() == 1"]}',
    /line 1: promt: no such key; did you mean "prompt"\?/,
  ],
  [
    "a misspelt key of a test",
    '{"id": "a", "prompt": "x", "tests": [{"kind": "assert", "sorce": "assert f()"}]}',
    /publicTests\.0\.sorce: no such key; did you mean "source"\?/,
  ],
  [
    "a misspelt kind",
    '{"id": "a", "prompt": "x", "tests": [{"kind": "ascert", "source": "assert f()"}]}',
    /publicTests\.0\.kind: .*"assert"/,
  ],
  [
    "a missing prompt",
    '{"id": "a", "tests": ["assert f() == 1"]}',
    /line 1: prompt: is missing: the problem in words.*\(the keys here are id/,
  ],
  ["a missing id", '{"prompt": "x", "tests": ["assert f() == 1"]}', /line 1: id: is missing: unique within the file/],
  ["no tests", '{"id": "a", "prompt": "x"}', /line 1: publicTests: is missing: the solver may run these/],
  [
    "an empty list of tests",
    '{"id": "a", "prompt": "x", "tests": []}',
    /line 1: tests: expected a list of tests, e\.g\. \["assert/,
  ],
  [
    "tests that are one string",
    '{"id": "a", "prompt": "x", "tests": "assert f()"}',
    /line 1: tests: expected a list of tests/,
  ],
  [
    "a test that cannot fail",
    '{"id": "a", "prompt": "x", "tests": ["f(1) == 2"]}',
    /line 1: tests\.0: has no assert, so no program would fail it/,
  ],
  [
    "both ways to give tests",
    '{"id": "a", "prompt": "x", "tests": ["assert f()"], "publicTests": ["assert f()"]}',
    /line 1: tests: goes without publicTests/,
  ],
  [
    "an object over several lines",
    '{\n  "id": "a",\n  "prompt": "x"\n}',
    /line 1: expected a JSON object, found "\{": it goes on over several lines; write one object per line \(`jq -c \. FILE` does\)/,
  ],
  [
    "an array over several lines",
    '[\n{"id": "a"}\n]',
    /line 1: .*an array goes on over several lines; .*jq -c '\.\[\]'/,
  ],
  [
    "a string over several lines",
    '{"id": "a", "prompt": "x\ny"}',
    /line 1: .*a string has no end on this line; write line breaks within strings as \\n/,
  ],
  ["objects between commas", '{"id": "a"},\n{"id": "b"}', /line 1: .*it ends with a comma/],
  ["Python's quotes", "{'id': 'a'}", /line 1: .*JSON has double quotes only/],
  ["a line that is no object", '["a"]', /line 1: record: expected an object/],
])("refuses %s, and says how to mend it", async (_, text, message) => {
  const file = join(directory, "bad.jsonl");
  await writeFile(file, text);
  expect(() => openSuite({ name: "jsonl", dataDirectory: file })).toThrow(message);
});

describe("tasks without a split", () => {
  const many = (count: number): object[] =>
    Array.from({ length: count }, (_, i) => ({
      id: `t${i}`,
      prompt: "Add.",
      tests: ["assert f(1) == 1", "assert f(2) == 2"],
    }));
  const openHolding = async (records: readonly object[], share = 0.3, seed = 0): Promise<Suite> => {
    await open("many.jsonl", ...records);
    return openSuite({ name: "jsonl", dataDirectory: join(directory, "many.jsonl"), heldOut: { share, seed } });
  };
  const idsOf = async (suite: Suite, split: string): Promise<string[]> =>
    (await suite.load({ split })).tasks.map(({ id }) => id);

  it("are one set, whatever the split that is asked for", async () => {
    const suite = await open("many.jsonl", ...many(5));
    expect(suite.splits).toEqual(["test"]);
    for (const split of ["test", "train"]) expect(await idsOf(suite, split)).toHaveLength(5);
  });

  it("are divided where some are to be held out, and a note says how many", async () => {
    const suite = await openHolding(many(20));
    const train = await suite.load({ split: "train" });
    expect([train.tasks.length, (await idsOf(suite, "test")).length]).toEqual([14, 6]);
    expect(train.notes).toEqual([
      'your tasks have no split: 14 are trained on and 6 held out (--suite.held-out-share, or "split" in the file)',
    ]);
  });

  it("are divided by seed and id: order and further tasks move none but those at the edge", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 30 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.nat({ max: 1000 }),
        async (count, share, seed) => {
          const suite = await openHolding(many(count), share, seed);
          const [train, test] = [await idsOf(suite, "train"), await idsOf(suite, "test")];
          expect(train.length).toBeGreaterThan(0);
          expect(test.length).toBeGreaterThan(0);
          expect(Math.abs(test.length - share * count)).toBeLessThanOrEqual(1);
          expect(new Set([...train, ...test]).size).toBe(count);
          const turned = await openHolding(many(count).toReversed(), share, seed);
          expect(new Set(await idsOf(turned, "test"))).toEqual(new Set(test));
        },
      ),
      { numRuns: 20 },
    ));

  it("cannot be divided where there is one", async () => {
    await expect(openHolding(many(1))).rejects.toThrow(/holds one task, which cannot be trained on and held out/);
  });

  it("are asked for where the file names other splits", async () => {
    const suite = await openHolding(many(3).map((task) => ({ ...task, split: "train" })));
    await expect(suite.load({ split: "test" })).rejects.toThrow(
      /no task of .*many\.jsonl has the split "test" \(there are 3 of "train"\)\. Give some of them "split": "test", or leave/,
    );
  });
});

describe("schemas/task.schema.json", () => {
  it("is what the code says: renew it with `mucode tasks schema > schemas/task.schema.json`", async () => {
    const file = await readFile(new URL("../../schemas/task.schema.json", import.meta.url), "utf8");
    expect(JSON.parse(file)).toEqual(taskJsonSchema());
  });
});
