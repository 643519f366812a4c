/** Programs that somebody else's run recorded, graded by our own tests and kept as trajectories. */
import { z } from "zod";
import { importSchema, type ImportConfiguration } from "../config/recorded-schema.ts";
import { resolveInput } from "../config/resolve.ts";
import { comparableConfiguration } from "../config/schema.ts";
import { ConfigError } from "../errors.ts";
import { createTaskGrader } from "../grading/task-grader.ts";
import type { ProgressReporter } from "../progress.ts";
import { silentProgress } from "../progress.ts";
import { collect, countSolved } from "../rollout/collect.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import {
  gradeRecordedTrajectory,
  readRecordedTrajectory,
  type RecordedTrajectory,
} from "../rollout/recorded-trajectory.ts";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { readInputLines } from "../store/input-lines.ts";
import { openRunDirectory } from "../store/run-directory.ts";
import { createFindTaskId } from "../tasks/sample-ids.ts";
import { openSuite } from "../tasks/suites.ts";
import type { TaskSet, Task } from "../tasks/task.ts";
import type { RolloutSummary } from "../training/summaries.ts";
import { summarizeRollouts } from "../training/summaries.ts";
import { hashFile } from "./models.ts";
import {
  describeProgramRules,
  describeTaskSet,
  type ProgramRules,
  versions,
  type TaskSetDescription,
} from "./provenance.ts";
import { announceRun, graderChoice, sharedSignal, withGrader } from "./run-parts.ts";

export interface ImportOptions {
  /** Nested as in the schema; what is left out has its default. */
  readonly configuration: z.input<typeof importSchema>;
  /** Every completion is cut where the first of these strings begins. Default: none is. */
  readonly stop?: readonly string[];
  readonly progress?: ProgressReporter;
  /** Stops cleanly; the same call resumes. */
  readonly signal?: AbortSignal;
}

/** What `report.json` holds. */
export interface ImportReport extends ProgramRules {
  readonly run: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly configuration: ImportConfiguration;
  /** Strings at which completions were cut; absent where none were. */
  readonly stop?: readonly string[];
  readonly tasks: TaskSetDescription;
  /** Programs of all turns. */
  readonly programs: number;
  readonly rollouts: RolloutSummary;
  /** The graded trajectories, one per line. */
  readonly trajectories: string;
}

interface Item {
  readonly task: Task;
  readonly recorded: RecordedTrajectory;
  /** Among the file's trajectories of its task. */
  readonly rolloutIndex: number;
}

const CONCURRENCY = 32;

/** @throws ConfigError for what the user can mend (file, line); InfrastructureError where the run itself failed. */
export async function importTrajectories(options: ImportOptions): Promise<ImportReport> {
  const { progress = silentProgress, stop = [] } = options;
  const stopped = stop.length > 0 ? { stop } : {};
  const signal = sharedSignal(options.signal);
  const configuration = resolveInput(importSchema, options.configuration);
  const { name, data, split, limit, seed } = configuration.suite;
  const suite = openSuite({ name, ...(data !== undefined && { dataDirectory: data }) });
  const taskSet = await suite.load({ split, seed, ...(limit !== undefined && { limit }) });
  const items = await readItems(configuration.file, taskSet);
  const rules = await describeProgramRules();
  const run = await openRunDirectory({
    directory: configuration.out,
    configuration: {
      ...comparableConfiguration(configuration),
      file: await hashFile(configuration.file),
      tasksHash: taskSet.hash,
      ...rules,
      ...stopped,
    },
    versions,
  });
  try {
    announceRun(run, progress);
    const log = await run.openRecords<GradedTrajectory>("trajectories");
    const summary = await run.stage("trajectories", (context) =>
      withGrader(graderChoice(configuration, [taskSet], progress), async (grader) => {
        const started = performance.now();
        const taskGrader = createTaskGrader({ grader, privateTests: taskSet.privateTests });
        const stage = progress.stage("grading", { total: items.length, unit: "trajectories" });
        const { records, failures } = await collect({
          items,
          itemKey: ({ task, rolloutIndex }) => `${task.id} ${rolloutIndex}`,
          recordKey: ({ taskId, rolloutIndex }) => `${taskId} ${rolloutIndex}`,
          work: (item) => gradeRecordedTrajectory({ ...item, stop }, taskGrader, signal),
          log,
          concurrency: CONCURRENCY,
          onRecord: countSolved(stage),
          ...(signal && { signal }),
        });
        stage.finish();
        context.spend("grading", (performance.now() - started) / 1000);
        return summarizeRollouts(records, failures);
      }),
    );
    const report: ImportReport = {
      run: run.directory,
      versions,
      configuration,
      ...stopped,
      tasks: describeTaskSet(taskSet),
      ...rules,
      programs: items.reduce((sum, { recorded }) => sum + recorded.completions.length, 0),
      rollouts: summary,
      trajectories: run.path("trajectories.jsonl"),
    };
    await writeJsonAtomic(run.path("report.json"), report);
    return report;
  } finally {
    await run.close();
  }
}

async function readItems(file: string, { tasks, suite, split }: TaskSet): Promise<Item[]> {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const find = createFindTaskId([...byId.keys()]);
  const counts = new Map<string, number>();
  const items: Item[] = [];
  for await (const { lineNumber, text } of readInputLines(file)) {
    if (text.trim() === "") continue;
    const where = `${file} line ${lineNumber}`;
    const recorded = parseLine(text, where);
    const task = byId.get(find(recorded.taskId) ?? "");
    if (task === undefined) {
      throw new ConfigError(
        `${where}: no task ${recorded.taskId} in ${suite}, split ${split}; its ids look like ${tasks[0]?.id}`,
        {
          file,
          lineNumber,
        },
      );
    }
    const rolloutIndex = counts.get(task.id) ?? 0;
    counts.set(task.id, rolloutIndex + 1);
    items.push({ task, recorded, rolloutIndex });
  }
  if (items.length === 0) throw new ConfigError(`${file} holds no recorded program`, { file });
  return items;
}

function parseLine(text: string, where: string): RecordedTrajectory {
  try {
    return readRecordedTrajectory(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : "not JSON";
    throw new ConfigError(`${where}: ${reason}`, { where }, { cause });
  }
}
