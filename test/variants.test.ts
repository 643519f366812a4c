/**
 * Every variant of the method is a value of `mucode train`'s configuration. Each is given as flags, read back from the
 * TOML that `mucode config show` prints for them, taken through what a training run is made of, and seen to make a
 * difference.
 */
import { EventEmitter } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { trainAndCompare, type TrainingResult } from "../src/api/train-and-compare.ts";
import { registerConfigCommand } from "../src/cli/config.ts";
import { main } from "../src/cli/main.ts";
import { resolveConfiguration } from "../src/config/resolve.ts";
import { trainSchema, type TrainConfiguration } from "../src/config/schema.ts";
import { parseTomlConfiguration } from "../src/config/toml.ts";
import type { ProposeRequest } from "../src/generator/generator.ts";
import { createScriptedGenerator } from "../src/generator/scripted-generator.ts";
import { silentProgress } from "../src/progress.ts";
import type { GradedTrajectory } from "../src/rollout/graded-trajectory.ts";
import type { RunStore } from "../src/store/run-store.ts";
import type { TaskSet } from "../src/tasks/task.ts";
import { createEmbeddedTrainer } from "../src/training/embedded-trainer.ts";
import type { GeneratorExample } from "../src/training/relabel.ts";
import type { Trainer, TrainingRequest, TrainingSummary, VerifierData } from "../src/training/trainer.ts";
import { createScriptedVerifier } from "../src/verifier/scripted-verifier.ts";
import { readVerifierSettings } from "../src/verifier/verifier-files.ts";
import { memoryStore, privateTests, programGrader, PUBLIC, task } from "./scripted-run.ts";

/** Each run is of one iteration and without the baseline, unless its flags say otherwise. */
const small = ["--iterations=1", "--baseline=false", "--threads=1"];

/** What flags amount to, by way of `mucode config show train` and a configuration file. */
async function configure(flags: readonly string[]): Promise<TrainConfiguration> {
  const stdout = Object.assign(new EventEmitter(), {
    text: "",
    write(text: string) {
      this.text += text;
      return true;
    },
  });
  const stderr = Object.assign(new EventEmitter(), { write: () => true });
  const argv = ["config", "show", "train", ...small, ...flags];
  const code = await main(argv, { stdout, stderr, commands: [registerConfigCommand], signals: new EventEmitter() });
  if (code !== 0) throw new Error(`mucode ${argv.join(" ")} ended with ${code}`);
  return resolveConfiguration(trainSchema, [parseTomlConfiguration(stdout.text, "shown.toml")]);
}

interface Asked {
  readonly checkpoint: string;
  readonly split: "train" | "test";
  readonly request: ProposeRequest;
}

interface Observed {
  readonly result: TrainingResult;
  readonly asked: readonly Asked[];
  readonly generatorFits: readonly { readonly examples: readonly GeneratorExample[]; readonly from: string }[];
  readonly verifierFits: readonly VerifierData[];
  /** Of the run's files. */
  readonly records: (name: string) => readonly unknown[];
}

const tasks: Readonly<Record<Asked["split"], readonly string[]>> = { train: ["a", "b", "c", "d"], test: ["x", "y"] };
const taskSet = (split: Asked["split"], count: number): TaskSet => ({
  suite: "handmade",
  version: "1",
  split,
  hash: split,
  tasks: tasks[split].slice(0, count).map(task),
  privateTests,
});
const summary: TrainingSummary = { steps: 0, examples: 0, tooLong: 0, tokens: 0, firstLoss: null, lastLoss: null };

/** `r7 # base`: right, scored 7, written by the base model; `w…` and `p…` are wrong. */
function write(checkpoint: string, seed: number): string {
  return `${["w", "p", "r", "w"][seed % 4]}${(seed >>> 8) % 10} # ${checkpoint}`;
}

/** One training run whose generator is scripted; verifiers are too, unless a trainer of them is given. */
async function run(
  flags: readonly string[],
  real?: { readonly store: RunStore; readonly base: string; readonly verifiers: Trainer },
): Promise<Observed> {
  const configuration = await configure(flags);
  const memory = memoryStore();
  const asked: Asked[] = [];
  const generatorFits: { examples: readonly GeneratorExample[]; from: string }[] = [];
  const verifierFits: VerifierData[] = [];
  const trainer: Trainer = {
    async trainGenerator(examples, { from }: TrainingRequest) {
      generatorFits.push({ examples, from: from.directory });
      return summary;
    },
    async trainVerifier(data, request) {
      verifierFits.push(data);
      return (await real?.verifiers.trainVerifier(data, request)) ?? summary;
    },
    openGenerator: async ({ directory }) =>
      createScriptedGenerator((request, index) => {
        const split = /Write [a-d]\./.test(request.conversation[0]!.content) ? "train" : "test";
        if (index === 0) asked.push({ checkpoint: directory, split, request });
        return write(directory, request.seeds[index]!);
      }),
    openVerifier: (checkpoint) =>
      real?.verifiers.openVerifier(checkpoint) ??
      Promise.resolve(createScriptedVerifier(({ program }) => scoreOf(program))),
  };
  const result = await trainAndCompare(programGrader, {
    configuration,
    trainer,
    store: real?.store ?? memory,
    progress: silentProgress,
    base: { directory: real?.base ?? "base" },
    trainSet: taskSet("train", configuration.suite.trainTasks),
    testSets: [taskSet("test", configuration.suite.testTasks)],
  });
  return { result, asked, generatorFits, verifierFits, records: (name) => memory.logs.get(name) ?? [] };
}

const rollouts = ({ asked }: Observed) => asked.filter(({ split }) => split === "train");
const searches = ({ asked }: Observed) =>
  asked.filter(({ split, request }) => split === "test" && request.temperature > 0);
const most = (values: readonly number[]): number => Math.max(...values);
const experts = ({ generatorFits }: Observed, iteration: number) =>
  generatorFits[iteration - 1]!.examples.filter(({ label }) => label === "expert");
const programs = (data: VerifierData): string[] =>
  data.loss === "bce" ? data.labels.map(({ program }) => program) : data.pairs.flatMap((p) => [p.right, p.wrong]);
const mentions = (value: unknown, text: string): boolean => JSON.stringify(value).includes(text);
const scoreOf = (program: string): number => Number(program[1]);

/** The programs that a task's prompt is labelled with. */
const expertsOf = (observed: Observed, id: string): string[] =>
  experts(observed, 1).flatMap((one) => (one.taskId === id && one.turnIndex === 0 ? [one.completion] : []));

/** What holds of the expert of every task, among all programs of the task. */
function expertsStand(observed: Observed) {
  const trajectories = observed.records("base/trajectories") as GradedTrajectory[];
  const stands = tasks.train.map((id) => {
    const known = trajectories.flatMap(({ taskId, turns }) =>
      taskId === id ? turns.map(({ program }) => program!) : [],
    );
    const [expert] = expertsOf(observed, id);
    const highest = (among: readonly string[]): boolean => scoreOf(expert!) === most(among.map(scoreOf));
    const right = expert!.startsWith("r");
    return {
      right,
      highestOfRight: right && highest(known.filter((program) => program.startsWith("r"))),
      highestOfAll: highest(known),
    };
  });
  const every = (key: keyof (typeof stands)[number]): boolean => stands.every((one) => one[key]);
  return { right: every("right"), highestOfRight: every("highestOfRight"), highestOfAll: every("highestOfAll") };
}

interface Variant {
  readonly flags: readonly string[];
  /** What it differs from, where that is not the default. */
  readonly against?: readonly string[];
  readonly look: (observed: Observed) => unknown;
  readonly otherwise: unknown;
  readonly expected: unknown;
}

/** So that every task has several right programs. */
const manyRollouts = ["--rollout.rollouts-per-task=12"];

const variants: Readonly<Record<string, Variant>> = {
  "RFT: imitation of successes, no verifier": {
    flags: ["--method=rft"],
    look: ({ result, verifierFits, generatorFits }) => [
      Object.keys(result.iterations),
      verifierFits.length,
      [...new Set(generatorFits[0]!.examples.map(({ label }) => label))].toSorted(),
    ],
    otherwise: [["mucode"], 1, ["expert", "own"]],
    expected: [["rft"], 0, ["own"]],
  },
  "µCode beside the baseline": {
    flags: ["--baseline"],
    look: ({ result }) => Object.keys(result.iterations),
    otherwise: ["mucode"],
    expected: ["rft", "mucode"],
  },
  "two iterations": {
    flags: ["--iterations=2"],
    look: (observed) => [...new Set(rollouts(observed).map(({ checkpoint }) => checkpoint))],
    otherwise: ["base"],
    expected: ["base", "mucode/iteration-1/generator"],
  },
  "single-turn training": {
    flags: ["--rollout.turns=1"],
    look: (observed) => most(rollouts(observed).map(({ request }) => request.conversation.length)),
    otherwise: 5,
    expected: 1,
  },
  "rollouts per task": {
    flags: ["--rollout.rollouts-per-task=7"],
    look: ({ result }) => result.iterations.mucode![0]!.rollouts.rollouts,
    otherwise: 16,
    expected: 28,
  },
  "temperature of rollouts": {
    flags: ["--rollout.temperature=1.1"],
    look: (observed) => [...new Set(rollouts(observed).map(({ request }) => request.temperature))],
    otherwise: [0.7],
    expected: [1.1],
  },
  "public tests in the generator's prompt": {
    flags: ["--suite.show-public-tests"],
    look: (observed) => [rollouts, searches].map((of) => mentions(of(observed)[0]!.request.conversation[0], PUBLIC)),
    otherwise: [false, false],
    expected: [true, true],
  },
  "no public tests in the verifier's prompt": {
    flags: ["--verifier.show-public-tests=false"],
    look: ({ records }) => mentions(records("mucode/iteration-1/verifier-data"), PUBLIC),
    otherwise: true,
    expected: false,
  },
  "relabelling by outcome alone": {
    flags: ["--relabel.rule=outcome", ...manyRollouts],
    against: manyRollouts,
    look: expertsStand,
    otherwise: { right: true, highestOfRight: true, highestOfAll: false },
    expected: { right: true, highestOfRight: false, highestOfAll: false },
  },
  "relabelling by the verifier alone": {
    flags: ["--relabel.rule=verifier", ...manyRollouts],
    against: manyRollouts,
    look: expertsStand,
    otherwise: { right: true, highestOfRight: true, highestOfAll: false },
    expected: { right: false, highestOfRight: false, highestOfAll: true },
  },
  "K best programs": {
    flags: ["--relabel.programs-per-task=2"],
    look: (observed) => most(tasks.train.map((id) => expertsOf(observed, id).length)),
    otherwise: 1,
    expected: 2,
  },
  "relabelled trajectories": {
    flags: ["--relabel.trajectories-per-task=1"],
    // One trajectory has at most three states.
    look: (observed) => tasks.train.every((id) => experts(observed, 1).filter((one) => one.taskId === id).length <= 3),
    otherwise: false,
    expected: true,
  },
  "the expert's programs from the last iteration": {
    flags: ["--iterations=2", "--relabel.scope=last"],
    against: ["--iterations=2"],
    look: (observed) => experts(observed, 2).some(({ completion }) => completion.endsWith("# base")),
    otherwise: true,
    expected: false,
  },
  "a generator fitted on": {
    flags: ["--iterations=2", "--generator.start-from=previous"],
    against: ["--iterations=2"],
    look: ({ generatorFits }) => generatorFits.map(({ from }) => from),
    otherwise: ["base", "base"],
    expected: ["base", "mucode/iteration-1/generator"],
  },
  "cross-entropy": {
    flags: ["--verifier.loss=bce"],
    look: ({ verifierFits }) => verifierFits.map(({ loss }) => loss),
    otherwise: ["bradley-terry"],
    expected: ["bce"],
  },
  "pairs per task": {
    flags: ["--verifier.pairs-per-task=1"],
    against: ["--verifier.pairs-per-task=3"],
    look: ({ verifierFits: [data] }) => programs(data!).length,
    otherwise: 2 * 3 * 4,
    expected: 2 * 1 * 4,
  },
  "a verifier of the base model's programs alone": {
    flags: ["--iterations=2", "--verifier.experience=base"],
    against: ["--iterations=2"],
    look: ({ verifierFits, result }) => [
      verifierFits.map((data) => programs(data).every((program) => program.trim().endsWith("# base"))),
      result.iterations.mucode!.map(({ verifier }) => verifier!.directory),
    ],
    otherwise: [
      [true, false],
      ["mucode/iteration-1/verifier", "mucode/iteration-2/verifier"],
    ],
    expected: [[true], ["mucode/iteration-1/verifier", "mucode/iteration-1/verifier"]],
  },
  "N candidates": {
    flags: ["--evaluation.candidates=2"],
    look: (observed) => most(searches(observed).map(({ request }) => request.seeds.length)),
    otherwise: 5,
    expected: 2,
  },
  "T turns of search": {
    flags: ["--evaluation.turns=1"],
    look: (observed) => most(searches(observed).map(({ request }) => request.conversation.length)),
    otherwise: 5,
    expected: 1,
  },
  "temperature of search": {
    flags: ["--evaluation.temperature=0.3"],
    look: (observed) => [...new Set(searches(observed).map(({ request }) => request.temperature))],
    otherwise: [0.7],
    expected: [0.3],
  },
};

describe("a variant of the method", () => {
  const runs = new Map<string, Promise<Observed>>();
  const runOnce = (flags: readonly string[]): Promise<Observed> => {
    const key = flags.join(" ");
    const known = runs.get(key) ?? run(flags);
    runs.set(key, known);
    return known;
  };

  it.each(Object.entries(variants))("%s", async (_, { flags, against = [], look, otherwise, expected }) => {
    expect(look(await runOnce(against))).toEqual(otherwise);
    expect(look(await runOnce(flags))).toEqual(expected);
  });

  it("is refused by its flag's name where there is no such value", async () => {
    await expect(configure(["--verifier.experience=last"])).rejects.toThrow(/ended with 2/);
  });
});

describe("a form and loss of the verifier, fitted from the shipped model", () => {
  const base = fileURLToPath(new URL("../models/mubpp-base", import.meta.url));
  const quick = [
    "suite.train-tasks=2",
    "rollout.turns=1",
    "verifier.pairs-per-task=1",
    "verifier.epochs=1",
    "suite.test-tasks=1",
    "evaluation.turns=1",
  ].map((setting) => `--${setting}`);
  const scores = new Map<string, number>();
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-variants-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each(
    ["likelihood", "verdict", "head"].flatMap((form) => ["bradley-terry", "bce"].map((loss) => [form, loss] as const)),
  )("%s by %s is what the run's checkpoint holds, and ranks its own way", async (form, loss) => {
    const flags = [`--verifier.form=${form}`, `--verifier.loss=${loss}`, ...quick];
    const configuration = await configure(flags);
    const verifiers = createEmbeddedTrainer({ ...configuration, verifier: { ...configuration.verifier } });
    const store: RunStore = { ...memoryStore(), path: (...parts) => join(directory, form, loss, ...parts) };
    const { result, verifierFits } = await run(flags, { store, base, verifiers });
    const checkpoint = result.iterations.mucode![0]!.verifier!;
    expect(await readVerifierSettings(checkpoint.directory)).toMatchObject({ form, showPublicTests: true });
    expect(verifierFits.map((data) => data.loss)).toEqual([loss]);
    expect(result.comparisons[0]!.verifier.map(({ programs: count }) => count > 0)).toEqual([true, true]);
    const verifier = await verifiers.openVerifier(checkpoint);
    const score = await verifier.score({ task: task("x"), program: "r1 # base" });
    await verifier.close();
    expect(Number.isFinite(score)).toBe(true);
    expect([...scores.values()]).not.toContain(score);
    scores.set(`${form} ${loss}`, score);
  });
});
