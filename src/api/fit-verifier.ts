/** A verifier from programs that are there already: fitted on some of their tasks, examined on the others. */
import { allSettled } from "../concurrency.ts";
import type { z } from "zod";
import { fitVerifierSchema, type FitVerifierConfiguration } from "../config/recorded-schema.ts";
import { resolveInput } from "../config/resolve.ts";
import { comparableConfiguration } from "../config/schema.ts";
import { loadEmbeddedModel } from "../engine/embedded/embedded-model.ts";
import { ConfigError } from "../errors.ts";
import {
  compareRankings,
  examineRanking,
  type ExaminedProgram,
  type RankingExamination,
} from "../evaluation/examine-verifier.ts";
import type { Estimate } from "../evaluation/statistics.ts";
import type { ProgressReporter } from "../progress.ts";
import { silentProgress } from "../progress.ts";
import { createRandom, shuffled } from "../random.ts";
import { distinctAttempts, groupByTask, type GradedTrajectory } from "../rollout/graded-trajectory.ts";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { readJsonl } from "../store/jsonl.ts";
import { openRunDirectory } from "../store/run-directory.ts";
import { openSuite } from "../tasks/suites.ts";
import type { Task } from "../tasks/task.ts";
import { trainEmbeddedVerifier } from "../training/embedded-trainer.ts";
import type { Checkpoint, TrainingSummary, VerifierData } from "../training/trainer.ts";
import { verifierLabels, verifierPairs } from "../training/verifier-data.ts";
import { createEngineVerifier } from "../verifier/engine-verifier.ts";
import { readVerifierSettings } from "../verifier/verifier-files.ts";
import { hashFile, hashWeights, resolveCheckpoint } from "./models.ts";
import { describeTaskSet, versions, type TaskSetDescription } from "./provenance.ts";
import { announceRun } from "./run-parts.ts";

export interface FitVerifierOptions {
  /** Nested as in the schema; what is left out has its default. */
  readonly configuration: z.input<typeof fitVerifierSchema>;
  readonly progress?: ProgressReporter;
  /** Stops cleanly; the same call resumes. */
  readonly signal?: AbortSignal;
}

/** Scores of one set of tasks, before and after the fit. */
export interface FitExamination {
  /** By the base model's own likelihood. */
  readonly base: RankingExamination;
  readonly fitted: RankingExamination;
  /** Ranking accuracy, fitted − base, paired per task. */
  readonly gain: Estimate | null;
  /** Programs left out because prompt and program do not fit the model's context. */
  readonly tooLong: number;
}

/** What `report.json` holds. */
export interface FitVerifierReport {
  readonly run: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly configuration: FitVerifierConfiguration;
  readonly tasks: TaskSetDescription;
  readonly fit: TrainingSummary;
  /** On the tasks that it was fitted to: shows over-fitting beside `heldOut`. */
  readonly seen: FitExamination;
  readonly heldOut: FitExamination;
  /** The verifier's checkpoint. */
  readonly verifier: string;
}

/** @throws ConfigError for what the user can mend; InfrastructureError where the run itself failed. */
export async function fitVerifierOnTrajectories(options: FitVerifierOptions): Promise<FitVerifierReport> {
  const { progress = silentProgress, signal } = options;
  const configuration = resolveInput(fitVerifierSchema, options.configuration);
  const base = await resolveCheckpoint(configuration.baseModel);
  const { name, data, split, limit, seed } = configuration.suite;
  const suite = openSuite({ name, ...(data !== undefined && { dataDirectory: data }) });
  const taskSet = await suite.load({ split, seed, ...(limit !== undefined && { limit }) });
  const experience = await readTrajectories(configuration.trajectories);
  const tasks = tasksOf(experience, taskSet.tasks, configuration.trajectories);
  const run = await openRunDirectory({
    directory: configuration.out,
    configuration: {
      ...comparableConfiguration(configuration),
      trajectories: await hashFile(configuration.trajectories),
      tasksHash: taskSet.hash,
      baseHash: await hashWeights(base),
    },
    versions,
  });
  try {
    announceRun(run, progress);
    const { heldOut, seen } = divide(tasks, configuration);
    const to: Checkpoint = { directory: run.path("verifier") };
    const fit = await run.stage("verifier", async (context) => {
      const started = performance.now();
      const request = {
        tasks: seen,
        experience,
        pairsPerTask: configuration.verifier.pairsPerTask,
        seed: configuration.seed,
      };
      const training: VerifierData =
        configuration.verifier.loss === "bradley-terry"
          ? { loss: "bradley-terry", pairs: verifierPairs(request) }
          : { loss: "bce", labels: verifierLabels(request) };
      const stage = progress.stage("verifier", { unit: "steps" });
      const summary = await trainEmbeddedVerifier(
        training,
        {
          from: base,
          to,
          seed: configuration.seed,
          onStep: ({ loss }) => stage.advance(1, { note: `loss ${loss.toFixed(3)}` }),
          ...(signal && { signal }),
        },
        configuration,
      );
      stage.finish();
      context.spend("verifier training", (performance.now() - started) / 1000, { tokens: summary.tokens });
      return summary;
    });
    const examine = (part: readonly Task[]): Promise<FitExamination> =>
      examineFit({ tasks: part, experience, base, fitted: to, configuration }, signal);
    const report: FitVerifierReport = {
      run: run.directory,
      versions,
      configuration,
      tasks: describeTaskSet(taskSet),
      fit,
      seen: await run.stage("examination-seen", () => examine(seen)),
      heldOut: await run.stage("examination-held-out", () => examine(heldOut)),
      verifier: to.directory,
    };
    await writeJsonAtomic(run.path("report.json"), report);
    return report;
  } finally {
    await run.close();
  }
}

async function readTrajectories(file: string): Promise<GradedTrajectory[]> {
  const trajectories = await readJsonl<GradedTrajectory>(file, {
    parse(record) {
      const { taskId, turns, outcomes } = (record ?? {}) as Partial<GradedTrajectory>;
      const graded = typeof taskId === "string" && Array.isArray(turns) && Array.isArray(outcomes);
      if (!graded) throw new TypeError("expected a graded trajectory: taskId, turns, outcomes");
      return record as GradedTrajectory;
    },
  });
  if (trajectories.length > 0) return trajectories;
  throw new ConfigError(`${file} holds no trajectory; \`mucode import\` writes such files`, { file });
}

/** The tasks of the set that were tried, in its order. @throws ConfigError for a trajectory of another set. */
function tasksOf(experience: readonly GradedTrajectory[], tasks: readonly Task[], file: string): Task[] {
  const known = new Set(tasks.map(({ id }) => id));
  const foreign = experience.find(({ taskId }) => !known.has(taskId));
  if (foreign !== undefined) {
    throw new ConfigError(
      `${file}: task ${foreign.taskId} is not among the ${tasks.length} tasks of this suite and split; choose theirs with --suite and --split`,
      { file, taskId: foreign.taskId },
    );
  }
  const tried = groupByTask(experience);
  return tasks.filter(({ id }) => tried.has(id));
}

/** Whole tasks are kept apart, so that nothing examined was fitted to. */
function divide(
  tasks: readonly Task[],
  { heldOutShare, seed }: FitVerifierConfiguration,
): { heldOut: Task[]; seen: Task[] } {
  const order = shuffled(createRandom(seed, "held-out-tasks"), tasks);
  const count = Math.round(heldOutShare * tasks.length);
  if (count === 0 || count === tasks.length) {
    throw new ConfigError(`--held-out-share ${heldOutShare} of ${tasks.length} tasks leaves one side empty`, {
      heldOutShare,
    });
  }
  return { heldOut: order.slice(0, count), seen: order.slice(count) };
}

interface ExaminationRequest {
  readonly tasks: readonly Task[];
  readonly experience: readonly GradedTrajectory[];
  readonly base: Checkpoint;
  readonly fitted: Checkpoint;
  readonly configuration: FitVerifierConfiguration;
}

async function examineFit(request: ExaminationRequest, signal?: AbortSignal): Promise<FitExamination> {
  const { seed } = request.configuration;
  const base = await scorePrograms(request, request.base, signal);
  const fitted = await scorePrograms(request, request.fitted, signal);
  return {
    base: examineRanking(base.programs, { seed }),
    fitted: examineRanking(fitted.programs, { seed }),
    gain: compareRankings(base.programs, fitted.programs, { seed }),
    tooLong: fitted.tooLong,
  };
}

/** Every distinct program of each task under one model; `programs[taskIndex]`. */
async function scorePrograms(
  { tasks, experience, fitted, configuration }: ExaminationRequest,
  checkpoint: Checkpoint,
  signal?: AbortSignal,
): Promise<{ programs: ExaminedProgram[][]; tooLong: number }> {
  const byTask = groupByTask(experience);
  // The base model is read the way the fitted one is, so that only the weights differ.
  const settings = await readVerifierSettings(fitted.directory);
  const model = await loadEmbeddedModel({
    directory: checkpoint.directory,
    threads: configuration.threads,
    ...(settings.form === "head" && { output: "score" }),
  });
  const verifier = createEngineVerifier(model, settings);
  try {
    const scored = await allSettled(
      tasks.map((task) =>
        allSettled(
          distinctAttempts(byTask.get(task.id) ?? []).map(async ({ program, outcome, verdict }) => ({
            outcome,
            passesPublicTests: verdict === "passed",
            score: await verifier.score({ task, program }, signal),
          })),
        ),
      ),
    );
    const programs = scored.map((task) => task.filter(({ score }) => Number.isFinite(score)));
    return { programs, tooLong: scored.flat().length - programs.flat().length };
  } finally {
    await verifier.close();
  }
}
