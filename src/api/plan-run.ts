/**
 * `mucode train --dry-run`: every stage in order, with the files it would write and the commands it would run. It is the
 * run itself that is asked: the same loop goes over no tasks, with a store and a trainer that write down what is wanted
 * of them and do nothing.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { resolveInput } from "../config/resolve.ts";
import { trainSchema, type TrainConfiguration } from "../config/schema.ts";
import { ConfigError } from "../errors.ts";
import type { Grader } from "../grading/grade.ts";
import { silentProgress } from "../progress.ts";
import type { RunStore } from "../store/run-store.ts";
import type { StageContext } from "../store/stages.ts";
import { checkRunPlace } from "../store/run-directory.ts";
import { suiteFacts, type SuiteName } from "../tasks/suite-catalog.ts";
import { checkSuiteName, openSuite } from "../tasks/suites.ts";
import type { Suite, TaskSet } from "../tasks/task.ts";
import type { Checkpoint, Trainer } from "../training/trainer.ts";
import { planBase } from "./base-model.ts";
import { planTrainer } from "./open-trainer.ts";
import type { PlannedAction, PlannedStage, PlannedTasks } from "./plan-actions.ts";
import { estimateNeeds, type RunNeeds } from "./plan-needs.ts";
import { openTrainSuite } from "./run-parts.ts";
import { furtherSuites, trainAndCompare } from "./train-and-compare.ts";

/** Names of what a run's own store does not hold as stages. */
const OUTSIDE_STORE = new Set(["base model", "start", "report"]);

/** Stages of the run itself. */
export function storedStages({ stages }: RunPlan): PlannedStage[] {
  return stages.filter(({ name }) => !OUTSIDE_STORE.has(name));
}

export interface RunPlan {
  readonly run: string;
  readonly configuration: TrainConfiguration;
  readonly tasks: readonly PlannedTasks[];
  readonly stages: readonly PlannedStage[];
  readonly needs: RunNeeds;
}

/** Writes nothing, starts nothing, asks no network. @throws ConfigError as the run itself would. */
export async function planRun(input: z.input<typeof trainSchema>): Promise<RunPlan> {
  const configuration = resolveInput(trainSchema, input);
  const base = await planBase(configuration);
  await checkRunPlace(configuration.out);
  const tasks = await plannedTasks(configuration);
  const recorder = createRecorder();
  if (base.download !== undefined) {
    const { name, revision } = base.download;
    recorder.begin("base model", false);
    recorder.note({ kind: "download", what: `${name} at ${revision}`, to: base.checkpoint.directory });
    recorder.end();
  }
  recorder.begin("start", existsSync(join(configuration.out, "run.json")));
  recorder.note({ kind: "write", file: join(configuration.out, "run.json") });
  recorder.end();
  await trainAndCompare(noGrader, {
    configuration,
    trainer: recordingTrainer(configuration, recorder),
    store: recordingStore(configuration.out, recorder),
    progress: silentProgress,
    base: base.checkpoint,
    trainSet: noTasks(configuration.suite.name, "train"),
    testSets: [configuration.suite.name, ...furtherSuites(configuration)].map((name) => noTasks(name, "test")),
  });
  // Written anew each time.
  recorder.begin("report", false);
  recorder.note({ kind: "write", file: join(configuration.out, "report.json") });
  recorder.end();
  const needs = await estimateNeeds({
    configuration,
    base,
    tasks,
    stages: recorder.stages.filter(({ finished }) => !finished),
  });
  return { run: configuration.out, configuration, tasks, stages: recorder.stages, needs };
}

interface Recorder {
  readonly stages: readonly PlannedStage[];
  begin(name: string, finished: boolean): void;
  end(): void;
  /** Outside a stage: of the stage that begins next. */
  note(action: PlannedAction): void;
}

function createRecorder(): Recorder {
  const stages: PlannedStage[] = [];
  let open: { name: string; finished: boolean; actions: PlannedAction[] } | undefined;
  let waiting: PlannedAction[] = [];
  return {
    stages,
    begin(name, finished) {
      open = { name, finished, actions: waiting };
      waiting = [];
    },
    end() {
      // Methods share stages: the second finds it done.
      if (open !== undefined && !stages.some(({ name }) => name === open?.name)) stages.push(open);
      open = undefined;
    },
    note: (action) => void (open?.actions ?? waiting).push(action),
  };
}

function recordingStore(run: string, recorder: Recorder): RunStore {
  const path = (...parts: readonly string[]): string => join(run, ...parts);
  return {
    path,
    async openRecords<R>(name: string) {
      recorder.note({ kind: "write", file: path(`${name}.jsonl`) });
      return { records: [] as readonly R[], append: () => {}, arrange: async () => {}, close: async () => {} };
    },
    async stage<S>(name: string, work: (context: StageContext) => Promise<S>) {
      const manifest = path(`${name}.done.json`);
      const done = readManifest(manifest);
      recorder.begin(name, done !== undefined);
      const result = done === undefined ? await work({ name, spend: () => {} }) : (done.summary as S);
      recorder.note({ kind: "write", file: manifest });
      recorder.end();
      return result;
    },
    totals: async () => ({ stages: {}, resources: {} }),
  };
}

function readManifest(file: string): { readonly summary?: unknown } | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { readonly summary?: unknown }) : undefined;
}

/** A stage of training has no examples here, so it reports none. */
const NOTHING_FITTED = { steps: 0, examples: 0, tooLong: 0, tokens: 0, firstLoss: null, lastLoss: null } as const;

function recordingTrainer(configuration: TrainConfiguration, recorder: Recorder): Trainer {
  const planned = planTrainer(configuration, configuration.out);
  const noteAll = (actions: readonly PlannedAction[]): void => actions.forEach((action) => recorder.note(action));
  const unused = async (): Promise<never> => {
    throw new TypeError("a plan has no tasks, so nothing is sampled or scored");
  };
  return {
    async trainGenerator(_examples, request) {
      noteAll(planned.trainGenerator(request));
      return NOTHING_FITTED;
    },
    async trainVerifier(_data, request) {
      noteAll(planned.trainVerifier(request));
      return NOTHING_FITTED;
    },
    async openGenerator(checkpoint: Checkpoint) {
      noteAll(planned.openGenerator(checkpoint));
      return { propose: unused, close: async () => noteAll(planned.closeGenerator()) };
    },
    async openVerifier(checkpoint: Checkpoint) {
      noteAll(planned.openVerifier(checkpoint));
      return { score: unused, close: async () => noteAll(planned.closeVerifier()) };
    },
  };
}

const noGrader: Grader = {
  grade: async () => {
    throw new TypeError("a plan has no tasks, so nothing is graded");
  },
  close: async () => {},
};

function noTasks(suite: string, split: string): TaskSet {
  const of = (): never => {
    throw new RangeError("a plan has no tasks");
  };
  return { suite, version: "", split, hash: "", tasks: [], privateTests: { of } };
}

async function plannedTasks({ suite, ...configuration }: TrainConfiguration): Promise<PlannedTasks[]> {
  const own: OpenPlanned = { name: checkSuiteName(suite.name), open: () => openTrainSuite(suite) };
  const further = furtherSuites({ suite, ...configuration }).map((name) => ({ name, open: () => openSuite({ name }) }));
  const planned = [await planSplit(own, "train", suite.trainTasks, suite.seed)];
  for (const one of [own, ...further]) planned.push(await planSplit(one, "test", suite.testTasks, suite.seed));
  return planned;
}

interface OpenPlanned {
  readonly name: SuiteName;
  open(): Suite;
}

/** Reads the files that are here, so that what the run would say of them is said now. */
async function planSplit(
  { name, open }: OpenPlanned,
  split: string,
  limit: number,
  seed: number,
): Promise<PlannedTasks> {
  const size = suiteFacts(name).splits[split];
  const documented = { suite: name, split, count: typeof size === "number" ? Math.min(size, limit) : limit };
  if (name === "mubpp") return documented;
  let loaded: TaskSet;
  try {
    loaded = await open().load({ split, limit, seed });
  } catch (error) {
    // The machine of the run may have what this one has not; a file of one's own should be here.
    if (!(error instanceof ConfigError) || name === "jsonl") throw error;
    return { ...documented, missing: error.message };
  }
  const { tasks, notes = [] } = loaded;
  return { suite: name, split, count: tasks.length, ...(notes.length > 0 && { notes }) };
}
