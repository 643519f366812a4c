/** `mucode tasks`: which suites there are, what is in them, how to get them, and whether their programs check out. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { pullTasks } from "../api/pull-tasks.ts";
import { withGrader, type GraderChoice } from "../api/run-parts.ts";
import { openSuite, SUITE_NAMES } from "../tasks/suites.ts";
import { taskJsonSchema, toTaskRecord } from "../tasks/task-record.ts";
import type { Suite, TaskSet } from "../tasks/task.ts";
import { checkTasks, hasUnexplained, type CheckReport } from "./check-tasks.ts";
import type { CliContext, RegisterCommand } from "./context.ts";
import { describeReport, describeTask, reportLine, describeTaskSet, type SplitReport } from "./describe-tasks.ts";
import { exitCodes } from "./errors.ts";
import { parsePositive, timeLimitOption } from "./flag-values.ts";
import { listSuites, renderSuites } from "./list-suites.ts";
import { createProgress } from "./progress.ts";
import { print } from "./text-output.ts";

interface TaskOptions {
  readonly split?: string;
  readonly limit?: number;
  readonly seed?: number;
  readonly data?: string;
  readonly json?: boolean;
}

/** Tasks shown where no limit is given. */
const SHOWN_TASKS = 5;
/** Tasks checked of a suite without end where no limit is given. */
const CHECKED_TASKS = 500;

export const registerTasksCommand: RegisterCommand = (program, context) => {
  const tasks = program.command("tasks").description("suites of tasks: list, look at, fetch and check them");
  registerList(tasks, context);
  registerShow(tasks, context);
  registerPull(tasks, context);
  registerCheck(tasks, context);
  tasks
    .command("schema")
    .description("print the JSON Schema of your own tasks' lines (suite jsonl)")
    .action(() => void context.stdout.write(`${JSON.stringify(taskJsonSchema(), undefined, 2)}\n`));
};

function registerList(tasks: Command, context: CliContext): void {
  tasks
    .command("list")
    .description("the suites: splits, version, licence, source, and whether their files are here")
    .option("--json", "one JSON object per suite and line")
    .action((options: { readonly json?: boolean }) => {
      const suites = listSuites();
      const lines = suites.map((suite) => `${JSON.stringify(suite)}\n`).join("");
      if (options.json) context.stdout.write(lines);
      else print(context, renderSuites(suites));
    });
}

function registerShow(tasks: Command, context: CliContext): void {
  suiteCommand(tasks, "show")
    .description("print tasks with their tests and gold programs")
    .option("--split <name>", "which tasks (default: test, or the suite's first)")
    .option("--limit <n>", "how many, from the first", parsePositive, SHOWN_TASKS)
    .option("--json", "one JSON object per task and line: what --suite jsonl reads")
    .action(async (name: string, options: TaskOptions) => {
      const suite = open(name, options);
      const split = options.split ?? (suite.splits.includes("test") ? "test" : (suite.splits[0] as string));
      const taskSet = await suite.load({ split, ...pickLoad(options) });
      context.stderr.write(`${describeTaskSet(taskSet)}\n`);
      for (const note of taskSet.notes ?? []) context.stderr.write(`note: ${note}\n`);
      for (const task of taskSet.tasks) {
        const text = options.json
          ? `${JSON.stringify(toTaskRecord(task, taskSet))}\n`
          : describeTask(task, taskSet.privateTests.of(task.id));
        context.stdout.write(text);
      }
    });
}

function registerPull(tasks: Command, context: CliContext): void {
  tasks
    .command("pull")
    .description("fetch a suite's files into the cache (MUCODE_CACHE, else ~/.cache/mucode), verified")
    .argument("<suite>", SUITE_NAMES.join(" | "))
    .option("--endpoint <url>", "the Hugging Face hub or a mirror of it (default: HF_ENDPOINT)")
    .option("--force", "fetch the files although they are there")
    .option("--json", "the manifest as one JSON object")
    .addHelpText("after", "\nA data set that asks for permission is read with the token in HF_TOKEN.")
    .action(async (suite: string, options: { endpoint?: string; force?: boolean; json?: boolean }) => {
      const progress = createProgress({ stream: context.stderr });
      try {
        const { endpoint, force = false } = options;
        context.setResumeHint("The same command goes on with the files that are still missing.");
        const report = await pullTasks({
          suite,
          force,
          progress,
          signal: context.signal,
          ...(endpoint !== undefined && { endpoint }),
        });
        const { directory, manifest, fetched } = report;
        const from = manifest.commit === undefined ? manifest.source : `${manifest.source} at ${manifest.commit}`;
        const done = fetched === 0 ? "already there, verified" : `fetched from ${from}, verified`;
        if (options.json) context.stdout.write(`${JSON.stringify({ directory, ...manifest })}\n`);
        else print(context, `${directory}: ${done}\n`);
      } finally {
        progress.close();
      }
    });
}

interface CheckOptions extends TaskOptions, Pick<GraderChoice, "sandbox" | "workers" | "timeLimit"> {}

function registerCheck(tasks: Command, context: CliContext): void {
  suiteCommand(tasks, "check")
    .description("grade every gold program and every known wrong one; exit code 1 for a result nobody can explain")
    .option("--split <name>", `which tasks (default: every split; of mubpp ${CHECKED_TASKS} of test)`)
    .option("--limit <n>", "how many of each split, from the first", parsePositive)
    .addOption(
      new Option("--sandbox <name>", "where programs run").choices(["auto", "native", "pyodide"]).default("auto"),
    )
    .addOption(timeLimitOption())
    .option("--workers <n>", "programs run at the same time (default: one per core)", parsePositive)
    .option("--json", "one JSON object per split and line")
    .action(async (name: string, options: CheckOptions) => {
      const taskSets = await loadForCheck(open(name, options), options);
      const reports = await checkAll(taskSets, options, context);
      const checked = reports.some(({ report }) => report.gold.total + report.wrong.total > 0);
      if (!checked && !reports.some(({ report }) => hasUnexplained(report)))
        context.stderr.write("mucode: no task has a gold program or a known wrong one: nothing was checked\n");
      if (!checked || reports.some(({ report }) => hasUnexplained(report))) context.setExitCode(exitCodes.failed);
    });
}

async function loadForCheck(suite: Suite, options: CheckOptions): Promise<TaskSet[]> {
  const endless = suite.name === "mubpp";
  const splits = options.split !== undefined ? [options.split] : endless ? ["test"] : suite.splits;
  const limit = options.limit ?? (endless ? CHECKED_TASKS : undefined);
  const taskSets: TaskSet[] = [];
  for (const split of splits) {
    taskSets.push(await suite.load({ split, ...pickLoad(options), ...(limit !== undefined && { limit }) }));
  }
  return taskSets;
}

/** Checks the sets one after the other and prints each as it is done. */
async function checkAll(
  taskSets: readonly TaskSet[],
  { sandbox, workers, timeLimit, json = false }: CheckOptions,
  context: CliContext,
): Promise<SplitReport[]> {
  const progress = createProgress({ stream: context.stderr });
  const languages = [...new Set(taskSets.flatMap(({ tasks }) => tasks.map(({ language }) => language)))];
  const choice: GraderChoice = {
    languages,
    onChoice: (text) => progress.log(text),
    ...(sandbox !== undefined && { sandbox }),
    ...(workers !== undefined && { workers }),
    ...(timeLimit !== undefined && { timeLimit }),
  };
  try {
    return await withGrader(choice, async (grader, concurrency) => {
      const reports: SplitReport[] = [];
      for (const taskSet of taskSets) {
        const stage = progress.stage(`${taskSet.suite}/${taskSet.split}`, {
          total: taskSet.tasks.length,
          unit: "tasks",
        });
        const onChecked = (): void => stage.advance();
        const { signal } = context;
        const report: CheckReport = await checkTasks({
          taskSet,
          grader,
          concurrency: 2 * concurrency,
          signal,
          onChecked,
        });
        stage.finish();
        reports.push({ taskSet, report });
        if (json) context.stdout.write(reportLine({ taskSet, report }));
        else print(context, describeReport({ taskSet, report }));
      }
      return reports;
    });
  } finally {
    progress.close();
  }
}

/** A command about the tasks of one suite. */
function suiteCommand(tasks: Command, name: string): Command {
  return tasks
    .command(name)
    .argument("<suite>", SUITE_NAMES.join(" | "))
    .option("--seed <n>", "which draw of a generated suite", parseSeed)
    .option("--data <path>", "directory of the suite's files, or the file of jsonl (default: what was pulled)");
}

function open(name: string, { data }: TaskOptions): Suite {
  return openSuite({ name, ...(data !== undefined && { dataDirectory: data }) });
}

function pickLoad({ limit, seed }: TaskOptions): { limit?: number; seed?: number } {
  return { ...(limit !== undefined && { limit }), ...(seed !== undefined && { seed }) };
}

function parseSeed(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("Expected a whole number, 0 or more.");
  return value;
}
