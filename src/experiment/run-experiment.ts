/** Trains and evaluates every arm for every seed, and gathers what the report needs. */
import type { Grader } from "../grading/grade.ts";
import { createTaskGrader } from "../grading/task-grader.ts";
import type { ProgressReporter } from "../progress.ts";
import { prefixedStore } from "../store/prefixed-store.ts";
import type { RunStore } from "../store/run-store.ts";
import type { TaskSet } from "../tasks/task.ts";
import type { IterationSettings } from "../training/expert-iteration.ts";
import type { StageRequest } from "../training/stages.ts";
import { readRollouts } from "../training/stages.ts";
import type { Checkpoint, Trainer } from "../training/trainer.ts";
import { evaluateArm } from "./evaluate-arm.ts";
import { examineTraining } from "./examine-training.ts";
import {
  evaluationCost,
  examinedHeldOut,
  examinedTraining,
  firstCandidatesOf,
  learningCurvesOf,
  outcomesOf,
  recoverabilityOf,
} from "./gather.ts";
import { assertHeldOut } from "./held-out.ts";
import type { SearchPlan } from "./paper-mini.ts";
import { ARMS, isMainArm, ITERATIONS, protocolsOf, TRAINED_ARMS } from "./paper-mini.ts";
import type { ArmName, ExperimentResults, StageCost } from "./results.ts";
import type { SolveTaskRequest, TaskRecord } from "./solve-task.ts";
import { generatorOf, trainArms } from "./train-arms.ts";
import { trainingCosts } from "./training-costs.ts";

export interface ExperimentRequest {
  readonly base: Checkpoint;
  /** Each with the training tasks that it drew. */
  readonly seeds: readonly { readonly seed: number; readonly training: TaskSet }[];
  readonly heldOut: TaskSet;
  /** Of every arm but for its differences. */
  readonly settings: Omit<
    IterationSettings,
    "iterations" | "expertRule" | "verifierLoss" | "verifierExperience" | "seed"
  >;
  readonly plan: SearchPlan;
  /** Of the candidates of every search. */
  readonly sampling: SolveTaskRequest["sampling"];
}

export interface ExperimentParts {
  readonly trainer: Trainer;
  readonly grader: Grader;
  readonly store: RunStore;
  readonly progress: ProgressReporter;
  readonly signal?: AbortSignal;
}

type Rows = {
  -readonly [K in Exclude<keyof ExperimentResults, "seeds" | "heldOut">]: ExperimentResults[K][number][];
};
type StageFacts = Omit<StageCost, "seconds" | "shared">;

/** The stage that every seed's base arm shares: greedy conversations depend on no seed. */
const BASE_GREEDY = "base-greedy";

/** @throws InfrastructureError where a held-out task is among the training tasks. */
export async function runExperiment(request: ExperimentRequest, parts: ExperimentParts): Promise<ExperimentResults> {
  const { seeds, heldOut } = request;
  for (const { training } of seeds) await assertHeldOut(training.tasks, heldOut.tasks);
  const rows: Rows = {
    outcomes: [],
    examined: [],
    firstCandidates: [],
    learningCurves: [],
    costs: [],
    recoverability: [],
  };
  const costs: StageFacts[] = [];
  // A part of a seed: an arm's training, an arm's evaluation, and what is fitted or examined for comparison alone.
  const partsPerSeed = TRAINED_ARMS.length + ARMS.length + 2;
  const overall = parts.progress.stage("experiment", { total: 1 + seeds.length * partsPerSeed, unit: "parts" });
  const baseGreedy = await evaluateBaseGreedy(request, parts);
  overall.advance();
  for (const { seed, training } of seeds) {
    const before = prefixedProgress(parts.progress, `seed ${seed}`);
    let started = false;
    const begin = (what: string): void => {
      if (started) overall.advance();
      started = true;
      overall.advance(0, { note: `seed ${seed}: ${what}` });
    };
    await runSeed({ ...request, seed, training, baseGreedy }, { ...parts, progress: before }, { rows, costs, begin });
    overall.advance();
  }
  overall.finish();
  const { stages } = await parts.store.totals();
  const users = new Map<string, number>();
  for (const { stage } of costs) users.set(stage, (users.get(stage) ?? 0) + 1);
  return {
    seeds: seeds.map(({ seed }) => seed),
    heldOut: heldOut.tasks.map(({ id }) => id),
    ...rows,
    costs: costs.map(({ arm, seed, stage, kind, tokens, programs }) => ({
      arm,
      seed,
      stage,
      kind,
      shared: users.get(stage)! > 1,
      seconds: stages[stage] ?? 0,
      tokens,
      programs,
    })),
  };
}

interface SeedRequest extends ExperimentRequest {
  readonly seed: number;
  readonly training: TaskSet;
  readonly baseGreedy: readonly (TaskRecord | null)[];
}

interface Sink {
  readonly rows: Rows;
  readonly costs: StageFacts[];
  /** Called before each part. */
  readonly begin: (what: string) => void;
}

async function runSeed(request: SeedRequest, parts: ExperimentParts, { rows, costs, begin }: Sink): Promise<void> {
  const { seed, training, heldOut, base, plan, sampling } = request;
  const prefix = `seed-${seed}`;
  const store = prefixedStore(parts.store, prefix);
  const grader = createTaskGrader({ grader: parts.grader, privateTests: training.privateTests });
  const settings: IterationSettings = {
    ...request.settings,
    iterations: ITERATIONS,
    expertRule: "outcome-then-verifier",
    verifierLoss: "bradley-terry",
    verifierExperience: "all",
    seed,
  };
  const stages: StageRequest = { tasks: training.tasks, base, settings };
  const stageParts = { ...parts, grader, store };
  const trained = await trainArms(stages, stageParts, (arm) =>
    begin(arm === null ? "training a verifier by cross-entropy" : `training ${arm}`),
  );
  for (const { name } of TRAINED_ARMS) {
    rows.learningCurves.push(...learningCurvesOf({ arm: name, seed }, trained.iterations[name]));
  }
  for (const cost of await trainingCosts(trained, stages, store)) {
    costs.push({ ...cost, seed, stage: `${prefix}/${cost.stage}` });
  }
  // What generators of the first iteration write on their training tasks.
  const rollouts = {
    base: await readRollouts("base", stages, store),
    rft: await readRollouts("rft/iteration-1", stages, store),
    mucode: await readRollouts("mucode/iteration-1", stages, store),
  };
  for (const [arm, trajectories] of Object.entries(rollouts)) {
    rows.recoverability.push(...recoverabilityOf({ arm: arm as ArmName, seed }, trajectories));
  }

  begin("examining the verifiers on training tasks");
  const { base: fromBase, mucode } = rollouts;
  const examined = await examineTraining(
    { tasks: training.tasks, rollouts: { base: fromBase, mucode }, verifiers: trained.verifiers },
    stageParts,
  );
  rows.examined.push(...examinedTraining(seed, examined));

  const heldOutGrader = createTaskGrader({ grader: parts.grader, privateTests: heldOut.privateTests });
  for (const arm of ARMS) {
    begin(`evaluating ${arm}`);
    const origin = { arm, seed };
    const all = protocolsOf(arm, plan);
    const greedy = all.filter(({ rule }) => rule === "greedy");
    const protocols = arm === "base" ? all.filter(({ rule }) => rule !== "greedy") : all;
    const { verifiers } = trained;
    const records = await evaluateArm(
      {
        name: `evaluation/${arm}`,
        generator: generatorOf(arm, base, trained),
        verifiers: isMainArm(arm) ? verifiers : { "bradley-terry": verifiers["bradley-terry"] },
        tasks: heldOut.tasks,
        protocols,
        plan,
        sampling,
        seed,
        examine: isMainArm(arm),
      },
      { ...stageParts, grader: heldOutGrader },
    );
    if (arm === "base") {
      rows.outcomes.push(...outcomesOf(origin, greedy, request.baseGreedy));
      costs.push({ ...origin, ...evaluationCost(BASE_GREEDY, request.baseGreedy) });
    }
    rows.outcomes.push(...outcomesOf(origin, protocols, records));
    costs.push({ ...origin, ...evaluationCost(`${prefix}/evaluation/${arm}`, records) });
    if (isMainArm(arm)) {
      rows.firstCandidates.push(firstCandidatesOf(origin, records));
      rows.examined.push(...examinedHeldOut(origin, records));
    }
  }
}

function evaluateBaseGreedy(
  { base, heldOut, plan, sampling }: ExperimentRequest,
  parts: ExperimentParts,
): Promise<(TaskRecord | null)[]> {
  return evaluateArm(
    {
      name: BASE_GREEDY,
      generator: base,
      verifiers: {},
      tasks: heldOut.tasks,
      protocols: protocolsOf("base", plan).filter(({ rule }) => rule === "greedy"),
      plan,
      sampling,
      // Greedy conversations draw nothing.
      seed: 0,
      examine: false,
    },
    { ...parts, grader: createTaskGrader({ grader: parts.grader, privateTests: heldOut.privateTests }) },
  );
}

function prefixedProgress(progress: ProgressReporter, prefix: string): ProgressReporter {
  return {
    stage: (name, options) => progress.stage(`${prefix}: ${name}`, options),
    log: (line) => progress.log(`${prefix}: ${line}`),
  };
}
