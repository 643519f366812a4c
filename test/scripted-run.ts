/** Expert iteration with a scripted generator, grader, verifier and trainer: says who was asked what. */
import { setImmediate } from "node:timers/promises";
import type { ProposeRequest } from "../src/generator/generator.ts";
import { createScriptedGenerator } from "../src/generator/scripted-generator.ts";
import type { Grader, OutcomeGrader } from "../src/grading/grade.ts";
import { createTaskGrader } from "../src/grading/task-grader.ts";
import { silentProgress } from "../src/progress.ts";
import type { GradedTrajectory } from "../src/rollout/graded-trajectory.ts";
import type { RecordLog, RunStore } from "../src/store/run-store.ts";
import type { StageContext } from "../src/store/stages.ts";
import type { PrivateTests, Task } from "../src/tasks/task.ts";
import {
  iterateExpert,
  type IterationRequest,
  type IterationSettings,
  type Method,
} from "../src/training/expert-iteration.ts";
import type { GeneratorExample } from "../src/training/relabel.ts";
import type { Trainer, TrainingRequest, TrainingSummary, VerifierData } from "../src/training/trainer.ts";
import { createScriptedVerifier } from "../src/verifier/scripted-verifier.ts";
import { memoryLog } from "./memory-log.ts";

/** `r…` is right; `p…` passes the public test alone; `w…` fails it; anything else fails it too. */
export const PUBLIC = "assert f(1) == PUBLIC";
export const PRIVATE = "assert f(2) == PRIVATE";
export const task = (id: string): Task => ({
  id,
  prompt: `Write ${id}.`,
  language: "python",
  entryPoint: "f",
  publicTests: [{ kind: "assert", source: PUBLIC }],
  goldProgram: "GOLD",
});
/** Knows both kinds of tests and names the failing one, so that whatever leaks can be seen. */
export const programGrader: Grader = {
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
};
export const privateTests: PrivateTests = { of: () => [{ kind: "assert", source: PRIVATE }] };
export const grader: OutcomeGrader = createTaskGrader({ grader: programGrader, privateTests });

export const settings: IterationSettings = {
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
export function memoryStore(): RunStore & { readonly logs: Map<string, unknown[]> } {
  const logs = new Map<string, unknown[]>();
  const stages = new Map<string, Promise<unknown>>();
  return {
    logs,
    path: (...parts) => parts.join("/"),
    async openRecords<R>(name: string): Promise<RecordLog<R>> {
      const records = (logs.get(name) ?? []) as R[];
      logs.set(name, records);
      return memoryLog(records);
    },
    stage<T>(name: string, work: (stage: StageContext) => Promise<T>): Promise<T> {
      const stage = (stages.get(name) as Promise<T> | undefined) ?? work({ name, spend: () => {} });
      stages.set(name, stage);
      // A stage that failed is done again, as in a run's directory.
      stage.catch(() => stages.delete(name));
      return stage;
    },
    totals: async () => ({ stages: [], resources: [] }) as never,
  };
}

export interface Script {
  readonly tasks: readonly string[];
  readonly method?: Method;
  readonly settings?: Partial<IterationSettings>;
  readonly request?: Pick<IterationRequest, "arm" | "shared" | "generatorSteps" | "skipUnusedVerifiers">;
  /** A run that goes on; default a new one. */
  readonly store?: ReturnType<typeof memoryStore>;
  /** The program that the generator of a checkpoint writes. */
  readonly write: (facts: { checkpoint: string; task: string; rollout: number; turn: number }) => string;
  /** For how many turns of the event loop the generator thinks; default none. */
  readonly turns?: (request: ProposeRequest) => number;
  /** The verifier's score of a program; default 0. */
  readonly score?: (program: string) => number;
}

/** Runs the whole iteration on a script and says who was asked what. */
export async function play(script: Script) {
  const store = script.store ?? memoryStore();
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
          for (let left = script.turns?.(request) ?? 0; left > 0; left--) await setImmediate();
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
      ...script.request,
    },
    { trainer, grader, store, progress: silentProgress },
  );
  const records = (name: string): unknown[] => store.logs.get(name) ?? [];
  const trajectories = (name: string): GradedTrajectory[] => records(name) as GradedTrajectory[];
  return { iterations, proposals, scored, generatorFits, verifierFits, records, trajectories };
}

/** `state → completion` of each example, a state by the programs already in it. */
export const labels = (examples: readonly GeneratorExample[]): string[] =>
  examples.map(({ taskId, conversation, completion }) => {
    const programs = conversation.filter(({ role }) => role === "assistant").map(({ content }) => content);
    return `${taskId} [${programs.join(", ")}] → ${completion}`;
  });
