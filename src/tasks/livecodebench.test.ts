import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SuiteError } from "../errors.ts";
import { readPickledString } from "./pickled-string.ts";
import { openSuite } from "./suites.ts";
import type { TaskSet } from "./task.ts";

/** As Python's `pickle` writes a text, by protocol. */
function pickle(text: string, protocol: number): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  const written =
    protocol >= 4 && bytes.length < 256
      ? Buffer.concat([Buffer.from([0x8c, bytes.length]), bytes])
      : Buffer.concat([Buffer.from("X"), length, bytes]);
  const frame = protocol >= 4 ? Buffer.from([0x95, ...Array.from<number>({ length: 8 }).fill(0)]) : Buffer.alloc(0);
  const memo = protocol >= 4 ? Buffer.from([0x94]) : Buffer.from([0x71, 0]);
  return Buffer.concat([Buffer.from([0x80, protocol]), frame, written, memo, Buffer.from(".")]);
}

const packed = (tests: unknown, protocol = 4): string =>
  deflateSync(pickle(JSON.stringify(tests), protocol)).toString("base64");

const functional = (input: string, output: string) => ({ input, output, testtype: "functional" });
const stdin = (input: string, output: string) => ({ input, output, testtype: "stdin" });

const record = (id: string, date: string, more: object = {}): object => ({
  question_title: "Add",
  question_content: `Add two numbers (${id}).`,
  platform: "leetcode",
  question_id: id,
  contest_id: "c",
  contest_date: `${date}T00:00:00`,
  starter_code: "class Solution:\n    def add(self, a: int, b: int) -> int:\n        ",
  difficulty: "easy",
  public_test_cases: JSON.stringify([functional("1\n2", "3")]),
  private_test_cases: packed([functional('[1.0, true]\n"a\\n"', "12345678901234567890")]),
  metadata: '{"func_name": "add"}',
  ...more,
});

const whole = {
  starter_code: "",
  public_test_cases: JSON.stringify([stdin("1 2\n", "3\n")]),
  private_test_cases: JSON.stringify([stdin("2 2", "4")]),
  metadata: "{}",
};

describe("livecodebench", () => {
  let directory: string;
  const load = (split: string, limit?: number): Promise<TaskSet> =>
    openSuite({ name: "livecodebench", dataDirectory: directory }).load({ split, ...(limit && { limit }) });
  const ids = async (split: string, limit?: number): Promise<string[]> =>
    (await load(split, limit)).tasks.map(({ id }) => id.replace("livecodebench/", ""));
  const write = (file: string, ...records: object[]): Promise<void> =>
    writeFile(join(directory, file), records.map((one) => `${JSON.stringify(one)}\n`).join(""));

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-lcb-"));
    await write("test.jsonl", record("é1", "2023-05-07"), record("2", "2023-08-01", whole));
    for (let n = 2; n <= 6; n++) await write(`test${n}.jsonl`, record(`v${n}`, `2024-0${n}-10`));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("has functions as calls of their class, and whole programs with its rule of comparison", async () => {
    const { tasks, privateTests } = await load("v1");
    expect(tasks[0]).toMatchObject({
      id: "livecodebench/é1",
      prompt: "Add two numbers (é1).",
      entryPoint: "Solution",
      starterCode: "class Solution:\n    def add(self, a: int, b: int) -> int:",
      publicTests: [{ kind: "assert", source: "assert Solution().add(1, 2) == 3" }],
      timeLimit: 6,
    });
    expect(tasks[0]?.preamble).toContain("from typing import *\n");
    expect(privateTests.of("livecodebench/é1")).toEqual([
      { kind: "assert", source: 'assert Solution().add([1.0, True], "a\\n") == 12345678901234567890' },
    ]);
    const rule = { comparison: "lines", tolerance: 0 };
    expect(tasks[1]?.publicTests).toEqual([{ kind: "stdin", stdin: "1 2\n", stdout: "3\n", ...rule }]);
    expect(tasks[1]).not.toHaveProperty("starterCode");
    expect(privateTests.of("livecodebench/2")).toEqual([{ kind: "stdin", stdin: "2 2", stdout: "4", ...rule }]);
  });

  it.each([
    ["test", ["é1", "2", "v2", "v3", "v4", "v5", "v6"]],
    ["release_v6", ["é1", "2", "v2", "v3", "v4", "v5", "v6"]],
    ["release_v2", ["é1", "2", "v2"]],
    ["v2", ["v2"]],
    ["v3_v5", ["v3", "v4", "v5"]],
    ["test:2024-03-10..2024-05-10", ["v3", "v4", "v5"]],
    ["test:..2023-12-31", ["é1", "2"]],
    ["v4_v6:2024-05-11..", ["v6"]],
  ])("has the split %s", async (split, expected) => {
    expect(await ids(split)).toEqual(expected);
  });

  it.each(["train", "v0", "v7", "v5_v3", "release_v9", "test:2024", "test:2025-01-01..2024-01-01"])(
    "refuses the split %s and names those there are",
    async (split) => {
      await expect(load(split)).rejects.toThrow(/use test, release_v1 … release_v6, v1 … v6 or v2_v5/);
    },
  );

  it("takes the first tasks of a split, and has another hash for other private tests", async () => {
    expect(await ids("test", 3)).toEqual(["é1", "2", "v2"]);
    const before = (await load("v6")).hash;
    await write("test6.jsonl", record("v6", "2024-06-10", { private_test_cases: packed([functional("1\n1", "2")]) }));
    expect((await load("v6")).hash).not.toBe(before);
  });

  it("names file, line and key of what it cannot read", async () => {
    await write("test5.jsonl", record("v5", "2024-05-10"), record("x", "yesterday"));
    await expect(load("v5")).rejects.toThrow(/test5\.jsonl line 2: contest_date: expected a date/);
    await write("test5.jsonl", record("v5", "2024-05-10", { private_test_cases: "eJx=" }));
    const set = await load("v5");
    expect(() => set.privateTests.of("livecodebench/v5")).toThrow(/test5\.jsonl line 1: private_test_cases: expected/);
    await rm(join(directory, "test5.jsonl"));
    await expect(load("v4_v6")).rejects.toThrow(/no file .*test5\.jsonl; get it from https/);
    await write("test5.jsonl", record("v5", "2024-05-10"));
    const read = await load("v5");
    await write("test5.jsonl", record("other", "2024-05-10"));
    expect(() => read.privateTests.of("livecodebench/v5")).toThrow(SuiteError);
  });
});

describe("a pickled text", () => {
  function outcomeOf(bytes: Buffer): string {
    try {
      return typeof readPickledString(bytes);
    } catch (error) {
      return (error as Error).name;
    }
  }

  it("is read from every protocol, and nothing else is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.constantFrom(2, 3, 4, 5), (text, protocol) => {
        expect(readPickledString(pickle(text, protocol))).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        expect(outcomeOf(Buffer.from(bytes))).toMatch(/^(?:string|SyntaxError)$/);
      }),
    );
    // os.system("id"), as a pickle that would run it.
    expect(() => readPickledString(Buffer.from("cos\nsystem\n(S'id'\ntR."))).toThrow(SyntaxError);
  });
});
