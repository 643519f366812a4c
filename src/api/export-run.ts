/** The data of a training run for people who train elsewhere: files that `datasets.load_dataset` opens, and a card. */
import { allSettled } from "../concurrency.ts";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { exportSchema, type ExportConfiguration, type ExportFormat } from "../config/export-schema.ts";
import { resolveInput } from "../config/resolve.ts";
import { trainSchema, type TrainConfiguration } from "../config/schema.ts";
import { ConfigError } from "../errors.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import { distinctAttempts, groupByTask } from "../rollout/graded-trajectory.ts";
import { conversationAfter } from "../rollout/trajectory.ts";
import { writeFileAtomic } from "../store/atomic-write.ts";
import { readJsonl } from "../store/jsonl.ts";
import { encodeParquet } from "../store/parquet.ts";
import type { TaskSet } from "../tasks/task.ts";
import { labelledCompletion } from "../training/data-sets.ts";
import { renderCard } from "./export-card.ts";
import { openTrainSuite } from "./run-parts.ts";

export interface ExportOptions {
  /** Nested as in the schema; what is left out has its default. */
  readonly configuration: z.input<typeof exportSchema>;
}

export interface ExportReport {
  readonly format: ExportFormat;
  readonly records: number;
  readonly iteration: number;
  /** The file with the data; the card is `README.md` beside it. */
  readonly file: string;
}

/** What was run, as far as an export needs it. */
interface ExportedRun {
  readonly directory: string;
  readonly configuration: TrainConfiguration;
  readonly trainSet: TaskSet;
  readonly baseHash: string;
}

/** @throws ConfigError when there is no such run or data, or the directory holds files; StoreError. */
export async function exportRun(options: ExportOptions): Promise<ExportReport> {
  const configuration = resolveInput(exportSchema, options.configuration);
  const run = await openRun(configuration.run);
  const iteration = configuration.iteration ?? (await lastIteration(run, configuration));
  const records = await readRecords(run, configuration, iteration);
  if (records.length === 0) {
    throw new ConfigError(
      `iteration ${iteration} of ${configuration.run} holds no data of the format ${configuration.format}`,
      {
        ...configuration,
        iteration,
      },
    );
  }
  await mkdir(configuration.out, { recursive: true });
  if ((await readdir(configuration.out)).length > 0) {
    throw new ConfigError(`${configuration.out} holds files already; choose another --out`, { out: configuration.out });
  }
  const file = join(configuration.out, `train.${configuration.as}`);
  const data = configuration.as === "jsonl" ? Buffer.from(toJsonl(records)) : encodeParquet(records);
  const card = renderCard({
    configuration,
    iteration,
    records,
    fileHash: createHash("sha256").update(data).digest("hex"),
    baseHash: run.baseHash,
    training: run.configuration,
    trainSet: run.trainSet,
  });
  await writeFileAtomic(join(configuration.out, "README.md"), card);
  await writeFileAtomic(file, data);
  return { format: configuration.format, records: records.length, iteration, file };
}

async function openRun(directory: string): Promise<ExportedRun> {
  let stored: { configuration: Record<string, unknown> };
  try {
    stored = JSON.parse(await readFile(join(directory, "run.json"), "utf8")) as typeof stored;
  } catch (cause) {
    throw new ConfigError(`${directory} is not a run: it has no readable run.json`, { directory }, { cause });
  }
  const { trainHash, testHash: _test, furtherHashes: _further, baseHash, ...rest } = stored.configuration;
  // Rules of how programs are found and run are no settings.
  const { extraction: _extraction, execution: _execution, ...keys } = rest;
  const parsed = trainSchema.safeParse(keys);
  if (!parsed.success || typeof trainHash !== "string") {
    throw new ConfigError(`${directory} is not a run of \`mucode train\``, { directory });
  }
  const { suite } = parsed.data;
  const trainSet = await openTrainSuite(suite).load({ split: "train", limit: suite.trainTasks, seed: suite.seed });
  if (trainSet.hash !== trainHash) {
    throw new ConfigError(
      `the tasks of suite ${suite.name} are not those that ${directory} was trained on (sha256 ${trainSet.hash.slice(0, 12)} now, ${trainHash.slice(0, 12)} then)`,
      { directory },
    );
  }
  return { directory, configuration: parsed.data, trainSet, baseHash: String(baseHash) };
}

async function lastIteration({ directory }: ExportedRun, { method, run }: ExportConfiguration): Promise<number> {
  const entries = await readdir(join(directory, method)).catch((): string[] => []);
  const numbers = entries.flatMap((name) => /^iteration-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  if (numbers.length === 0) throw new ConfigError(`${run} holds no iteration of ${method}`, { run, method });
  return Math.max(...numbers);
}

async function readRecords(
  run: ExportedRun,
  { method, format }: ExportConfiguration,
  iteration: number,
): Promise<Record<string, unknown>[]> {
  const place = join(run.directory, method, `iteration-${iteration}`);
  switch (format) {
    case "sft":
      return readJsonl(join(place, "generator-data.jsonl"));
    case "preference": {
      const { experience } = run.configuration.verifier;
      const fittedIn = experience === "base" ? join(run.directory, method, "iteration-1") : place;
      const records = await readJsonl<Record<string, unknown>>(join(fittedIn, "verifier-data.jsonl"));
      return records.filter((record) => "chosen" in record);
    }
    case "scored":
      return labelled(await experienceOf(run, method, iteration), run);
    case "trajectories":
      return conversations(await experienceOf(run, method, iteration), run);
  }
}

/** D: the rollouts that iterations 1 to `iteration` learned from. */
async function experienceOf(
  { directory }: ExportedRun,
  method: string,
  iteration: number,
): Promise<(GradedTrajectory & { readonly generator: string })[]> {
  const origins = ["base", ...Array.from({ length: iteration - 1 }, (_, i) => join(method, `iteration-${i + 1}`))];
  const parts = await allSettled(
    origins.map(async (generator) => {
      const trajectories = await readJsonl<GradedTrajectory>(join(directory, generator, "trajectories.jsonl"));
      return trajectories.map((trajectory) => ({ ...trajectory, generator }));
    }),
  );
  return parts.flat();
}

function labelled(experience: readonly GradedTrajectory[], { trainSet, configuration }: ExportedRun) {
  const byTask = groupByTask(experience);
  const { showPublicTests } = configuration.verifier;
  return trainSet.tasks.flatMap((task) =>
    distinctAttempts(byTask.get(task.id) ?? []).map(({ program, outcome, verdict }) => ({
      ...labelledCompletion({ task, program, outcome }, { showPublicTests }),
      public_verdict: verdict,
    })),
  );
}

/** One line per conversation, in the form that reinforcement learning frameworks keep theirs in: see `docs/export.md`. */
function conversations(
  experience: readonly (GradedTrajectory & { readonly generator: string })[],
  { trainSet, configuration }: ExportedRun,
) {
  const tasks = new Map(trainSet.tasks.map((task) => [task.id, task]));
  const promptOptions = { showPublicTests: configuration.suite.showPublicTests, template: configuration.prompt };
  return experience.flatMap((trajectory) => {
    const task = tasks.get(trajectory.taskId);
    if (task === undefined) return [];
    const last = trajectory.turns.at(-1)!;
    const [prompt, ...rest] = conversationAfter(task, trajectory.turns.slice(0, -1), promptOptions);
    return [
      {
        prompt: [prompt!],
        completion: [...rest, { role: "assistant", content: last.completion }].map(({ role, content }) => ({
          role,
          content,
        })),
        reward: Number(trajectory.outcomes.at(-1)),
        task: task.id,
        generator: trajectory.generator,
        rollout_index: trajectory.rolloutIndex,
        stop_reason: trajectory.stopReason,
        turn_rewards: trajectory.outcomes.map(Number),
        turn_verdicts: trajectory.turns.map(({ verdict }) => verdict),
      },
    ];
  });
}

function toJsonl(records: readonly unknown[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}
