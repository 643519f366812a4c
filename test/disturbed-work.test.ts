/**
 * Work that is stopped, or whose sandbox fails, at each of its steps: nothing may be left under way, no rejection may go
 * unheard, and what is resumed ends in the same result.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { InfrastructureError, SandboxError } from "../src/errors.ts";
import { evaluateGenerator } from "../src/evaluation/evaluate-generator.ts";
import { evaluateArm } from "../src/experiment/evaluate-arm.ts";
import { examineTraining } from "../src/experiment/examine-training.ts";
import { protocolsOf } from "../src/experiment/paper-mini.ts";
import type { Generator } from "../src/generator/generator.ts";
import type { OutcomeGrader } from "../src/grading/grade.ts";
import { silentProgress } from "../src/progress.ts";
import { deriveSeed } from "../src/random.ts";
import { collect } from "../src/rollout/collect.ts";
import { collectRollouts } from "../src/rollout/collect-rollouts.ts";
import type { GradedTrajectory } from "../src/rollout/graded-trajectory.ts";
import { gradeRecordedTrajectory } from "../src/rollout/recorded-trajectory.ts";
import { SELECTION_RULES, type SelectionRule } from "../src/search/selection-rules.ts";
import type { RunStore } from "../src/store/run-store.ts";
import type { Task } from "../src/tasks/task.ts";
import { iterateExpert } from "../src/training/expert-iteration.ts";
import type { Trainer, TrainingSummary } from "../src/training/trainer.ts";
import type { Verifier } from "../src/verifier/verifier.ts";
import { grader as plainGrader, memoryStore, settings, task } from "./scripted-run.ts";

const unheard: unknown[] = [];
const hear = (reason: unknown): void => void unheard.push(reason);
beforeEach(() => void process.on("unhandledRejection", hear));
afterEach(() => {
  process.off("unhandledRejection", hear);
  unheard.length = 0;
});

/** What happens at one of the steps; steps are calls of a model or of the grader, from 1. */
type Disturb = (step: { readonly index: number; readonly grades: boolean }) => void;

class Parts {
  readonly store: RunStore;
  readonly #disturb: Disturb;
  readonly #controller: AbortController;
  /** Of the steps, whether they grade. */
  readonly steps: boolean[] = [];
  underWay = 0;

  constructor(store: RunStore, disturb: Disturb = () => undefined, controller = new AbortController()) {
    this.store = store;
    this.#disturb = disturb;
    this.#controller = controller;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Takes a few turns of the event loop, more or fewer; ends early when it is aborted, as requests and programs do. */
  async #step<T>(grades: boolean, work: () => Promise<T>): Promise<T> {
    this.steps.push(grades);
    const index = this.steps.length;
    this.underWay++;
    try {
      for (let turn = deriveSeed("turns", index) % 4; turn >= 0; turn--) {
        this.signal.throwIfAborted();
        await nextTurn();
      }
      this.#disturb({ index, grades });
      this.signal.throwIfAborted();
      return await work();
    } finally {
      this.underWay--;
    }
  }

  readonly grader: OutcomeGrader = {
    gradePublic: (...request) => this.#step(true, () => plainGrader.gradePublic(...request)),
    outcome: (...request) => this.#step(true, () => plainGrader.outcome(...request)),
  };
  readonly generator: Generator = {
    propose: ({ conversation, seeds }) =>
      this.#step(false, async () =>
        seeds.map((seed) => {
          const draw = deriveSeed(seed, JSON.stringify(conversation));
          return { text: `${"rpww"[draw % 4]}${(draw >> 4) % 5}`, stopReason: "end", tokenCount: 1 };
        }),
      ),
    close: async () => undefined,
  };
  readonly verifier: Verifier = {
    score: ({ program }) => this.#step(false, async () => deriveSeed(program) / 1e9),
    close: async () => undefined,
  };
  readonly trainer: Trainer = {
    trainGenerator: (examples) => this.#step(false, async () => ({ ...summary, examples: examples.length })),
    trainVerifier: () => this.#step(false, async () => summary),
    openGenerator: () => this.#step(false, async () => this.generator),
    openVerifier: () => this.#step(false, async () => this.verifier),
  };

  get stageParts() {
    const { trainer, grader, store, signal } = this;
    return { trainer, grader, store, signal, progress: silentProgress };
  }
}

const summary: TrainingSummary = { steps: 1, examples: 0, tooLong: 0, tokens: 3, firstLoss: 1, lastLoss: 0 };
const tasks: Task[] = ["t1", "t2", "t3"].map(task);
const search = { turns: 2, candidates: 3, temperature: 1, maxTokens: 10, showPublicTests: false };
const checkpoint = { directory: "base" };

interface Work {
  readonly run: (parts: Parts) => Promise<unknown>;
  /** How many tasks of a result failed; left out where a failed grade does not cost a task. */
  readonly failed?: (result: never) => number;
}

const works: Record<string, Work> = {
  "an evaluation": {
    run: (parts) =>
      evaluateGenerator(
        { name: "base", tasks, settings: search, rules: Object.keys(SELECTION_RULES) as SelectionRule[], seed: 1 },
        { ...parts.stageParts, openGenerator: () => parts.trainer.openGenerator(checkpoint), verifier: parts.verifier },
      ),
    failed: ({ failures, tasks: evaluated }: Awaited<ReturnType<typeof evaluateGenerator>>) => {
      expect(evaluated.length + failures.length).toBe(tasks.length);
      return failures.length;
    },
  },
  "an evaluation of the experiment": {
    run: (parts) => {
      const plan = { candidates: 2, turns: 2, longTurns: 2, mostCandidates: 3 };
      const verifiers = { "bradley-terry": checkpoint, "bradley-terry-base-data": checkpoint, bce: checkpoint };
      const protocols = protocolsOf("mucode", plan);
      const request = { name: "arm", generator: checkpoint, verifiers, tasks: tasks.slice(0, 2), protocols, plan };
      return evaluateArm({ ...request, sampling: search, seed: 1, examine: true }, parts.stageParts);
    },
    failed: (records: Awaited<ReturnType<typeof evaluateArm>>) => records.filter((record) => record === null).length,
  },
  "an examination of training tasks": {
    run: (parts) => {
      const written = (taskId: string, programs: string[]): GradedTrajectory => ({
        taskId,
        rolloutIndex: 0,
        stopReason: "turn-limit",
        outcomes: programs.map(() => false),
        turns: programs.map((program, turnIndex) => ({
          turnIndex,
          completion: program,
          program,
          verdict: "failed",
          feedback: "f",
          tokenCount: 1,
        })),
      });
      const verifiers = { "bradley-terry": checkpoint, "bradley-terry-base-data": checkpoint, bce: checkpoint };
      const rollouts = { base: tasks.map(({ id }) => written(id, ["w1", "p2"])), mucode: [written("t1", ["r1"])] };
      return examineTraining({ tasks, rollouts, verifiers }, parts.stageParts);
    },
    failed: (examined: readonly unknown[]) => tasks.length - examined.length,
  },
  "expert iteration": {
    run: (parts) =>
      iterateExpert(
        { method: "mucode", tasks, base: checkpoint, settings: { ...settings, iterations: 2 } },
        parts.stageParts,
      ),
  },
  rollouts: {
    run: async (parts) => {
      const log = await parts.store.openRecords<GradedTrajectory>("trajectories");
      const stage = silentProgress.stage("rollouts", { unit: "rollouts" });
      return collectRollouts(
        { tasks, rolloutsPerTask: 2, settings: { ...search, turns: 3 }, seed: 2 },
        { generator: parts.generator, grader: parts.grader, log, stage, signal: parts.signal },
      );
    },
    failed: ({ failures }: { failures: readonly unknown[] }) => failures.length,
  },
  "recorded trajectories": {
    run: async (parts) =>
      collect({
        items: tasks,
        itemKey: ({ id }) => id,
        recordKey: ({ taskId }) => taskId,
        work: (one) => {
          const completions = ["w1", "p2", "r3"].map((text) => ({ form: "completion", text }) as const);
          const recorded = { taskId: one.id, completions, feedback: [] };
          return gradeRecordedTrajectory({ task: one, recorded, rolloutIndex: 0 }, parts.grader, parts.signal);
        },
        log: await parts.store.openRecords<GradedTrajectory>("trajectories"),
        concurrency: 2,
        signal: parts.signal,
      }),
    failed: ({ failures }: { failures: readonly unknown[] }) => failures.length,
  },
};

/** Every step where there are few, else evenly spread ones. */
function chosen(steps: number, most: number): number[] {
  const stride = Math.max(1, steps / most);
  return Array.from({ length: Math.min(steps, most) }, (_, i) => 1 + Math.floor(i * stride));
}

const reason = new DOMException("interrupted", "AbortError");

describe.each(Object.entries(works))("%s", (_name, { run, failed }) => {
  test("stopped at any step leaves nothing under way, and resumed ends in the same result", async () => {
    const undisturbed = new Parts(memoryStore());
    const result = await run(undisturbed);
    expect(undisturbed.steps.length).toBeGreaterThan(10);
    for (const index of chosen(undisturbed.steps.length, 40)) {
      const store = memoryStore();
      const controller = new AbortController();
      const stopped = new Parts(store, (step) => step.index === index && controller.abort(reason), controller);
      const error: unknown = await run(stopped).catch((thrown: unknown) => thrown);
      expect([index, stopped.underWay, error]).toEqual([index, 0, reason]);
      await nextTurn();
      expect([index, ...unheard]).toEqual([index]);
      expect([index, await run(new Parts(store))]).toEqual([index, result]);
    }
  });

  test.runIf(failed)("a sandbox that fails once, at any grade, costs that task alone", async () => {
    const undisturbed = new Parts(memoryStore());
    await run(undisturbed);
    const grades = undisturbed.steps.flatMap((isGrade, i) => (isGrade ? [i + 1] : []));
    for (const place of chosen(grades.length, 40)) {
      const index = grades[place - 1]!;
      const disturbed = new Parts(memoryStore(), (step) => {
        if (step.index === index) throw new SandboxError("the worker died");
      });
      const result = await run(disturbed);
      expect([index, failed!(result as never), disturbed.underWay]).toEqual([index, 1, 0]);
      await nextTurn();
      expect([index, ...unheard]).toEqual([index]);
    }
  });
});

test("a model that fails at any step ends expert iteration with its error, or costs a rollout", async () => {
  const { run } = works["expert iteration"]!;
  const undisturbed = new Parts(memoryStore());
  await run(undisturbed);
  const failure = new InfrastructureError("out of memory");
  for (const index of chosen(undisturbed.steps.length, 40)) {
    const disturbed = new Parts(memoryStore(), (step) => {
      if (step.index === index) throw failure;
    });
    const error: unknown = await run(disturbed).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect([null, failure]).toContain(error);
    await nextTurn();
    expect([index, disturbed.underWay, ...unheard]).toEqual([index, 0]);
  }
});
