import { readFile } from "node:fs/promises";
import { errorCode, fileError } from "./file-errors.ts";

/** The text of a file, `undefined` where there is none. @throws StoreError when it is there and cannot be read. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw fileError("reading", file, error);
  }
}
