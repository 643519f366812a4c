import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StoreError } from "../errors.ts";
import { writeFileAtomic, writeJsonAtomic } from "./atomic-write.ts";
import { fileError } from "./file-errors.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-atomic-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("a file is created with its directory, replaced whole, and leaves nothing beside it", async () => {
  const file = join(directory, "a", "b.txt");
  await writeFileAtomic(file, "one");
  await writeFileAtomic(file, new TextEncoder().encode("two"));
  expect(await readFile(file, "utf8")).toBe("two");
  expect(await readdir(join(directory, "a"))).toEqual(["b.txt"]);
});

test("many writers of one file leave one of their contents", async () => {
  const file = join(directory, "file.json");
  await Promise.all(Array.from({ length: 20 }, (_, index) => writeJsonAtomic(file, { index })));
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ index: expect.any(Number) });
  expect(await readdir(directory)).toEqual(["file.json"]);
});

test("JSON is indented and ends in a newline", async () => {
  const file = join(directory, "file.json");
  await writeJsonAtomic(file, { a: [1] });
  expect(await readFile(file, "utf8")).toBe('{\n  "a": [\n    1\n  ]\n}\n');
});

test("a number that JSON cannot hold is refused, and the old file stays", async () => {
  const file = join(directory, "file.json");
  await writeJsonAtomic(file, { a: 1 });
  await expect(writeJsonAtomic(file, { a: Number.NaN })).rejects.toThrow(StoreError);
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ a: 1 });
});

test("a failed write is a StoreError with its cause, and leaves nothing beside the file", async () => {
  const file = join(directory, "place");
  await mkdir(file);
  await writeFile(join(file, "occupied"), "");
  const error = await writeFileAtomic(file, "x").catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).cause).toBeInstanceOf(Error);
  expect(await readdir(directory)).toEqual(["place"]);
});

test.skipIf(process.platform === "win32" || process.getuid?.() === 0)(
  "a directory without write permission is a StoreError that says so (not as root, who may write anywhere)",
  async () => {
    await chmod(directory, 0o500);
    await expect(writeFileAtomic(join(directory, "x"), "x")).rejects.toThrow(/no permission/);
    await chmod(directory, 0o700);
  },
);

const told = (code: string): string => fileError("writing", "f", Object.assign(new Error("raw"), { code })).message;

test("errors of the file system are told in words a person can act on", () => {
  expect(told("ENOSPC")).toBe(
    "disk full while writing f; free space and run the same command again: nothing finished is lost",
  );
  expect(told("EACCES")).toMatch(/^no permission for writing f/);
  expect(told("EROFS")).toMatch(/read-only/);
  expect(told("EIO")).toBe("writing f failed: raw");
});
