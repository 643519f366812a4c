/** The stages that expert iteration is made of: each is done once, remembered by the run, and resumed where it was cut off. */
import type { OutcomeGrader } from "../grading/grade.ts";
import type { ProgressReporter } from "../progress.ts";
import { deriveSeed } from "../random.ts";
import { describeFailures, type Failure } from "../rollout/collect.ts";
import { collectRollouts, inOrder } from "../rollout/collect-rollouts.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import type { RolloutSettings } from "../rollout/rollout.ts";
import { Clocks } from "../rollout/timed.ts";
import type { RunStore } from "../store/run-store.ts";
import type { PromptOptions } from "../tasks/prompt.ts";
import type { Task } from "../tasks/task.ts";
import { promptCompletion, verifierExamples } from "./data-sets.ts";
import type { ExpertRule } from "./expert.ts";
import { findExperts } from "./expert.ts";
import type { GeneratorExample } from "./relabel.ts";
import { relabel, withoutDuplicates } from "./relabel.ts";
import type { RolloutSummary } from "./summaries.ts";
import { summarizeRollouts } from "./summaries.ts";
import type { Checkpoint, Trainer, TrainingRequest, TrainingSummary, VerifierData } from "./trainer.ts";
import { verifierLabels, verifierPairs } from "./verifier-data.ts";

export interface IterationSettings {
  /** M */
  readonly iterations: number;
  readonly rolloutsPerTask: number;
  readonly rollout: RolloutSettings;
  readonly expertRule: ExpertRule;
  /** Where the expert's programs come from: all of D, or the last iteration's rollouts. */
  readonly expertScope: "all" | "last";
  /** K: each relabelled state is paired with as many of its task's best programs. */
  readonly programsPerTask: number;
  readonly trajectoriesPerTask: number;
  readonly verifierLoss: VerifierData["loss"];
  /** What the verifier reads of a task; only the record of its data needs it here. */
  readonly verifierPrompt: PromptOptions;
  readonly pairsPerTask: number;
  /** What verifiers learn from: all of D, or the base model's rollouts alone; then one verifier serves all iterations. */
  readonly verifierExperience: "all" | "base";
  /** What each iteration's generator is fitted from: the base model (the method), or the generator before. */
  readonly startFrom: "base" | "previous";
  readonly seed: number;
}

/** What every stage is about. */
export interface StageRequest {
  readonly tasks: readonly Task[];
  readonly base: Checkpoint;
  readonly settings: IterationSettings;
}

export interface StageParts {
  readonly trainer: Trainer;
  readonly grader: OutcomeGrader;
  readonly store: RunStore;
  readonly progress: ProgressReporter;
  readonly signal?: AbortSignal;
}

export interface GeneratorFitSummary extends TrainingSummary {
  /** Examples that stand for a relabelled state. */
  readonly expertLabels: number;
  /** Examples labelled with a successful trajectory's own final program. */
  readonly ownLabels: number;
  /** Tasks without an expert, as the verifier did not score their programs or its server refused to. */
  readonly failures: readonly Failure[];
}

export interface GeneratorExamples {
  readonly examples: GeneratorExample[];
  readonly failures: readonly Failure[];
}

export interface GeneratorFit {
  readonly from: Checkpoint;
  readonly to: Checkpoint;
  /** Exactly so many optimizer steps instead of the trainer's number of epochs. */
  readonly steps?: number;
}

/** Rolls a checkpoint out on every task. `origin` names the generator: its rollouts are at `ORIGIN/trajectories`. */
export async function rollOutTasks(
  origin: string,
  checkpoint: Checkpoint,
  { tasks, settings }: StageRequest,
  { trainer, grader, store, progress, signal }: StageParts,
): Promise<{ trajectories: readonly GradedTrajectory[]; summary: RolloutSummary }> {
  const name = `${origin}/trajectories`;
  const request = {
    tasks,
    rolloutsPerTask: settings.rolloutsPerTask,
    settings: settings.rollout,
    seed: deriveSeed(settings.seed, origin),
  };
  const log = await store.openRecords<GradedTrajectory>(name);
  try {
    const summary = await store.stage(name, async (context) => {
      const clocks = new Clocks();
      const total = tasks.length * settings.rolloutsPerTask;
      const stage = progress.stage(`rollouts of ${origin}`, { total, unit: "rollouts" });
      const generator = clocks.generator(await trainer.openGenerator(checkpoint));
      try {
        const parts = { generator, grader: clocks.grader(grader), log, stage, ...(signal && { signal }) };
        const { records, failures } = await collectRollouts(request, parts);
        stage.finish();
        if (failures.length > 0) progress.log(`rollouts of ${origin}: ${describeFailures(failures)}`);
        return summarizeRollouts(records, failures);
      } finally {
        clocks.charge(context);
        await generator.close();
      }
    });
    return { trajectories: inOrder(request, log.records), summary };
  } finally {
    await log.close();
  }
}

/** Fits a verifier from the base model on the graded programs of `experience`; its stage is `PLACE/verifier`. */
export async function trainVerifier(
  place: string,
  experience: readonly GradedTrajectory[],
  to: Checkpoint,
  { tasks, base, settings }: StageRequest,
  { trainer, store, progress, signal }: StageParts,
): Promise<TrainingSummary> {
  return store.stage(`${place}/verifier`, async (context) => {
    const started = performance.now();
    const request = { tasks, experience, pairsPerTask: settings.pairsPerTask, seed: settings.seed };
    const data: VerifierData =
      settings.verifierLoss === "bradley-terry"
        ? { loss: "bradley-terry", pairs: verifierPairs(request) }
        : { loss: "bce", labels: verifierLabels(request) };
    await keep(store, `${place}/verifier-data`, verifierExamples(data, settings.verifierPrompt));
    if ((data.loss === "bradley-terry" ? data.pairs : data.labels).length === 0) {
      progress.log(`${place}: no task has both a right and a wrong program, so the verifier stays the base model`);
    }
    const fit = trainingProgress(progress, `verifier of ${place}`);
    const seed = deriveSeed(settings.seed, place, "verifier");
    const summary = await trainer.trainVerifier(data, { from: base, to, seed, ...(signal && { signal }), ...fit });
    fit.finish();
    context.spend("verifier training", (performance.now() - started) / 1000, { tokens: summary.tokens });
    return summary;
  });
}

/** The examples of every state of `collected`, one list of trajectories per iteration (steps 4 and 5). */
export async function relabelWithExpert(
  collected: readonly (readonly GradedTrajectory[])[],
  checkpoint: Checkpoint,
  { tasks, settings }: StageRequest,
  { trainer, progress, signal }: StageParts,
): Promise<GeneratorExamples> {
  const stage = progress.stage(`relabelling for iteration ${collected.length}`, { total: tasks.length, unit: "tasks" });
  const verifier = settings.expertRule === "outcome" ? undefined : await trainer.openVerifier(checkpoint);
  try {
    const experience = settings.expertScope === "all" ? collected.flat() : collected.at(-1)!;
    const { expertRule: rule, programsPerTask } = settings;
    const failures: Failure[] = [];
    const onFailure = (failure: Failure): unknown => failures.push(failure);
    const experts = await findExperts(
      {
        tasks,
        experience,
        rule,
        programsPerTask,
        onFailure,
        onTask: () => stage.advance(),
        ...(verifier && { verifier }),
      },
      signal,
    );
    const examples = collected.flatMap((trajectories) =>
      relabel({
        tasks,
        trajectories,
        experts,
        trajectoriesPerTask: settings.trajectoriesPerTask,
        prompt: settings.rollout,
      }),
    );
    const distinct = withoutDuplicates(examples);
    stage.finish(`${distinct.length} examples`);
    return { examples: distinct, failures };
  } finally {
    await verifier?.close();
  }
}

/** Fits a generator to the examples; its stage is `PLACE/generator`. */
export async function trainGenerator(
  place: string,
  makeExamples: () => Promise<GeneratorExamples>,
  { from, to, steps }: GeneratorFit,
  { settings }: StageRequest,
  { trainer, store, progress, signal }: StageParts,
): Promise<GeneratorFitSummary> {
  return store.stage(`${place}/generator`, async (context) => {
    const { examples, failures } = await makeExamples();
    if (failures.length > 0) progress.log(`tasks without an expert, ${place}: ${describeFailures(failures)}`);
    await keep(store, `${place}/generator-data`, examples.map(promptCompletion));
    if (examples.length === 0) {
      progress.log(`${place}: no program was right, so there is nothing to imitate and the generator stays as it is`);
    }
    const started = performance.now();
    const fit = trainingProgress(progress, `generator of ${place}`);
    const seed = deriveSeed(settings.seed, place, "generator");
    const summary = await trainer.trainGenerator(examples, {
      from,
      to,
      seed,
      ...(steps !== undefined && { steps }),
      ...(signal && { signal }),
      ...fit,
    });
    fit.finish();
    context.spend("generator training", (performance.now() - started) / 1000, { tokens: summary.tokens });
    return {
      ...summary,
      expertLabels: examples.filter(({ label }) => label === "expert").length,
      ownLabels: examples.filter(({ label }) => label === "own").length,
      failures,
    };
  });
}

/** The trajectories of a finished stage of rollouts, in the order of the tasks. */
export async function readRollouts(
  origin: string,
  { tasks, settings }: Pick<StageRequest, "tasks" | "settings">,
  store: RunStore,
): Promise<GradedTrajectory[]> {
  const log = await store.openRecords<GradedTrajectory>(`${origin}/trajectories`);
  await log.close();
  return inOrder({ tasks, rolloutsPerTask: settings.rolloutsPerTask }, log.records);
}

/** Writes down what a stage learns from. It is made anew, equal and in the same order, where an earlier attempt was cut off. */
async function keep(store: RunStore, name: string, records: readonly unknown[]): Promise<void> {
  const log = await store.openRecords<unknown>(name);
  try {
    for (const record of records.slice(log.records.length)) log.append(record);
  } finally {
    await log.close();
  }
}

/** A progress stage that begins with the stage's work; the number of steps is told by the trainer when it has cut batches. */
function trainingProgress(
  progress: ProgressReporter,
  name: string,
): Required<Pick<TrainingRequest, "onStep" | "onPart">> & { finish: () => void } {
  const stage = progress.stage(name, { unit: "steps" });
  let part = 0;
  return {
    onPart: ({ total, share }) => {
      stage.advance(share - part, { total });
      part = share;
    },
    onStep: ({ total, loss }) => {
      stage.advance(1 - part, { total, note: `loss ${loss.toFixed(3)}` });
      part = 0;
    },
    finish: () => stage.finish(),
  };
}
