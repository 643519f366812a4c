import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { benchmarks, hasBenchmarks, withoutBenchmarks } from "../../test/benchmarks.ts";
import { createHumanEvalPack } from "./humanevalpack.ts";

const record = {
  task_id: "JavaScript/7",
  prompt: "/* Twice the number. */\nconst twice = (x) => {\n",
  declaration: "\nconst twice = (x) => {\n",
  canonical_solution: "  return 2 * x;\n}\n",
  buggy_solution: "  return x;\n}\n",
  entry_point: "twiceOf",
  test: "const testTwice = () => {\n  console.assert(twice(4) === 8)\n}\ntestTwice()\n",
  example_test: "",
};

async function load(records: readonly unknown[], split = "js") {
  const directory = await mkdtemp(join(tmpdir(), "mucode-pack-"));
  try {
    const lines = records.map((item) => JSON.stringify(item)).join("\n");
    await writeFile(join(directory, `humanevalpack_${split}.jsonl`), lines);
    return await createHumanEvalPack({ dataDirectory: directory }).load({ split });
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe("HumanEvalPack", () => {
  test("a task has its examples as public test, the file's test as private one, a right and a wrong program", async () => {
    const example = "console.assert(twice(1) === 2)";
    const set = await load([{ ...record, example_test: `${example}\n` }]);
    expect(set.tasks).toEqual([
      {
        id: "JavaScript/7",
        prompt: record.prompt,
        language: "javascript",
        entryPoint: "twice",
        publicTests: [{ kind: "assert", source: example }],
        goldProgram: record.prompt + record.canonical_solution,
        wrongProgram: record.declaration + record.buggy_solution,
      },
    ]);
    expect(set.privateTests.of("JavaScript/7")).toEqual([{ kind: "assert", source: record.test.trim() }]);
    expect(set.notes).toEqual([]);
  });

  test("where there is no example, the public test is that the function exists, and a note says so", async () => {
    const set = await load([record]);
    expect(set.tasks[0]?.publicTests).toEqual([
      { kind: "assert", source: 'console.assert(typeof twice === "function")' },
    ]);
    expect(set.notes).toEqual(["1 of 1 tasks have no example: public is only that the function exists"]);
  });

  test("a malformed line is named by file, line and key", async () => {
    await expect(load([record, { ...record, task_id: "JavaScript/8", test: "" }])).rejects.toThrow(
      /humanevalpack_js\.jsonl line 2: test: /,
    );
  });

  test.skipIf(!hasBenchmarks)(
    `the original files hold 164 tasks a language, with the functions their tests call${withoutBenchmarks}`,
    async () => {
      const suite = createHumanEvalPack({ dataDirectory: benchmarks });
      for (const split of suite.splits) {
        const { tasks, privateTests } = await suite.load({ split });
        expect(tasks).toHaveLength(164);
        const strange = tasks.filter(({ id, entryPoint = "" }) =>
          privateTests.of(id).some((given) => given.kind !== "assert" || !given.source.includes(`${entryPoint}(`)),
        );
        expect(strange.map(({ id }) => id)).toEqual([]);
      }
    },
  );
});
