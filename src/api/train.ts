/** The main job: from tasks with tests and a base model to a better generator, a verifier, and the table of what each part added. */
import type { z } from "zod";
import { resolveInput } from "../config/resolve.ts";
import { comparableConfiguration, trainSchema, type TrainConfiguration } from "../config/schema.ts";
import type { Comparison } from "../evaluation/comparison.ts";
import type { ProgressReporter } from "../progress.ts";
import { silentProgress } from "../progress.ts";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { openRunDirectory } from "../store/run-directory.ts";
import type { StageTotals } from "../store/stages.ts";
import { openSuite } from "../tasks/suites.ts";
import type { TaskSet } from "../tasks/task.ts";
import { openBase } from "./base-model.ts";
import { openTrainer, type OpenedTrainer } from "./open-trainer.ts";
import { planRun, storedStages } from "./plan-run.ts";
import { announceDisk, announceRun, graderChoice, openTrainSuite, sharedSignal, withGrader } from "./run-parts.ts";
import {
  describeProgramRules,
  describeTaskSet,
  type ProgramRules,
  versions,
  type TaskSetDescription,
} from "./provenance.ts";
import { trackStages } from "./track-stages.ts";
import { furtherSuites, trainAndCompare, type IterationsByMethod } from "./train-and-compare.ts";

export interface TrainOptions {
  /** Nested as in the schema; what is left out has its default. */
  readonly configuration?: z.input<typeof trainSchema>;
  readonly progress?: ProgressReporter;
  /** Stops cleanly; the same call resumes. */
  readonly signal?: AbortSignal;
}

/** What `report.json` holds. */
export interface TrainReport extends ProgramRules {
  readonly run: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly configuration: TrainConfiguration;
  readonly tasks: { readonly train: TaskSetDescription; readonly test: TaskSetDescription };
  /** By method; `iterations.mucode[0]` is the first iteration. */
  readonly iterations: IterationsByMethod;
  readonly comparison: Comparison;
  /** On the suites of `evaluation.suites`, in their order. */
  readonly further: readonly { readonly tasks: TaskSetDescription; readonly comparison: Comparison }[];
  readonly time: StageTotals;
}

/**
 * Trains, evaluates on held-out tasks, and writes the report into the run's directory. An interrupted run is resumed
 * by the same call.
 * @throws ConfigError for what the user can mend; InfrastructureError where the run itself failed.
 */
export async function train(options: TrainOptions): Promise<TrainReport> {
  const { progress = silentProgress } = options;
  const signal = sharedSignal(options.signal);
  const configuration = resolveInput(trainSchema, options.configuration ?? {});
  const { checkpoint: base, identity } = await openBase(configuration, { progress, ...(signal && { signal }) });
  const { suite: suiteOptions } = configuration;
  const suite = openTrainSuite(suiteOptions);
  const { seed } = suiteOptions;
  const trainSet = await suite.load({ split: "train", limit: suiteOptions.trainTasks, seed });
  const testSet = await suite.load({ split: "test", limit: suiteOptions.testTasks, seed });
  const furtherSets: TaskSet[] = [];
  for (const name of furtherSuites(configuration)) {
    furtherSets.push(await openSuite({ name }).load({ split: "test", limit: suiteOptions.testTasks, seed }));
  }

  const rules = await describeProgramRules();
  const run = await openRunDirectory({
    directory: configuration.out,
    configuration: {
      ...comparableConfiguration(configuration),
      trainHash: trainSet.hash,
      testHash: testSet.hash,
      ...(furtherSets.length > 0 && { furtherHashes: furtherSets.map(({ hash }) => hash) }),
      baseHash: identity,
      ...rules,
    },
    versions,
  });
  let trainer: OpenedTrainer | undefined;
  try {
    announceRun(run, progress);
    for (const note of new Set([trainSet, testSet, ...furtherSets].flatMap(({ notes = [] }) => notes)))
      progress.log(note);
    trainer = await openTrainer({
      configuration,
      directory: run.directory,
      log: (line) => progress.log(line),
      ...(signal && { signal }),
    });
    const plan = await planRun(options.configuration ?? {});
    const disk = plan.needs.disk.reduce((sum, { bytes }) => sum + bytes, 0);
    announceDisk(disk, "--dry-run says for what", progress);
    const stages = storedStages(plan);
    const store = await trackStages(run, {
      stages: stages.map(({ name }) => name),
      finished: stages.filter(({ finished }) => finished).map(({ name }) => name),
      progress,
    });
    const testSets = [testSet, ...furtherSets];
    const parts = { configuration, trainer, store, progress, base, trainSet, testSets, ...(signal && { signal }) };
    return await withGrader(graderChoice(configuration, [trainSet, ...testSets], progress), async (grader) => {
      const { iterations, comparisons } = await trainAndCompare(grader, parts);
      const [comparison, ...further] = comparisons as [Comparison, ...Comparison[]];
      const report: TrainReport = {
        run: run.directory,
        versions,
        configuration,
        tasks: { train: describeTaskSet(trainSet), test: describeTaskSet(testSet) },
        ...rules,
        iterations,
        comparison,
        further: further.map((one, index) => ({ tasks: describeTaskSet(furtherSets[index]!), comparison: one })),
        time: await run.totals(),
      };
      await writeJsonAtomic(run.path("report.json"), report);
      return report;
    });
  } finally {
    await trainer?.close();
    await run.close();
  }
}
