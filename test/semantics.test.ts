/**
 * What the method does, item by item, with a scripted generator, grader, verifier and trainer. A failing item is a
 * decision about the method, not a nuisance. Each names the step of `docs/method.md` that it holds the code to.
 */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createScriptedGenerator } from "../src/generator/scripted-generator.ts";
import type { ProposeRequest } from "../src/generator/generator.ts";
import type { OutcomeGrader } from "../src/grading/grade.ts";
import { createTaskGrader } from "../src/grading/task-grader.ts";
import { silentProgress } from "../src/progress.ts";
import type { GradedTrajectory } from "../src/rollout/graded-trajectory.ts";
import type { RecordLog, RunStore } from "../src/store/run-store.ts";
import type { StageContext } from "../src/store/stages.ts";
import { searchBestOfN } from "../src/search/best-of-n.ts";
import type { Task } from "../src/tasks/task.ts";
import { iterateExpert, type IterationSettings, type Method } from "../src/training/expert-iteration.ts";
import type { GeneratorExample } from "../src/training/relabel.ts";
import type { Trainer, TrainingRequest, TrainingSummary, VerifierData } from "../src/training/trainer.ts";
import { createScriptedVerifier } from "../src/verifier/scripted-verifier.ts";

/** `r…` is right; `p…` passes the public test alone; `w…` fails it; anything else fails it too. */
const PUBLIC = "assert f(1) == PUBLIC";
const PRIVATE = "assert f(2) == PRIVATE";
const task = (id: string): Task => ({
  id,
  prompt: `Write ${id}.`,
  language: "python",
  entryPoint: "f",
  publicTests: [{ kind: "assert", source: PUBLIC }],
  goldProgram: "GOLD",
});
/** Knows both kinds of tests and names the failing one, so that whatever leaks can be seen. */
const grader: OutcomeGrader = createTaskGrader({
  grader: {
    grade: async ({ program, tests }) => {
      const results = tests.map((test) => {
        const source = test.kind === "assert" ? test.source : "";
        const passes = program?.startsWith("r") === true || (source === PUBLIC && program?.startsWith("p") === true);
        return passes
          ? ({ verdict: "passed" } as const)
          : ({ verdict: "failed", statement: source, obtained: program ?? "nothing" } as const);
      });
      return { verdict: results.find(({ verdict }) => verdict !== "passed")?.verdict ?? "passed", tests: results };
    },
    close: async () => {},
  },
  privateTests: { of: () => [{ kind: "assert", source: PRIVATE }] },
});

const settings: IterationSettings = {
  iterations: 1,
  rolloutsPerTask: 2,
  rollout: { turns: 3, temperature: 0.7, maxTokens: 10, showPublicTests: false },
  expertRule: "outcome-then-verifier",
  expertScope: "all",
  programsPerTask: 1,
  trajectoriesPerTask: 3,
  verifierLoss: "bradley-terry",
  verifierExperience: "all",
  verifierPrompt: { showPublicTests: true },
  pairsPerTask: 100,
  startFrom: "base",
  seed: 7,
};

/** Keeps a run's records, and the results of its stages, in memory. */
function memoryStore(): RunStore & { readonly logs: Map<string, unknown[]> } {
  const logs = new Map<string, unknown[]>();
  const stages = new Map<string, Promise<unknown>>();
  return {
    logs,
    path: (...parts) => parts.join("/"),
    async openRecords<R>(name: string): Promise<RecordLog<R>> {
      const records = (logs.get(name) ?? []) as R[];
      logs.set(name, records);
      return { records, append: (record) => void records.push(record), close: async () => {} };
    },
    stage<T>(name: string, work: (stage: StageContext) => Promise<T>): Promise<T> {
      const stage = (stages.get(name) as Promise<T> | undefined) ?? work({ name, spend: () => {} });
      stages.set(name, stage);
      return stage;
    },
    totals: async () => ({ stages: [], resources: [] }) as never,
  };
}

interface Script {
  readonly tasks: readonly string[];
  readonly method?: Method;
  readonly settings?: Partial<IterationSettings>;
  /** The program that the generator of a checkpoint writes. */
  readonly write: (facts: { checkpoint: string; task: string; rollout: number; turn: number }) => string;
  /** How long the generator thinks, milliseconds; default not at all. */
  readonly delayMs?: (request: ProposeRequest) => number;
  /** The verifier's score of a program; default 0. */
  readonly score?: (program: string) => number;
}

/** Runs the whole iteration on a script and says who was asked what. */
async function play(script: Script) {
  const store = memoryStore();
  const proposals: ProposeRequest[] = [];
  const scored: unknown[] = [];
  const generatorFits: { examples: readonly GeneratorExample[]; request: TrainingRequest }[] = [];
  const verifierFits: { data: VerifierData; request: TrainingRequest }[] = [];
  const summary: TrainingSummary = { steps: 0, examples: 0, tooLong: 0, tokens: 0, firstLoss: null, lastLoss: null };
  const trainer: Trainer = {
    async trainGenerator(examples, request) {
      generatorFits.push({ examples, request });
      return summary;
    },
    async trainVerifier(data, request) {
      verifierFits.push({ data, request });
      return summary;
    },
    openGenerator: async ({ directory }) => {
      const rollouts = new Map<string, number>();
      const generator = createScriptedGenerator((request) => {
        proposals.push(request);
        const name = /Write (\w+)\./.exec(request.conversation[0]!.content)![1]!;
        const turn = (request.conversation.length - 1) / 2;
        // A rollout is known by its first seed; later turns by their history.
        const key = turn === 0 ? `${name} ${rollouts.size}` : request.conversation[1]!.content;
        if (turn === 0) rollouts.set(key, [...rollouts.keys()].filter((one) => one.startsWith(`${name} `)).length);
        const rollout = turn === 0 ? rollouts.get(key)! : Number(/#(\d+)/.exec(key)![1]);
        return `${script.write({ checkpoint: directory, task: name, rollout, turn })} #${rollout}`;
      });
      return {
        ...generator,
        async propose(request, signal) {
          const completions = await generator.propose(request, signal);
          await delay(script.delayMs?.(request) ?? 0);
          return completions;
        },
      };
    },
    openVerifier: async () =>
      createScriptedVerifier((request) => {
        scored.push(request);
        return script.score?.(request.program) ?? 0;
      }),
  };
  const iterations = await iterateExpert(
    {
      method: script.method ?? "mucode",
      tasks: script.tasks.map(task),
      base: { directory: "base" },
      settings: { ...settings, ...script.settings },
    },
    { trainer, grader, store, progress: silentProgress },
  );
  const trajectories = (name: string): GradedTrajectory[] => (store.logs.get(name) ?? []) as GradedTrajectory[];
  return { iterations, proposals, scored, generatorFits, verifierFits, trajectories };
}

/** `state → completion` of each example, a state by the programs already in it. */
const labels = (examples: readonly GeneratorExample[]): string[] =>
  examples.map(({ taskId, conversation, completion }) => {
    const programs = conversation.filter(({ role }) => role === "assistant").map(({ content }) => content);
    return `${taskId} [${programs.join(", ")}] → ${completion}`;
  });

describe("the method's semantics", () => {
  it("1. The generator sees the prompt, its own programs and feedback of public tests: never a private test or a gold program (the MDP; step 1)", async () => {
    const { proposals } = await play({ tasks: ["a"], write: ({ turn }) => `w${turn}` });
    const seen = JSON.stringify(proposals);
    expect(seen).toContain("Failed: assert f(1) == PUBLIC\\nGot: w0");
    expect(seen).not.toContain("PRIVATE");
    const passing = await play({ tasks: ["a"], write: () => "p" });
    expect(JSON.stringify([passing.proposals, passing.trajectories("base/trajectories")])).not.toContain("PRIVATE");
    expect(seen).not.toContain("GOLD");
  });

  it("2. The verifier sees a task and one program: never the history, a verdict or feedback (step 3)", async () => {
    const { scored, verifierFits } = await play({
      tasks: ["a"],
      write: ({ rollout, turn }) => (turn === 2 ? `r${rollout}` : `w${turn}`),
    });
    expect(scored.length).toBeGreaterThan(0);
    for (const request of scored) expect(Object.keys(request as object).toSorted()).toEqual(["program", "task"]);
    expect(JSON.stringify(scored)).not.toContain("Failed:");
    expect(JSON.stringify(verifierFits.map(({ data }) => data))).not.toContain("Failed:");
  });

  it("3. A rollout stops when the public tests pass, right or not, and after T turns otherwise (the MDP)", async () => {
    const { trajectories } = await play({
      tasks: ["a"],
      write: ({ rollout, turn }) => (rollout === 0 && turn === 1 ? "p" : "w"),
    });
    const [first, second] = trajectories("base/trajectories");
    expect([first!.stopReason, first!.turns.length, first!.outcomes]).toEqual([
      "public-tests-passed",
      2,
      [false, false],
    ]);
    expect([second!.stopReason, second!.turns.length]).toEqual(["turn-limit", 3]);
  });

  it("4. Every turn has an outcome of its own, over public and private tests (step 1)", async () => {
    const { trajectories } = await play({
      tasks: ["a"],
      write: ({ rollout, turn }) => ["w", rollout === 0 ? "r" : "p"][Math.min(turn, 1)]!,
    });
    expect(trajectories("base/trajectories").map(({ outcomes }) => outcomes)).toEqual([
      [false, true],
      [false, false],
    ]);
  });

  it("5. The verifier learns from pairs of a right and a wrong program of the same task, over all turns and rollouts, each once (step 3)", async () => {
    const { verifierFits } = await play({
      tasks: ["a", "b"],
      write: ({ task: name, rollout, turn }) => (name === "b" ? "w" : turn === 0 ? "w" : `r${rollout}`),
    });
    const { data, request } = verifierFits[0]!;
    expect(request.from.directory).toBe("base");
    const pairs = data.loss === "bradley-terry" ? data.pairs : [];
    expect(pairs.map(({ task: { id }, right, wrong }) => `${id} ${right.trim()} > ${wrong.trim()}`).toSorted()).toEqual(
      ["a r0 #0 > w #0", "a r0 #0 > w #1", "a r1 #1 > w #0", "a r1 #1 > w #1"],
    );
  });

  it("6. A task without a right or without a wrong program gives the verifier no pair (step 3)", async () => {
    const { verifierFits } = await play({
      tasks: ["a", "b"],
      write: ({ task: name }) => (name === "a" ? "r" : "w"),
    });
    expect(verifierFits[0]!.data).toEqual({ loss: "bradley-terry", pairs: [] });
  });

  it("7. Every state of the chosen trajectories is paired with the expert's program: the right one with the highest score (steps 4 and 5)", async () => {
    const { generatorFits } = await play({
      tasks: ["a"],
      write: ({ rollout, turn }) => (rollout === 0 ? ["w", "w"][turn] : [`w`, "r"][turn]) ?? "w",
      score: (program) => (program.startsWith("w") ? 9 : 1),
    });
    expect(labels(generatorFits[0]!.examples).toSorted()).toEqual([
      "a [] → r #1",
      "a [w #0, w #0] → r #1",
      "a [w #0] → r #1",
      "a [w #1] → r #1",
    ]);
  });

  it("8. Ties between programs go to the one found first (step 4)", async () => {
    const { generatorFits } = await play({ tasks: ["a"], write: () => "r" });
    expect(
      new Set(generatorFits[0]!.examples.filter(({ label }) => label === "expert").map((one) => one.completion)),
    ).toEqual(new Set(["r #0"]));
  });

  it("9. At most three trajectories of a task are relabelled, failed ones first; every successful one keeps its own label too (step 5)", async () => {
    const { generatorFits } = await play({
      tasks: ["a"],
      settings: { rolloutsPerTask: 5, rollout: { ...settings.rollout, turns: 2 } },
      write: ({ rollout, turn }) => (rollout < 2 ? `r${rollout}` : `w${rollout}${turn}`),
    });
    const { examples } = generatorFits[0]!;
    const relabelled = examples.filter(({ label }) => label === "expert");
    expect(labels(relabelled).toSorted()).toEqual([
      "a [] → r0 #0",
      "a [w20 #2] → r0 #0",
      "a [w30 #3] → r0 #0",
      "a [w40 #4] → r0 #0",
    ]);
    expect(labels(examples.filter(({ label }) => label === "own"))).toEqual(["a [] → r1 #1"]);
  });

  it("10. A task without a right program gives no example under a rule that uses outcomes, and its best-scored program under `verifier` (steps 4 and 5)", async () => {
    const script = {
      tasks: ["a"],
      write: ({ rollout }: { rollout: number }) => `w${rollout}`,
      score: (program: string) => Number(program[1]),
    };
    for (const expertRule of ["outcome", "outcome-then-verifier"] as const) {
      const { generatorFits } = await play({ ...script, settings: { expertRule } });
      expect(generatorFits[0]!.examples).toEqual([]);
    }
    const { generatorFits } = await play({ ...script, settings: { expertRule: "verifier" } });
    expect(new Set(generatorFits[0]!.examples.map(({ completion }) => completion))).toEqual(new Set(["w1 #1"]));
  });

  it("11. RFT imitates successful trajectories alone, each state with its own final program, and trains no verifier (the baseline)", async () => {
    const { generatorFits, verifierFits } = await play({
      tasks: ["a"],
      method: "rft",
      write: ({ rollout, turn }) => (rollout === 0 ? ["w", "r"][turn]! : "w"),
    });
    expect(verifierFits).toEqual([]);
    expect(labels(generatorFits[0]!.examples)).toEqual(["a [] → r #0", "a [w #0] → r #0"]);
  });

  it("12. Experience aggregates: the second iteration's expert and verifier know the programs of the first (step 2)", async () => {
    const script: Script = {
      tasks: ["a"],
      settings: { iterations: 2 },
      write: ({ checkpoint, rollout }) => (checkpoint === "base" ? `r${rollout}` : `w${rollout}`),
    };
    const { generatorFits, verifierFits } = await play(script);
    const completions = new Set(generatorFits[1]!.examples.map(({ completion }) => completion));
    expect(completions).toEqual(new Set(["r0 #0", "r1 #1"]));
    expect(verifierFits[1]!.data).toMatchObject({ pairs: { length: 4 } });
    const last = await play({ ...script, settings: { iterations: 2, expertScope: "last" } });
    expect(last.generatorFits[1]!.examples.filter(({ label }) => label === "expert")).toEqual([]);
  });

  it("13. Each generator is fitted from the base model again, or from the one before where told so (step 6)", async () => {
    const script: Script = { tasks: ["a"], settings: { iterations: 2 }, write: () => "r" };
    const starts = async (startFrom: "base" | "previous") => {
      const { generatorFits } = await play({ ...script, settings: { ...script.settings, startFrom } });
      return generatorFits.map(({ request }) => request.from.directory);
    };
    expect(await starts("base")).toEqual(["base", "base"]);
    expect(await starts("previous")).toEqual(["base", "mucode/iteration-1/generator"]);
  });

  it("14. The second iteration rolls out the first one's generator (step 1)", async () => {
    const { trajectories } = await play({
      tasks: ["a"],
      settings: { iterations: 2 },
      write: ({ checkpoint }) => (checkpoint === "base" ? "w" : "r"),
    });
    expect(trajectories("base/trajectories").flatMap(({ outcomes }) => outcomes)).not.toContain(true);
    expect(trajectories("mucode/iteration-1/trajectories").flatMap(({ outcomes }) => outcomes)).not.toContain(false);
  });

  it("15. With K programs per task every relabelled state is paired with each of them, best first (step 4)", async () => {
    const { generatorFits } = await play({
      tasks: ["a"],
      settings: { programsPerTask: 2, rolloutsPerTask: 3 },
      write: ({ rollout, turn }) => (rollout === 2 ? `w${turn}` : `r${rollout}`),
      score: (program) => Number(program[1]),
    });
    const first = labels(generatorFits[0]!.examples).filter((label) => label.startsWith("a [] "));
    expect(first).toEqual(["a [] → r1 #1", "a [] → r0 #0"]);
  });

  it("16. In best-of-N search public tests alone stop it, whatever the rule; no rule but `oracle` asks for an outcome (inference)", async () => {
    const asked: string[] = [];
    const watched: OutcomeGrader = {
      ...grader,
      async outcome(one, program) {
        asked.push(program ?? "");
        return grader.outcome(one, program);
      },
    };
    const generator = createScriptedGenerator((_, index) => ["w", "p", "r"][index]!);
    const verifier = createScriptedVerifier(({ program }) => (program.startsWith("p") ? 2 : 1));
    const run = async (rule: "random" | "public-tests" | "verifier" | "public-tests-then-verifier" | "oracle") => {
      const trajectory = await searchBestOfN(
        { task: task("a"), rule, settings: { ...settings.rollout, candidates: 3 }, seed: 1 },
        { generator, verifier, grader: watched, outcomes: watched },
      );
      return [trajectory.turns.at(-1)!.program!.trim(), trajectory.turns.length];
    };
    expect(await run("public-tests-then-verifier")).toEqual(["p", 1]);
    expect(await run("verifier")).toEqual(["p", 1]);
    expect(asked).toEqual([]);
    expect(await run("oracle")).toEqual(["r", 1]);
    expect(asked).not.toEqual([]);
  });

  it("17. The order in which rollouts end changes nothing (step 1)", async () => {
    const script: Script = {
      tasks: ["a", "b", "c"],
      settings: { iterations: 2, rolloutsPerTask: 3 },
      write: ({ task: name, rollout, turn }) => (turn > 0 && rollout > 0 ? `r${name}${rollout}` : `w${name}${turn}`),
      score: (program) => program.length,
    };
    const results = async (delayMs: (request: ProposeRequest) => number) => {
      const { generatorFits, verifierFits } = await play({ ...script, delayMs });
      return [generatorFits.map(({ examples }) => examples), verifierFits.map(({ data }) => data)];
    };
    const quick = await results(() => 0);
    expect(await results(({ seeds }) => seeds[0]! % 20)).toEqual(quick);
    expect(await results(({ conversation }) => 20 - 5 * conversation.length)).toEqual(quick);
  });
});
