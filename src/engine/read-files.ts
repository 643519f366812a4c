/** How the files of a checkpoint are read. They come from whoever made it. */
import { readFile, stat } from "node:fs/promises";
import { ConfigError } from "../errors.ts";

export type Json = Readonly<Record<string, unknown>>;

/** @throws {ConfigError} when the file cannot be read or holds no JSON object. */
export async function readJson(file: string): Promise<Json> {
  const text = await readText(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const fields = { file, found: text.slice(0, 80), expected: "JSON" };
    throw new ConfigError(`${file}: not JSON; expected the ${file} of a checkpoint`, fields, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigError(`${file}: expected a JSON object`, { file, found: typeof value, expected: "object" });
  }
  return value as Json;
}

/** @throws {ConfigError} when the file cannot be read, or Git LFS has left a pointer in its place. */
export async function readBytes(file: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read; expected a file of a checkpoint`, { file }, { cause: error });
  }
  refusePointer(bytes, file);
  return bytes;
}

export async function readText(file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(file));
}

/** How many bytes at a file's beginning tell whether it is a pointer. */
export const POINTER_BYTES = 64;

/** @throws {ConfigError} for the few lines that Git LFS leaves in place of a large file until that is fetched. */
export function refusePointer(start: Uint8Array, file: string): void {
  const text = new TextDecoder().decode(start.subarray(0, POINTER_BYTES));
  if (!/^version https?:\/\/(?:git-lfs|hawser)\.github\.com\/spec\//.test(text)) return;
  const message = `${file}: is a Git LFS pointer, not the file itself; run "git lfs pull" where it was cloned (after "git lfs install"), or download it again`;
  throw new ConfigError(message, { file, found: "a Git LFS pointer" });
}

export const encodeJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

export const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
