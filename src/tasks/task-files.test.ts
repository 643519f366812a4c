import { cp, mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { benchmarks, hasBenchmarks, withoutBenchmarks } from "../../test/benchmarks.ts";
import { z } from "zod";
import { SuiteError } from "../errors.ts";
import { createHumanEval } from "./humaneval.ts";
import { createMbpp, createMbppSanitized } from "./mbpp.ts";
import { openSuite } from "./suites.ts";
import { readTaskFile } from "./task-file.ts";
import { describeTest } from "./test-text.ts";

const mbppRecord = {
  task_id: 11,
  text: "Add two\r\nnumbers.",
  code: "class Node:\r\n    pass\r\ndef add(a, b):\r\n    return a + b",
  test_setup_code: "",
  test_list: ["assert int(add(1, 2)) == 3", "assert add(0, 0) == 0"],
  challenge_test_list: ["assert add(-1, 1) == 0"],
};

const humanEvalRecord = {
  task_id: "HumanEval/0",
  prompt: 'def add(a, b):\n    """ Add.\n    >>> add(1, 2)\n    3\n    """\n',
  entry_point: "add",
  canonical_solution: "    return a + b\n",
  test: "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate(1, 1) == 2\n\n",
};

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-tasks-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Writes records, or lines as they are, one per line. */
async function write(path: string, records: readonly unknown[]): Promise<string> {
  const target = join(directory, path);
  await mkdir(join(target, ".."), { recursive: true });
  const text = records.map((record) => (typeof record === "string" ? record : JSON.stringify(record))).join("\n");
  await writeFile(target, path.endsWith(".gz") ? gzipSync(text) : text);
  return target;
}

const parquetRequest = {
  suite: "mbpp",
  get directory() {
    return directory;
  },
  source: "somewhere",
  schema: z.looseObject({ task_id: z.int() }),
  idOf: ({ task_id }: { task_id: number }) => task_id,
};

const loadMbpp = (split = "test") => createMbpp({ dataDirectory: directory }).load({ split });
const loadHumanEval = () => createHumanEval({ dataDirectory: directory }).load({ split: "test" });

describe("mbpp", () => {
  it("makes the first test public, the others and the challenge tests private, with line feeds for CRLF", async () => {
    await write("mbpp.jsonl", [mbppRecord, "", { ...mbppRecord, task_id: 601 }]);
    const { tasks, privateTests } = await loadMbpp();
    expect(tasks).toEqual([
      {
        id: "mbpp/11",
        prompt: "Add two\nnumbers.",
        language: "python",
        entryPoint: "add",
        publicTests: [{ kind: "assert", source: "assert int(add(1, 2)) == 3" }],
        goldProgram: "class Node:\n    pass\ndef add(a, b):\n    return a + b",
      },
    ]);
    expect(privateTests.of("mbpp/11").map(describeTest)).toEqual(["assert add(0, 0) == 0", "assert add(-1, 1) == 0"]);
  });

  it("cuts the splits by task id, keeps setup code, and finds the file one folder below", async () => {
    const ids = [1, 10, 11, 510, 511, 600, 601, 974];
    await write(
      "mbpp/mbpp.jsonl",
      ids.map((task_id) => ({ ...mbppRecord, task_id, test_setup_code: "root = Node()\r\n" })),
    );
    const suite = openSuite({ name: "mbpp", dataDirectory: directory });
    const idsOf = async (split: string) => (await suite.load({ split })).tasks.map(({ id }) => id);
    expect(await idsOf("prompt")).toEqual(["mbpp/1", "mbpp/10"]);
    expect(await idsOf("test")).toEqual(["mbpp/11", "mbpp/510"]);
    expect(await idsOf("validation")).toEqual(["mbpp/511", "mbpp/600"]);
    expect(await idsOf("train")).toEqual(["mbpp/601", "mbpp/974"]);
    expect((await suite.load({ split: "test", limit: 1 })).tasks.map(({ setupCode }) => setupCode)).toEqual([
      "root = Node()\n",
    ]);
  });

  it("uses the only test of a task as its private one too, and says so", async () => {
    await write("mbpp.jsonl", [
      { ...mbppRecord, test_list: mbppRecord.test_list.slice(0, 1), challenge_test_list: [] },
    ]);
    const { tasks, privateTests, notes } = await loadMbpp();
    expect(privateTests.of("mbpp/11")).toEqual(tasks[0]?.publicTests);
    expect(notes).toEqual(["1 tasks have one test only: it is public and private"]);
  });

  it.each([
    ["a field of another type", { ...mbppRecord, text: 7 }, /line 2: text: expected a string, found 7/],
    ["a missing field", { task_id: 12 }, /line 2: text: is missing/],
    ["no tests", { ...mbppRecord, test_list: [] }, /line 2: test_list: expected at least one test/],
    ["no JSON", '{"task_id": 12', /line 2: expected a JSON object, found/],
    ["an id used before", mbppRecord, /line 2: task id 11 is already used on line 1/],
    ["an id out of range", { ...mbppRecord, task_id: 975 }, /line 2: task_id: .*974/],
  ])("refuses a line with %s, naming file and line", async (_, record, message) => {
    const path = await write("mbpp.jsonl", [mbppRecord, record]);
    const failure = loadMbpp();
    await expect(failure).rejects.toThrow(SuiteError);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(path);
  });

  it("refuses a test that calls nothing which the code defines", async () => {
    await write("mbpp.jsonl", [{ ...mbppRecord, test_list: ["assert max(1, 2) == 2"] }]);
    await expect(loadMbpp()).rejects.toThrow(/task 11.*calls max/);
  });

  it("says which file is missing, where it was looked for and how to get it", async () => {
    await expect(loadMbpp()).rejects.toThrow(join(directory, "mbpp", "mbpp.jsonl"));
    await expect(loadMbpp()).rejects.toThrow("https://github.com/google-research");
    await expect(loadMbpp("dev")).rejects.toThrow(/no split "dev"; use one of prompt, test, validation, train/);
  });
});

describe("mbpp in Parquet, as the hub has it", () => {
  it("has rows with the names and types of JSONL", async () => {
    const fixture = fileURLToPath(new URL("fixtures/mbpp-test.parquet", import.meta.url));
    await mkdir(join(directory, "full"));
    await cp(fixture, join(directory, "full", "test-00000-of-00001.parquet"));
    await expect(loadMbpp()).rejects.toThrow(/no file .*full\/prompt-00000-of-00001\.parquet and /);
    const rows = await readTaskFile({ ...parquetRequest, paths: ["full/test-00000-of-00001.parquet"] });
    expect(rows).toEqual([
      {
        task_id: 11,
        text: "Add two\r\nnumbers.",
        code: "def add(a, b):\r\n    return a + b",
        test_list: ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
        test_setup_code: "",
        challenge_test_list: [],
      },
      {
        task_id: 12,
        text: "Double a number.",
        code: "def double(x):\n    return 2 * x",
        test_list: ["assert double(2) == 4"],
        test_setup_code: "",
        challenge_test_list: ["assert double(-1) == -2"],
      },
    ]);
  });

  it("names the row that is malformed, and the file that is no Parquet or stops short", async () => {
    const fixture = fileURLToPath(new URL("fixtures/mbpp-test.parquet", import.meta.url));
    const path = join(directory, "a.parquet");
    await cp(fixture, path);
    const schema = z.looseObject({ task_id: z.int().max(11, "expected at most 11") });
    const request = { ...parquetRequest, schema, paths: ["a.parquet"] };
    await expect(readTaskFile(request)).rejects.toThrow(`${path} row 2: task_id: expected at most 11`);
    await truncate(path, 500);
    await expect(readTaskFile(request)).rejects.toThrow(/cannot read .*a\.parquet as Parquet/);
  });
});

describe("mbpp-sanitized", () => {
  const record = {
    source_file: "a.ipynb",
    task_id: 11,
    prompt: "Add two numbers.",
    code: "def add(a, b):\n    return a + b",
    test_imports: ["import math"],
    test_list: ["assert add(1, 2) == 3", "assert add(0, 0) == 0", "assert add(1, math.inf) == math.inf"],
  };
  const load = (split = "test") => createMbppSanitized({ dataDirectory: directory }).load({ split });
  const writeArray = (...records: readonly object[]): Promise<void> =>
    writeFile(join(directory, "sanitized-mbpp.json"), JSON.stringify(records, undefined, 1));

  it("makes the first test public, the others private, and runs what they import before them", async () => {
    await writeArray(record, { ...record, task_id: 601, test_imports: [] });
    const { tasks, privateTests } = await load();
    expect(tasks).toEqual([
      {
        id: "mbpp/11",
        prompt: "Add two numbers.",
        language: "python",
        entryPoint: "add",
        publicTests: [{ kind: "assert", source: "assert add(1, 2) == 3" }],
        setupCode: "import math\n",
        goldProgram: record.code,
      },
    ]);
    expect(privateTests.of("mbpp/11").map(describeTest)).toEqual(record.test_list.slice(1));
    expect((await load("train")).tasks.map(({ id, setupCode }) => [id, setupCode])).toEqual([["mbpp/601", undefined]]);
  });

  it("names the line of the array on which a malformed record starts", async () => {
    const path = join(directory, "sanitized-mbpp.json");
    await writeArray(record, { ...record, task_id: 12, prompt: 'no [brackets} or "quotes, here', test_list: ["one"] });
    await expect(load()).rejects.toThrow(`${path} line 16: test_list: expected at least two tests`);
    await writeArray(record, record);
    await expect(load()).rejects.toThrow(`${path} line 16: task id 11 is already used on line 2`);
    await writeFile(path, JSON.stringify([record]).slice(0, -2));
    await expect(load()).rejects.toThrow(`${path}: expected a JSON array of objects, found one that does not end`);
    await writeFile(path, JSON.stringify(record));
    await expect(load()).rejects.toThrow(`${path}: expected a JSON array of objects`);
    await writeFile(path, "[\n{},\n{'a': 1}]");
    await expect(load()).rejects.toThrow(`${path} line 2: task_id`);
  });
});

describe("humaneval", () => {
  it("takes the examples of the docstring as public tests and the check function as the private one", async () => {
    await write("HumanEval.jsonl.gz", [humanEvalRecord]);
    const { tasks, privateTests, notes } = await loadHumanEval();
    expect(tasks).toEqual([
      {
        id: "HumanEval/0",
        prompt: humanEvalRecord.prompt,
        language: "python",
        entryPoint: "add",
        publicTests: [{ kind: "assert", source: "assert add(1, 2) == 3" }],
        goldProgram: humanEvalRecord.prompt + humanEvalRecord.canonical_solution,
      },
    ]);
    expect(privateTests.of("HumanEval/0").map(describeTest)[0]).toMatch(/def check\(candidate\):[^]*\n\ncheck\(add\)$/);
    expect(notes).toEqual([]);
  });

  it("only asks that the function exists where no example can be read, and says how often", async () => {
    await write("humaneval/HumanEval.jsonl", [{ ...humanEvalRecord, prompt: "def add(a, b):\n" }]);
    const { tasks, notes } = await loadHumanEval();
    expect(tasks[0]?.publicTests).toEqual([{ kind: "assert", source: "assert callable(add)" }]);
    expect(notes).toEqual(["1 of 1 tasks have no readable example: public is only that the function exists"]);
  });

  it("refuses a file that is not what its name says", async () => {
    const path = await write("HumanEval.jsonl", [{ ...humanEvalRecord, test: "assert add(1, 1) == 2" }]);
    await expect(loadHumanEval()).rejects.toThrow(/line 1: test: expected a function check/);
    await rm(path);
    await writeFile(join(directory, "HumanEval.jsonl.gz"), "not gzipped");
    await expect(loadHumanEval()).rejects.toThrow(/cannot read .*HumanEval\.jsonl\.gz/);
    await rm(join(directory, "HumanEval.jsonl.gz"));
    await write("HumanEval.jsonl", [""]);
    await expect(loadHumanEval()).rejects.toThrow(/holds no task/);
  });
});

describe("openSuite", () => {
  it("opens the built-in suite without data", () => {
    expect(openSuite({ name: "mubpp" }).splits).toEqual(["pretrain", "train", "validation", "test"]);
  });

  it("suggests the nearest name for an unknown one, and asks for data where it is needed", () => {
    expect(() => openSuite({ name: "mubp" })).toThrow(
      /unknown suite "mubp" \(did you mean "mubpp"\?\); the suites are/,
    );
    expect(() => openSuite({ name: "toString" })).toThrow(/unknown suite/);
    expect(() => openSuite({ name: "humaneval" })).toThrow(/--data DIR/);
  });
});

describe.skipIf(!hasBenchmarks)(`the published files${withoutBenchmarks}`, () => {
  it("mbpp has 974 tasks in four splits, setup code in two, eleven with challenge tests", async () => {
    const suite = createMbpp({ dataDirectory: benchmarks });
    const sets = await Promise.all(suite.splits.map((split) => suite.load({ split })));
    expect(sets.map(({ tasks }) => tasks.length)).toEqual([10, 500, 90, 374]);
    const tasks = sets.flatMap((set) => set.tasks);
    expect(
      tasks
        .filter(({ setupCode }) => setupCode !== undefined)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(["mbpp/367", "mbpp/927"]);
    expect(tasks.find(({ id }) => id === "mbpp/912")?.entryPoint).toBe("lobb_num");
    for (const set of sets) for (const { id } of set.tasks) expect(set.privateTests.of(id).length).toBeGreaterThan(0);
  });

  it("humaneval has 164 tasks, 26 of them without a readable example", async () => {
    const { tasks, notes } = await createHumanEval({ dataDirectory: benchmarks }).load({ split: "test" });
    expect(tasks).toHaveLength(164);
    expect(notes?.[0]).toMatch(/^26 of 164/);
    expect(tasks[0]?.publicTests).toEqual([
      { kind: "assert", source: "assert has_close_elements([1.0, 2.0, 3.0], 0.5) == False" },
      { kind: "assert", source: "assert has_close_elements([1.0, 2.8, 3.0, 4.0, 5.0, 2.0], 0.3) == True" },
    ]);
  });
});
