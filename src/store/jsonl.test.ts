import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StoreError } from "../errors.ts";
import { openJsonl, readJsonl } from "./jsonl.ts";

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-jsonl-"));
  file = join(directory, "deep", "records.jsonl");
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const parseNumber = (record: unknown): number => {
  if (typeof record !== "number") throw new TypeError("expected a number");
  return record;
};

describe("JSON Lines", () => {
  test("records read back in the order they were appended", async () => {
    const writer = await openJsonl(file);
    const records = Array.from({ length: 5000 }, (_, index) => ({ index, text: `é\n"${index}"\u2028` }));
    for (const record of records) writer.append(record);
    await writer.close();
    expect(await readJsonl(file)).toEqual(records);
  });

  test("a file longer than one read, with multi-byte text across the boundary, reads back", async () => {
    const writer = await openJsonl(file);
    const records = Array.from({ length: 3 }, (_, index) => `${"x".repeat(index)}${"é€😀".repeat(150_000)}`);
    for (const record of records) writer.append(record);
    await writer.close();
    expect(await readJsonl(file)).toEqual(records);
  });

  test("a flush makes what was appended readable while the file stays open", async () => {
    const writer = await openJsonl(file);
    writer.append(1);
    await writer.flush();
    expect(await readJsonl(file)).toEqual([1]);
    writer.append(2);
    await writer.flush();
    expect(await readJsonl(file)).toEqual([1, 2]);
    await writer.close();
    await writer.close();
    expect(() => writer.append(3)).toThrow(/closed/);
  });

  test("a missing file has no records", async () => {
    expect(await readJsonl(file)).toEqual([]);
  });

  test("a half-written last line is dropped by readers and cut away by the next writer", async () => {
    const writer = await openJsonl(file);
    writer.append({ a: 1 });
    await writer.close();
    await appendFile(file, '{"a":2');
    expect(await readJsonl(file)).toEqual([{ a: 1 }]);
    const next = await openJsonl(file);
    next.append({ a: 3 });
    await next.close();
    expect(await readFile(file, "utf8")).toBe('{"a":1}\n{"a":3}\n');
  });

  test("a half-written line longer than the block read backwards is cut away whole", async () => {
    const writer = await openJsonl(file);
    writer.append(1);
    await writer.close();
    await appendFile(file, `"${"x".repeat(200_000)}`);
    await (await openJsonl(file)).close();
    expect(await readFile(file, "utf8")).toBe("1\n");
  });

  test("a file that holds nothing but half a line becomes empty", async () => {
    await (await openJsonl(file)).close();
    await writeFile(file, '{"a"');
    await (await openJsonl(file)).close();
    expect(await readFile(file, "utf8")).toBe("");
  });

  test("a malformed line elsewhere is a StoreError that names file and line", async () => {
    await (await openJsonl(file)).close();
    await writeFile(file, '{"a":1}\n{"a":\n{"a":3}\n');
    const error = await readJsonl(file).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).message).toContain(`${file}, line 2`);
    expect((error as StoreError).fields).toMatchObject({ file, line: 2 });
  });

  test("a record that the given check refuses is a StoreError that names file and line", async () => {
    const writer = await openJsonl(file);
    writer.append(1);
    writer.append("two");
    await writer.close();
    await expect(readJsonl(file, { parse: parseNumber })).rejects.toThrow(/line 2: .*expected a number/);
  });

  test("what JSON would silently change is refused at once and does not reach the file", async () => {
    const writer = await openJsonl(file);
    expect(() => writer.append({ score: Number.NaN })).toThrow(/NaN.*score/);
    expect(() => writer.append({ score: -Infinity })).toThrow(StoreError);
    expect(() => writer.append(undefined)).toThrow(StoreError);
    writer.append({ score: 1, missing: undefined });
    await writer.close();
    expect(await readJsonl(file)).toEqual([{ score: 1 }]);
  });
});

describe.runIf(process.platform === "linux")("a full disk (Linux's /dev/full)", () => {
  test("is a StoreError that says what to do, and nothing is appended after it", async () => {
    const writer = await openJsonl("/dev/full");
    writer.append({ a: 1 });
    await expect(writer.flush()).rejects.toThrow(
      "disk full while writing /dev/full; free space and run the same command again: nothing finished is lost",
    );
    expect(() => writer.append({ a: 2 })).toThrow(/disk full/);
    await expect(writer.close()).rejects.toThrow(StoreError);
  });
});
