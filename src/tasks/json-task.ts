/** One task as JSON: what `mucode tasks show SUITE --json` prints, a line of it. */
import { ConfigError } from "../errors.ts";
import { fromTaskRecord, readTaskRecord } from "./task-record.ts";
import type { Task, Test } from "./task.ts";

export interface JsonTask {
  readonly task: Task;
  /** Empty where the JSON has none. */
  readonly privateTests: readonly Test[];
}

/** @throws ConfigError naming the file, the key and what was expected there. */
export function parseJsonTask(text: string, name: string): JsonTask {
  const json = parseJson(text, name);
  // Keys that a later version adds are let through unread.
  const read = readTaskRecord(json, { defaults: { id: "task" }, extraKeys: "leave unread" });
  if ("problems" in read) {
    const lines = read.problems.map(({ key, message }) => `${name}: ${key}: ${message}`);
    throw new ConfigError(lines.join("\n"), { file: name });
  }
  const { task, privateTests } = fromTaskRecord(read.record);
  const { goldProblem: _problem, wrongProgram: _wrong, ...solved } = task;
  return { task: solved, privateTests: isSame(privateTests, task.publicTests) ? [] : privateTests };
}

/** Where the public tests decide alone. */
function isSame(some: readonly Test[], others: readonly Test[]): boolean {
  return JSON.stringify(some) === JSON.stringify(others);
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const several = lines.length > 1 && lines.every((line) => line.startsWith("{") && line.trimEnd().endsWith("}"));
    const found = several
      ? `${lines.length} JSON objects, one per line: give one task (mucode tasks show … --limit 1 --json)`
      : "text that is not JSON";
    throw new ConfigError(`${name}: expected one task as a JSON object, found ${found}`, { file: name }, { cause });
  }
}
