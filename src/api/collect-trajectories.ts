/** Graded rollouts of one model, a checkpoint or a served one: the trajectories that training and verifiers learn from. */
import type { z } from "zod";
import { collectSchema, type CollectConfiguration } from "../config/collect-schema.ts";
import { resolveInput } from "../config/resolve.ts";
import { comparableConfiguration } from "../config/schema.ts";
import { createTaskGrader } from "../grading/task-grader.ts";
import type { Usage } from "../openai/server.ts";
import type { ProgressReporter } from "../progress.ts";
import { silentProgress } from "../progress.ts";
import { collectRollouts } from "../rollout/collect-rollouts.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import type { RolloutSettings } from "../rollout/rollout.ts";
import { Clocks } from "../rollout/timed.ts";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { openRunDirectory, type RunDirectory } from "../store/run-directory.ts";
import { describePromptTemplate, type Fingerprint } from "../tasks/fingerprint.ts";
import { openSuite } from "../tasks/suites.ts";
import type { TaskSet } from "../tasks/task.ts";
import { summarizeRollouts, type RolloutSummary } from "../training/summaries.ts";
import { openModelSource, type ModelDescription, type ModelSource } from "./model-source.ts";
import {
  describeProgramRules,
  describeTaskSet,
  type ProgramRules,
  versions,
  type TaskSetDescription,
} from "./provenance.ts";
import { announceRun, graderChoice, sharedSignal, withGrader } from "./run-parts.ts";
import { readUsage, recordUsage, totalUsage, USAGE_LOG, withUsageNoted, type UsageRecord } from "./usage-log.ts";

export interface CollectOptions {
  /** Nested as in the schema; what is left out has its default. */
  readonly configuration?: z.input<typeof collectSchema>;
  readonly progress?: ProgressReporter;
  /** Stops cleanly; the same call resumes. */
  readonly signal?: AbortSignal;
}

/** What `report.json` holds. */
export interface CollectReport extends ProgramRules {
  readonly run: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly configuration: CollectConfiguration;
  readonly tasks: TaskSetDescription;
  readonly generator: ModelDescription;
  readonly prompt: Fingerprint;
  readonly rollouts: RolloutSummary;
  /** Of the server, over all attempts at this run; `null` for a checkpoint. */
  readonly usage: Usage | null;
  /** The graded trajectories, one per line. */
  readonly trajectories: string;
}

/** @throws ConfigError for what the user can mend; InfrastructureError where the run itself failed. */
export async function collectTrajectories(options: CollectOptions): Promise<CollectReport> {
  const { progress = silentProgress } = options;
  const signal = sharedSignal(options.signal);
  const configuration = resolveInput(collectSchema, options.configuration ?? {});
  const { name, data, split, limit, seed } = configuration.suite;
  const suite = openSuite({ name, ...(data !== undefined && { dataDirectory: data }) });
  const taskSet = await suite.load({ split, limit, seed });
  const source = await openModelSource({
    choice: configuration,
    spent: totalUsage(await readUsage(configuration.out)),
    log: (line) => progress.log(line),
  });
  try {
    const settings: RolloutSettings = {
      ...configuration.rollout,
      maxTokens: configuration.rollout.maxTokens ?? source.maxTokens,
      showPublicTests: configuration.suite.showPublicTests,
      template: source.template,
    };
    const prompt = await describePromptTemplate(source.template);
    const rules = await describeProgramRules();
    const { checkpoint: _checkpoint, server: _server, prompt: _prompt, ...rest } = configuration;
    const run = await openRunDirectory({
      directory: configuration.out,
      // Where the server is and what it may cost decides nothing.
      configuration: {
        ...comparableConfiguration(rest),
        rollout: settings,
        generator: source.identity,
        prompt,
        ...rules,
        tasksHash: taskSet.hash,
      },
      versions,
    });
    try {
      announceRun(run, progress);
      const rollouts = await rollOutAll(run, { configuration, settings, source, taskSet, progress }, signal);
      const report: CollectReport = {
        run: run.directory,
        versions,
        configuration: {
          ...configuration,
          server: { ...configuration.server, baseUrl: source.server?.description.baseUrl },
        },
        tasks: describeTaskSet(taskSet),
        generator: source.describe(),
        prompt,
        ...rules,
        rollouts,
        usage: source.server && totalUsage(await readUsage(run.directory)),
        trajectories: run.path("trajectories.jsonl"),
      };
      await writeJsonAtomic(run.path("report.json"), report);
      return report;
    } finally {
      await run.close();
    }
  } finally {
    await source.close();
  }
}

interface Subject {
  readonly configuration: CollectConfiguration;
  readonly settings: RolloutSettings;
  readonly source: ModelSource;
  readonly taskSet: TaskSet;
  readonly progress: ProgressReporter;
}

async function rollOutAll(
  run: RunDirectory,
  { configuration, settings, source, taskSet, progress }: Subject,
  signal?: AbortSignal,
): Promise<RolloutSummary> {
  const { rolloutsPerTask } = configuration.rollout;
  const usageLog = source.server && (await run.openRecords<UsageRecord>(USAGE_LOG));
  const usage = usageLog && recordUsage(usageLog, () => source.usage());
  const log = await run.openRecords<GradedTrajectory>("trajectories");
  try {
    return await run.stage("trajectories", (context) =>
      withGrader(graderChoice(configuration, [taskSet], progress), async (grader) => {
        const clocks = new Clocks();
        const total = taskSet.tasks.length * rolloutsPerTask;
        const stage = progress.stage("rollouts", { total, unit: "rollouts" });
        const generator = clocks.generator(withUsageNoted(await source.openGenerator(), () => usage?.note()));
        try {
          const request = { tasks: taskSet.tasks, rolloutsPerTask, settings, seed: configuration.seed };
          const { privateTests } = taskSet;
          const { records, failures } = await collectRollouts(request, {
            generator,
            grader: clocks.grader(createTaskGrader({ grader, privateTests })),
            log,
            stage,
            ...(source.concurrency !== null && { concurrency: source.concurrency }),
            ...(signal && { signal }),
          });
          stage.finish();
          return summarizeRollouts(records, failures);
        } finally {
          clocks.charge(context);
          await generator.close();
        }
      }),
    );
  } finally {
    usage?.finish();
    await usageLog?.close();
    await log.close();
  }
}
