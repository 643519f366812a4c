/** `mucode experiment paper-mini`: the plan with scripted parts, and a tiny run with the real ones. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmbeddedModel } from "../src/engine/embedded/embedded-model.ts";
import { assertHeldOut, withoutHeldOut } from "../src/experiment/held-out.ts";
import { ARMS, protocolsOf } from "../src/experiment/paper-mini.ts";
import type { ExperimentResults } from "../src/experiment/results.ts";
import { runExperiment, type ExperimentRequest } from "../src/experiment/run-experiment.ts";
import { createScriptedGenerator } from "../src/generator/scripted-generator.ts";
import type { Grader } from "../src/grading/grade.ts";
import { createTaskGrader } from "../src/grading/task-grader.ts";
import { silentProgress } from "../src/progress.ts";
import { deriveSeed } from "../src/random.ts";
import { openRunDirectory } from "../src/store/run-directory.ts";
import { renderPrompt } from "../src/tasks/prompt.ts";
import { openSuite } from "../src/tasks/suites.ts";
import { createTaskSet } from "../src/tasks/task-set.ts";
import type { Task, TaskSet } from "../src/tasks/task.ts";
import { iterateExpert } from "../src/training/expert-iteration.ts";
import { fitGenerator } from "../src/training/fit-generator.ts";
import type { GeneratorExample } from "../src/training/relabel.ts";
import type { Trainer, TrainingRequest, VerifierData } from "../src/training/trainer.ts";
import { createScriptedVerifier } from "../src/verifier/scripted-verifier.ts";
import { repository, runCommand } from "./command.ts";

const PUBLIC = "assert f(1) == 1";
const PRIVATE = "assert f(2) == 2";

function taskSet(split: string, prompts: readonly string[]): Promise<TaskSet> {
  const tasks = prompts.map((prompt, index) => ({
    task: {
      id: `scripted/${split}/${index}`,
      prompt,
      language: "python",
      publicTests: [{ kind: "assert", source: PUBLIC }],
    } satisfies Task,
    privateTests: [{ kind: "assert" as const, source: PRIVATE }],
  }));
  return createTaskSet({ suite: "scripted", version: "1", split, tasks });
}

/** `r…` passes all tests, `p…` the public one alone. */
const grader: Grader = {
  grade: async ({ program, tests }) => {
    const results = tests.map((test) => {
      const source = test.kind === "assert" ? test.source : "";
      const passes = program?.startsWith("r") || (source === PUBLIC && program?.startsWith("p"));
      return { verdict: passes ? ("passed" as const) : ("failed" as const) };
    });
    return { verdict: results.find(({ verdict }) => verdict !== "passed")?.verdict ?? "passed", tests: results };
  },
  close: async () => {},
};

const settings: ExperimentRequest["settings"] = {
  rolloutsPerTask: 4,
  rollout: { turns: 3, temperature: 0.7, maxTokens: 8, showPublicTests: false },
  expertScope: "all",
  programsPerTask: 1,
  trajectoriesPerTask: 3,
  verifierPrompt: { showPublicTests: true },
  pairsPerTask: 1000,
  startFrom: "base",
};

/** Writes by checkpoint, state and seed; keeps who was fitted to what. A generator's fit takes a step per two examples. */
function scriptedTrainer(directory: string) {
  const generatorFits: { to: string; examples: readonly GeneratorExample[]; request: TrainingRequest }[] = [];
  const verifierFits: { to: string; data: VerifierData; request: TrainingRequest }[] = [];
  const nameOf = (checkpoint: string): string => relative(directory, checkpoint);
  const summary = { examples: 0, tooLong: 0, tokens: 0, firstLoss: null, lastLoss: null };
  const trainer: Trainer = {
    async trainGenerator(examples, request) {
      generatorFits.push({ to: nameOf(request.to.directory), examples, request });
      return { ...summary, steps: request.steps ?? Math.ceil(examples.length / 2) };
    },
    async trainVerifier(data, request) {
      verifierFits.push({ to: nameOf(request.to.directory), data, request });
      return { ...summary, steps: 1 };
    },
    openGenerator: async (checkpoint) =>
      createScriptedGenerator(({ conversation, seeds, temperature }, index) => {
        const seed = temperature === 0 ? 0 : seeds[index]!;
        const state = conversation.map(({ content }) => content).join("\n");
        const draw = deriveSeed(nameOf(checkpoint.directory), state, seed);
        return `${"wwwpr"[draw % 5]}${draw % 7}`;
      }),
    openVerifier: async (checkpoint) =>
      createScriptedVerifier(({ program }) => deriveSeed(nameOf(checkpoint.directory), program) / 2 ** 32),
  };
  return { trainer, generatorFits, verifierFits };
}

describe("the plan of the miniature", () => {
  let directory = "";
  let results: ExperimentResults;
  let parts: ReturnType<typeof scriptedTrainer>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-experiment-"));
    parts = scriptedTrainer(directory);
    const run = await openRunDirectory({ directory, configuration: {}, versions: {} });
    results = await runExperiment(
      {
        base: { directory: join(directory, "base") },
        seeds: [
          { seed: 1, training: await taskSet("train", ["a", "b", "c", "d"]) },
          { seed: 2, training: await taskSet("train", ["e", "f", "g", "h"]) },
        ],
        heldOut: await taskSet("test", ["x", "y", "z"]),
        settings,
        plan: { candidates: 5, turns: 3, longTurns: 6, mostCandidates: 11 },
        sampling: { temperature: 0.7, maxTokens: 8 },
      },
      { trainer: parts.trainer, grader, store: run, progress: silentProgress },
    );
    await run.close();
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("fits every generator and verifier once per seed, and no verifier that nobody asks", () => {
    const ofSeed = (fits: readonly { to: string }[], seed: number): string[] =>
      fits.map(({ to }) => to).filter((to) => to.startsWith(`seed-${seed}/`));
    const arms = ["mucode", "rft", "rft-single-turn", "rft-equal-steps", "mucode-outcome", "mucode-verifier"];
    for (const seed of [1, 2]) {
      expect(ofSeed(parts.verifierFits, seed)).toEqual(
        [
          "base/bradley-terry",
          "mucode/iteration-2",
          "mucode-verifier/iteration-2",
          "mucode-bce/iteration-1",
          "mucode-bce/iteration-2",
          "verifiers/bce",
        ].map((place) => `seed-${seed}/${place}/verifier`),
      );
      expect(ofSeed(parts.generatorFits, seed)).toEqual(
        [...arms, "mucode-bce"].flatMap((arm) =>
          [1, 2].map((iteration) => `seed-${seed}/${arm}/iteration-${iteration}/generator`),
        ),
      );
    }
  });

  it("gives RFT exactly the steps of µCode's fits", () => {
    const stepsOf = (arm: string): (number | undefined)[] =>
      [1, 2].map(
        (iteration) =>
          parts.generatorFits.find(({ to }) => to === `seed-1/${arm}/iteration-${iteration}/generator`)?.request.steps,
      );
    const curves = results.learningCurves.filter(
      ({ arm, seed, of }) => arm === "mucode" && seed === 1 && of === "generator",
    );
    expect(stepsOf("rft-equal-steps")).toEqual(curves.map(({ steps }) => steps));
    expect(stepsOf("rft")).toEqual([undefined, undefined]);
  });

  it("compares losses on the same programs of all of µCode's rollouts", () => {
    const programsOf = (to: string): Set<string> => {
      const { data } = parts.verifierFits.find((fit) => fit.to === to)!;
      return new Set(
        data.loss === "bradley-terry"
          ? data.pairs.flatMap(({ task, right, wrong }) => [`${task.id} ${right}`, `${task.id} ${wrong}`])
          : data.labels.map(({ task, program }) => `${task.id} ${program}`),
      );
    };
    const byComparison = programsOf("seed-1/mucode/iteration-2/verifier");
    const byCrossEntropy = programsOf("seed-1/verifiers/bce/verifier");
    expect(byComparison.size).toBeGreaterThan(programsOf("seed-1/base/bradley-terry/verifier").size);
    expect([...byComparison].filter((program) => !byCrossEntropy.has(program))).toEqual([]);
  });

  it("evaluates every arm by every protocol, on every held-out task", () => {
    for (const seed of [1, 2]) {
      for (const arm of ARMS) {
        const found = results.outcomes.filter((row) => row.arm === arm && row.seed === seed);
        const planned = protocolsOf(arm, { candidates: 5, turns: 3, longTurns: 6, mostCandidates: 11 });
        expect(new Set(found.map(({ protocol }) => JSON.stringify(protocol)))).toEqual(
          new Set(planned.map((protocol) => JSON.stringify(protocol))),
        );
        expect(new Set(planned.map((protocol) => JSON.stringify(protocol))).size).toBe(found.length);
        for (const { protocol, solvedWithin } of found) {
          expect(solvedWithin.map((solved) => solved?.length)).toEqual([1, 2, 3].map(() => protocol.turns));
        }
      }
    }
    expect(results.firstCandidates.map(({ candidates }) => candidates.map((of) => of?.length))).toEqual(
      Array.from({ length: 6 }, () => [11, 11, 11]),
    );
  });

  it("solves held-out tasks greedily with the base model once for all seeds", () => {
    const [first, second] = [1, 2].map((seed) =>
      results.outcomes
        .filter((row) => row.arm === "base" && row.seed === seed && row.protocol.rule === "greedy")
        .map(({ solvedWithin }) => solvedWithin),
    );
    expect(first).toHaveLength(2);
    expect(second).toEqual(first);
    expect(results.costs.filter(({ stage }) => stage === "base-greedy").map(({ shared }) => shared)).toEqual([
      true,
      true,
    ]);
  });

  it("charges a shared stage to each arm that uses it", () => {
    const users = (stage: string): string[] =>
      results.costs.filter((cost) => cost.stage === `seed-1/${stage}` && cost.shared).map(({ arm }) => arm);
    expect(users("base/trajectories")).toHaveLength(8);
    expect(users("base/bradley-terry/verifier")).toEqual(["mucode", "mucode-1", "mucode-verifier"]);
    expect(users("mucode/iteration-1/generator")).toEqual(["mucode", "mucode-1"]);
    expect(users("mucode/iteration-2/generator")).toEqual([]);
  });

  it("refuses to train on a held-out task, whatever it is called", async () => {
    const heldOut = await taskSet("test", ["Add the numbers.", "Drop the last."]);
    const training = await taskSet("train", ["Sort.", "drop  the LAST. "]);
    await expect(assertHeldOut(training.tasks, heldOut.tasks)).rejects.toThrow(
      "held-out task scripted/test/1 is training task scripted/train/1",
    );
    const named = (id: string, entryPoint: string): Task => ({
      ...heldOut.tasks[0]!,
      id,
      prompt: id,
      entryPoint,
      goldProgram: `def ${entryPoint}(x):\n    return sum(x)\n`,
    });
    await expect(assertHeldOut([named("one", "total")], [named("two", "add_up")])).rejects.toThrow(
      "two is training task one",
    );
    await expect(assertHeldOut([named("one", "total")], heldOut.tasks)).resolves.toBeUndefined();
  });

  it("leaves out training tasks that are held-out ones", async () => {
    const heldOut = await taskSet("test", ["Add the numbers.", "Drop the last."]);
    const training = await taskSet("train", ["Sort.", "drop  the LAST. ", "Reverse."]);
    const { tasks } = await withoutHeldOut(training, heldOut);
    expect(tasks.map(({ prompt }) => prompt)).toEqual(["Sort.", "Reverse."]);
    await expect(assertHeldOut(tasks, heldOut.tasks)).resolves.toBeUndefined();
  });

  it("cuts shared rollouts to exactly what an arm of fewer turns would roll out", async () => {
    const training = await taskSet("train", ["a", "b", "c", "d", "e", "f"]);
    const train = async (name: string, baseTurns?: number): Promise<(readonly GeneratorExample[])[]> => {
      const place = join(directory, name);
      const { trainer, generatorFits } = scriptedTrainer(place);
      const run = await openRunDirectory({ directory: place, configuration: {}, versions: {} });
      await iterateExpert(
        {
          method: "rft",
          tasks: training.tasks,
          base: { directory: join(place, "base") },
          settings: {
            ...settings,
            iterations: 2,
            expertRule: "outcome",
            verifierLoss: "bradley-terry",
            verifierExperience: "all",
            seed: 1,
            rollout: { ...settings.rollout, turns: 1 },
          },
          ...(baseTurns !== undefined && { shared: { baseTurns } }),
        },
        {
          trainer,
          grader: createTaskGrader({ grader, privateTests: training.privateTests }),
          store: run,
          progress: silentProgress,
        },
      );
      await run.close();
      return generatorFits.map(({ examples }) => examples);
    };
    const [own, cut] = [await train("own"), await train("cut", 3)];
    expect(own[0]!.length).toBeGreaterThan(0);
    expect(cut).toEqual(own);
  });
});

/**
 * A model of one layer that has learnt the right programs of the first seed's training tasks by heart: it opens and
 * samples in no time, and at a high temperature it writes right and wrong programs.
 */
async function writeTinyModel(directory: string): Promise<void> {
  const read = async <T>(name: string): Promise<T> =>
    JSON.parse(await readFile(join(repository, "models/mubpp-base", name), "utf8")) as T;
  const model = await createEmbeddedModel({
    config: {
      vocabularySize: 900,
      hiddenSize: 32,
      layerCount: 1,
      headCount: 2,
      keyValueHeadCount: 1,
      intermediateSize: 64,
      contextLength: 384,
      tieEmbeddings: true,
      ropeTheta: 10_000,
      rmsNormEpsilon: 1e-5,
    },
    tokenizer: { tokenizer: await read("tokenizer.json"), config: await read("tokenizer_config.json") },
    seed: 1,
    threads: 1,
  });
  const { tasks } = await openSuite({ name: "mubpp" }).load({ split: "train", limit: 4, seed: 1 });
  const examples = tasks.map((task): GeneratorExample => ({
    taskId: task.id,
    turnIndex: 0,
    conversation: [{ role: "user", content: renderPrompt(task, { showPublicTests: false }) }],
    completion: task.goldProgram!.trimEnd(),
    label: "own",
  }));
  const fit = { learningRate: 0.01, batchSize: 4, epochs: 1, weightDecay: 0, warmupShare: 0.05 };
  await fitGenerator(model, examples, fit, { seed: 1, steps: 160 });
  await model.save(directory);
  await model.close();
}

describe("a tiny run of the miniature", () => {
  let directory = "";

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-paper-mini-"));
    await writeTinyModel(join(directory, "model"));
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  function argumentsOf(run: string): string[] {
    const values = {
      "base-model": join(directory, "model"),
      out: join(directory, run),
      seeds: 1,
      threads: 1,
      "suite.train-tasks": 4,
      "suite.test-tasks": 2,
      "rollout.rollouts-per-task": 3,
      "rollout.turns": 2,
      "rollout.temperature": 1.2,
      "rollout.max-tokens": 48,
      "evaluation.candidates": 2,
      "evaluation.most-candidates": 3,
      "evaluation.turns": 2,
      "evaluation.long-turns": 2,
      "evaluation.max-tokens": 24,
    };
    return ["experiment", "paper-mini", ...Object.entries(values).map(([key, value]) => `--${key}=${value}`)];
  }

  async function resultsOf(run: string): Promise<ExperimentResults> {
    return JSON.parse(await readFile(join(directory, run, "results.json"), "utf8"), (key, value: unknown) =>
      key === "seconds" ? 0 : value,
    ) as ExperimentResults;
  }

  it("ends with a report, and trains RFT for as many steps as µCode", async () => {
    const { exitCode, stdout, stderr } = await runCommand(argumentsOf("undisturbed"));
    expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("report.html");
    expect(await readFile(join(directory, "undisturbed", "report.html"), "utf8")).toContain("<html");
    const { learningCurves } = await resultsOf("undisturbed");
    const steps = (arm: string): number[] =>
      learningCurves.filter((curve) => curve.arm === arm && curve.of === "generator").map((curve) => curve.steps);
    expect(steps("mucode").every((count) => count > 0)).toBe(true);
    expect(steps("rft-equal-steps")).toEqual(steps("mucode"));
  });

  it("killed with -9 goes on to the same results; stops at Ctrl-C; refuses another configuration", async () => {
    const interrupts = [
      ["SIGKILL", "seed-1/base/trajectories.jsonl"],
      ["SIGINT", "seed-1/mucode/iteration-1/generator.done.json"],
      ["SIGKILL", "seed-1/evaluation/base.jsonl"],
    ] as const;
    for (const [signal, moment] of interrupts) {
      const interrupt = { signal, whenWritten: join(directory, "killed", moment) };
      const { exitCode } = await runCommand(argumentsOf("killed"), { interrupt });
      expect([moment, exitCode]).toEqual([moment, signal === "SIGINT" ? 130 : null]);
    }
    const refused = await runCommand([...argumentsOf("killed"), "--rollout.turns=1"]);
    expect(refused.stderr).toContain("rollout.turns: 2 there, 1 now");
    expect((await runCommand(argumentsOf("killed"))).exitCode).toBe(0);
    const first = await resultsOf("killed");
    expect(first).toEqual(await resultsOf("undisturbed"));
    // More seeds go on from there: what the first one left is not done again.
    expect((await runCommand([...argumentsOf("killed"), "--seeds=2"])).exitCode).toBe(0);
    const both = await resultsOf("killed");
    expect(both.seeds).toEqual([1, 2]);
    expect(both.outcomes.filter(({ seed }) => seed === 1)).toEqual(first.outcomes);
  });
});
