/** The suite `jsonl`: one's own tasks, from a file in the form of `schemas/task.schema.json` or a shorter one. */
import { z } from "zod";
import { ConfigError, SuiteError } from "../errors.ts";
import { deriveSeed } from "../random.ts";
import { readTaskLines } from "./task-file.ts";
import { fromTaskRecord, readTaskRecord, type TaskRecord } from "./task-record.ts";
import { checkLoadOptions, createTaskSet } from "./task-set.ts";
import type { LoadOptions, Suite, TaskSet } from "./task.ts";

/** How tasks without a split are divided into `train` and `test`. */
export interface HeldOut {
  /** Of the tasks, above 0 and below 1; at least one task is held out and at least one is not. */
  readonly share: number;
  /** Which of them: a task's side follows from the seed and the ids. */
  readonly seed: number;
}

export interface OwnTasksOptions {
  /** A JSONL file, plain or gzipped, or a JSON array. */
  readonly file: string;
  /** Default: tasks without a split are one set. */
  readonly heldOut?: HeldOut;
}

const NAME = "jsonl";
const VERSION = "1";
const DEFAULT_SPLIT = "test";

const ownTask = z.unknown().transform((value, context): TaskRecord => {
  const read = readTaskRecord(value, { extraKeys: "refuse" });
  if ("record" in read) return read.record;
  for (const { key, message } of read.problems) context.addIssue({ code: "custom", path: key.split("."), message });
  return z.NEVER;
});

/**
 * The splits are those that the file names. A file that names none is one set, under whatever name it is loaded, unless
 * some of its tasks are to be held out. @throws SuiteError naming file and line.
 */
export function openOwnTasks({ file, heldOut }: OwnTasksOptions): Suite {
  const records = readTaskLines(NAME, file, { schema: ownTask, idOf: ({ id }) => id });
  if (records.some(({ split }) => split !== undefined)) return openNamedSplits(records, file);
  return heldOut === undefined ? openWhole(records) : openDivided(records, file, heldOut);
}

function openNamedSplits(records: readonly TaskRecord[], file: string): Suite {
  const splits = [...new Set(records.map(splitOf))];
  return {
    name: NAME,
    version: VERSION,
    splits,
    async load(request) {
      const { split } = request;
      if (!splits.includes(split)) throw missingSplit(split, records, file);
      return load(
        records.filter((record) => splitOf(record) === split),
        request,
      );
    },
  };
}

function openWhole(records: readonly TaskRecord[]): Suite {
  return { name: NAME, version: VERSION, splits: [DEFAULT_SPLIT], load: (request) => load(records, request) };
}

function openDivided(records: readonly TaskRecord[], file: string, { share, seed }: HeldOut): Suite {
  if (records.length < 2) {
    throw new ConfigError(
      `${file} holds one task, which cannot be trained on and held out: add tasks to it, the more the better`,
      { file },
    );
  }
  const count = Math.min(records.length - 1, Math.max(1, Math.round(share * records.length)));
  const order = records.map(({ id }) => ({ id, place: deriveSeed(seed, "held-out-tasks", id) }));
  order.sort((a, b) => a.place - b.place || (a.id < b.id ? -1 : 1));
  const held = new Set(order.slice(0, count).map(({ id }) => id));
  const splits = ["train", "test"];
  const note =
    `your tasks have no split: ${records.length - count} are trained on and ${count} held out ` +
    '(--suite.held-out-share, or "split" in the file)';
  return {
    name: NAME,
    version: VERSION,
    splits,
    async load(request) {
      checkLoadOptions({ name: NAME, splits }, request);
      const chosen = records.filter(({ id }) => held.has(id) === (request.split === "test"));
      return load(chosen, request, request.split === "train" ? [note] : []);
    },
  };
}

async function load(records: readonly TaskRecord[], request: LoadOptions, notes: string[] = []): Promise<TaskSet> {
  const { split, limit } = request;
  checkLoadOptions({ name: NAME, splits: [split] }, request);
  const tasks = records.slice(0, limit).map(fromTaskRecord);
  const alone = tasks.filter(
    ({ task, privateTests }) => JSON.stringify(task.publicTests) === JSON.stringify(privateTests),
  ).length;
  const shared = alone === 0 ? [] : [`${alone} of ${tasks.length} tasks have no private tests: the public ones decide`];
  return createTaskSet({ suite: NAME, version: VERSION, split, tasks, notes: [...notes, ...shared] });
}

function missingSplit(split: string, records: readonly TaskRecord[], file: string): SuiteError {
  const counts = new Map<string, number>();
  for (const record of records) counts.set(splitOf(record), (counts.get(splitOf(record)) ?? 0) + 1);
  const there = [...counts].map(([name, count]) => `${count} of "${name}"`).join(", ");
  return new SuiteError(
    `suite ${NAME}: no task of ${file} has the split "${split}" (there are ${there}). Give some of them ` +
      `"split": "${split}", or leave "split" out everywhere: then train holds some out by itself`,
    { suite: NAME, split, file },
  );
}

function splitOf({ split = DEFAULT_SPLIT }: TaskRecord): string {
  return split;
}
