/** One task as JSON: what `mucode tasks show SUITE --json` prints, a line of it. */
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { definedKeys, taskRecordSchema, testSchema } from "./task-record.ts";
import type { Task, Test } from "./task.ts";

const { id, language } = taskRecordSchema.shape;

/** Keys that a later version adds are let through unread. */
const taskSchema = z.object({
  ...taskRecordSchema.omit({ goldProblem: true, wrongProgram: true, split: true }).shape,
  id: id.default("task"),
  language: language.default("python"),
  privateTests: z.array(testSchema).default([]),
});

export interface JsonTask {
  readonly task: Task;
  /** Empty where the JSON has none. */
  readonly privateTests: readonly Test[];
}

/** @throws ConfigError naming the file, the key and what was expected there. */
export function parseJsonTask(text: string, name: string): JsonTask {
  const json = parseJson(text, name);
  const parsed = taskSchema.safeParse(json);
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => `${name}: ${path.join(".") || "task"}: ${message}`);
    throw new ConfigError(lines.join("\n"), { file: name });
  }
  const { privateTests: tests, ...task } = parsed.data;
  return { task: definedKeys(task), privateTests: tests };
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
