/** The paper's experiments in miniature: every variant of the method, several seeds, one report. */
import { availableParallelism, cpus } from "node:os";
import type { z } from "zod";
import { EXPERIMENT_SIZES, experimentSchema, type ExperimentConfiguration } from "../config/experiment-schema.ts";
import { listKeys, showValue } from "../config/keys.ts";
import { flattenValues, resolveInput } from "../config/resolve.ts";
import { comparableConfiguration } from "../config/schema.ts";
import { renderToml } from "../config/toml.ts";
import { ConfigError } from "../errors.ts";
import type { ExperimentInfo, ExperimentSummary } from "../experiment/report/index.ts";
import { renderExperimentHtml, summarizeExperiment } from "../experiment/report/index.ts";
import type { ExperimentResults } from "../experiment/results.ts";
import { withoutHeldOut } from "../experiment/held-out.ts";
import { runExperiment } from "../experiment/run-experiment.ts";
import type { ProgressReporter } from "../progress.ts";
import { silentProgress } from "../progress.ts";
import { writeFileAtomic, writeJsonAtomic } from "../store/atomic-write.ts";
import { openRunDirectory } from "../store/run-directory.ts";
import { openSuite } from "../tasks/suites.ts";
import type { TaskSet } from "../tasks/task.ts";
import { createEmbeddedTrainer } from "../training/embedded-trainer.ts";
import { checkpointsPerSeed } from "../experiment/train-arms.ts";
import { hashWeights, resolveCheckpoint } from "./models.ts";
import { describeProgramRules, type ProgramRules, versions } from "./provenance.ts";
import { countParameters } from "./plan-size.ts";
import { announceDisk, announceRun, graderChoice, sharedSignal, withGrader } from "./run-parts.ts";

export interface ExperimentOptions {
  /** Nested as in the schema; what is left out has its default. */
  readonly configuration?: z.input<typeof experimentSchema>;
  readonly progress?: ProgressReporter;
  /** Stops cleanly; the same call resumes. */
  readonly signal?: AbortSignal;
}

export interface ExperimentReport {
  /** The run's directory: `results.json`, `report.json`, `report.html`, every stage. */
  readonly run: string;
  readonly results: ExperimentResults;
  readonly summary: ExperimentSummary;
}

/**
 * Runs the experiment, or goes on with it, and writes its report.
 * @throws ConfigError for what the user can mend; InfrastructureError where the run itself failed.
 */
export async function runPaperMini(options: ExperimentOptions = {}): Promise<ExperimentReport> {
  const { progress = silentProgress } = options;
  const signal = sharedSignal(options.signal);
  const configuration = sized(resolveInput(experimentSchema, options.configuration ?? {}));
  const base = await resolveCheckpoint(configuration.baseModel);
  const baseHash = await hashWeights(base);
  const suite = openSuite({ name: "mubpp" });
  const { trainTasks, testTasks } = configuration.suite;
  const heldOut = await suite.load({ split: configuration.evaluationSplit, limit: testTasks, seed: 0 });
  const seeds: { seed: number; training: TaskSet }[] = [];
  for (let seed = 1; seed <= configuration.seeds; seed++) {
    const drawn = await suite.load({ split: "train", limit: trainTasks, seed });
    const training = await withoutHeldOut(drawn, heldOut);
    const leftOut = drawn.tasks.length - training.tasks.length;
    if (leftOut > 0) progress.log(`seed ${seed}: ${leftOut} training tasks are held-out ones and left out`);
    seeds.push({ seed, training });
  }

  const rules = await describeProgramRules();
  const run = await openRunDirectory({
    directory: configuration.out,
    configuration: {
      experiment: "paper-mini",
      // Seeds are stages of their own: with more of them a run goes on, with fewer it reports on those.
      ...comparableConfiguration({ ...configuration, seeds: undefined }),
      trainHash: seeds[0]?.training.hash,
      heldOutHash: heldOut.hash,
      baseHash,
      ...rules,
    },
    versions,
  });
  try {
    announceRun(run, progress);
    const checkpoints = configuration.seeds * checkpointsPerSeed();
    const checkpointBytes = 4 * ((await countParameters(base.directory)) ?? 0);
    announceDisk(checkpoints * checkpointBytes, `${checkpoints} checkpoints; records come on top`, progress);
    const { generator, rollout, relabel, verifier, evaluation } = configuration;
    const trainer = createEmbeddedTrainer({ threads: configuration.threads, generator, verifier });
    const results = await withGrader(graderChoice(configuration, [heldOut], progress), (grader) =>
      runExperiment(
        {
          base,
          seeds,
          heldOut,
          settings: {
            rolloutsPerTask: rollout.rolloutsPerTask,
            rollout: { ...rollout, showPublicTests: false },
            expertScope: relabel.scope,
            programsPerTask: relabel.programsPerTask,
            trajectoriesPerTask: relabel.trajectoriesPerTask,
            verifierPrompt: { showPublicTests: verifier.showPublicTests },
            pairsPerTask: verifier.pairsPerTask,
            startFrom: generator.startFrom,
          },
          plan: evaluation,
          sampling: { temperature: evaluation.temperature, maxTokens: evaluation.maxTokens },
        },
        { trainer, grader, store: run, progress, ...(signal && { signal }) },
      ),
    );
    // Without indentation: it is large, and for programs alone.
    await writeFileAtomic(run.path("results.json"), `${JSON.stringify(results)}\n`);
    const summary = summarizeExperiment(results, describe(configuration, { seeds, heldOut, baseHash, rules }));
    await writeJsonAtomic(run.path("report.json"), summary);
    await writeFileAtomic(run.path("report.html"), renderExperimentHtml(summary));
    return { run: run.directory, results, summary };
  } finally {
    await run.close();
  }
}

type SizedConfiguration = ExperimentConfiguration & {
  readonly seeds: number;
  readonly suite: { readonly trainTasks: number; readonly testTasks: number };
};

/** @throws ConfigError where what is examined would not hold what is usual. */
function sized(configuration: ExperimentConfiguration): SizedConfiguration {
  const size = EXPERIMENT_SIZES[configuration.quick ? "quick" : "full"];
  const { seeds = size.seeds, suite, evaluation } = configuration;
  for (const [more, less] of [
    ["longTurns", "turns"],
    ["mostCandidates", "candidates"],
  ] as const) {
    if (evaluation[more] >= evaluation[less]) continue;
    const found = `evaluation.${more} is ${evaluation[more]} and evaluation.${less} ${evaluation[less]}`;
    throw new ConfigError(`${found}: give evaluation.${more} a value of at least ${evaluation[less]}`, { key: more });
  }
  const { trainTasks = size.trainTasks, testTasks = size.testTasks } = suite;
  return { ...configuration, seeds, suite: { trainTasks, testTasks } };
}

interface Inputs {
  readonly seeds: readonly { readonly seed: number; readonly training: TaskSet }[];
  readonly heldOut: TaskSet;
  readonly baseHash: string;
  readonly rules: ProgramRules;
}

function describe(configuration: SizedConfiguration, { seeds, heldOut, baseHash, rules }: Inputs): ExperimentInfo {
  const { evaluation, suite } = configuration;
  const processor = cpus()[0]?.model.trim() ?? "unknown processor";
  const provenance: [string, string][] = [
    ...Object.entries(versions),
    ["base model", `${configuration.baseModel} (sha256 ${baseHash})`],
    [
      "held-out tasks",
      `${heldOut.suite} ${heldOut.version}, ${heldOut.split}: ${taskCount(heldOut)} (sha256 ${heldOut.hash})`,
    ],
    ...seeds.map(({ seed, training }): [string, string] => [
      `training tasks, seed ${seed}`,
      `${training.suite} ${training.version}, ${training.split}: ${taskCount(training)} (sha256 ${training.hash})`,
    ]),
    ...Object.entries(rules).map(([rule, { name, version, sha256 }]): [string, string] => [
      `${rule} rule`,
      `${name} ${version} (sha256 ${sha256})`,
    ]),
    ["machine", `${processor}, ${availableParallelism()} cores, ${process.platform} ${process.arch}`],
  ];
  return {
    name: "paper-mini",
    command: commandOf(configuration),
    finishedAt: new Date().toISOString(),
    trainingTasks: suite.trainTasks,
    search: { candidates: evaluation.candidates, turns: evaluation.turns, showPublicTests: false },
    scoreForm: configuration.verifier.form,
    provenance: provenance.map(([label, value]) => ({ label, value })),
    configuration: renderToml(experimentSchema, configuration),
  };
}

function taskCount({ tasks }: TaskSet): string {
  return `${tasks.length} tasks`;
}

/** With a flag for every setting that is not the default; where the run lies and how fast it is make no difference. */
function commandOf(configuration: SizedConfiguration): string {
  const size = EXPERIMENT_SIZES[configuration.quick ? "quick" : "full"];
  const defaults: Record<string, unknown> = flattenValues({ seeds: size.seeds, suite: size });
  const values = flattenValues(comparableConfiguration(configuration));
  const flags = listKeys(experimentSchema).flatMap(({ key, flag, defaultValue }) => {
    const value = values[key];
    return value === undefined || value === (defaultValue ?? defaults[key]) ? [] : [`${flag}=${showValue(value)}`];
  });
  return ["npx mucode experiment paper-mini", ...flags].join(" ");
}
