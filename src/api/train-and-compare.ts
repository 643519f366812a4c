/** What a training run is made of between its first stage and its report. A plan of the run goes through it as well. */
import type { TrainConfiguration } from "../config/schema.ts";
import type { Comparison } from "../evaluation/comparison.ts";
import { compareGenerators } from "../evaluation/comparison.ts";
import type { GeneratorEvaluation } from "../evaluation/evaluate-generator.ts";
import { evaluateGenerator } from "../evaluation/evaluate-generator.ts";
import type { Grader } from "../grading/grade.ts";
import { createTaskGrader } from "../grading/task-grader.ts";
import type { ProgressReporter } from "../progress.ts";
import type { SelectionRule } from "../search/selection-rules.ts";
import { SELECTION_RULES } from "../search/selection-rules.ts";
import { prefixedStore } from "../store/prefixed-store.ts";
import type { RunStore } from "../store/run-store.ts";
import { checkSuiteName, type SuiteName } from "../tasks/suites.ts";
import type { TaskSet } from "../tasks/task.ts";
import type { Iteration, Method } from "../training/expert-iteration.ts";
import { iterateExpert } from "../training/expert-iteration.ts";
import type { Checkpoint, Trainer } from "../training/trainer.ts";
import type { Verifier } from "../verifier/verifier.ts";
import { openedOnce } from "./opened-once.ts";

export interface TrainingParts {
  readonly configuration: TrainConfiguration;
  readonly trainer: Trainer;
  readonly store: RunStore;
  readonly progress: ProgressReporter;
  readonly base: Checkpoint;
  readonly trainSet: TaskSet;
  /** The suite's own held-out tasks, then those of further suites. */
  readonly testSets: readonly TaskSet[];
  readonly signal?: AbortSignal;
}

/** By method; `mucode[0]` is the first iteration. */
export type IterationsByMethod = Readonly<Partial<Record<Method, readonly Iteration[]>>>;

export interface TrainingResult {
  readonly iterations: IterationsByMethod;
  /** `comparisons[i]` is on `testSets[i]`. */
  readonly comparisons: readonly Comparison[];
}

const COLUMN: Readonly<Record<Method, string>> = { rft: "RFT", mucode: "µCode" };

/** The baseline first: its report is there the sooner. */
function methodsOf({ method, baseline }: TrainConfiguration): readonly Method[] {
  return method === "mucode" && baseline ? ["rft", "mucode"] : [method];
}

/** The names in `evaluation.suites`, without the suite itself. @throws ConfigError for one that no suite has. */
export function furtherSuites({ evaluation, suite }: TrainConfiguration): SuiteName[] {
  const names = (evaluation.suites ?? "").split(",").map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== "" && name !== suite.name).map(checkSuiteName))];
}

/** Runs expert iteration for every method, then evaluates the base model and every result on every test set. */
export async function trainAndCompare(grader: Grader, parts: TrainingParts): Promise<TrainingResult> {
  const iterations = await trainMethods(grader, parts);
  return { iterations, comparisons: await evaluateAll(grader, iterations, parts) };
}

async function trainMethods(grader: Grader, parts: TrainingParts): Promise<IterationsByMethod> {
  const { configuration, trainSet, base } = parts;
  const taskGrader = createTaskGrader({ grader, privateTests: trainSet.privateTests });
  const result: Partial<Record<Method, readonly Iteration[]>> = {};
  for (const method of methodsOf(configuration)) {
    result[method] = await iterateExpert(
      {
        method,
        base,
        tasks: trainSet.tasks,
        settings: {
          iterations: configuration.iterations,
          rolloutsPerTask: configuration.rollout.rolloutsPerTask,
          rollout: {
            ...configuration.rollout,
            showPublicTests: configuration.suite.showPublicTests,
            template: configuration.prompt,
          },
          expertRule: configuration.relabel.rule,
          expertScope: configuration.relabel.scope,
          programsPerTask: configuration.relabel.programsPerTask,
          startFrom: configuration.generator.startFrom,
          trajectoriesPerTask: configuration.relabel.trajectoriesPerTask,
          verifierLoss: configuration.verifier.loss,
          // In terse words whatever the generator reads: how to answer is no business of who judges.
          verifierPrompt: { showPublicTests: configuration.verifier.showPublicTests },
          verifierExperience: configuration.verifier.experience,
          pairsPerTask: configuration.verifier.pairsPerTask,
          seed: configuration.seed,
        },
      },
      { ...parts, grader: taskGrader },
    );
  }
  return result;
}

async function evaluateAll(
  grader: Grader,
  iterations: IterationsByMethod,
  parts: TrainingParts,
): Promise<readonly Comparison[]> {
  const { configuration, trainer, testSets, base } = parts;
  const generators: { name: string; checkpoint: Checkpoint }[] = [
    { name: "base", checkpoint: base },
    ...methodsOf(configuration).map((method) => ({
      name: COLUMN[method],
      checkpoint: iterations[method]?.at(-1)?.generator ?? base,
    })),
  ];
  // One verifier for every generator, so that a column differs by its generator alone. RFT alone has none.
  const fitted = iterations.mucode?.at(-1)?.verifier;
  const opened = fitted && openedOnce(() => trainer.openVerifier(fitted));
  const verifier: Verifier | undefined = opened && {
    score: async (request, signal) => (await opened.get()).score(request, signal),
    close: () => opened.close(),
  };
  const { suites: _suites, ...search } = configuration.evaluation;
  const settings = {
    ...search,
    showPublicTests: configuration.suite.showPublicTests,
    template: configuration.prompt,
  };
  const evaluations = testSets.map((): GeneratorEvaluation[] => []);
  try {
    for (const { name, checkpoint } of generators) {
      const generator = openedOnce(() => trainer.openGenerator(checkpoint));
      try {
        for (const [index, testSet] of testSets.entries()) {
          const evaluation = await evaluateGenerator(
            {
              name,
              tasks: testSet.tasks,
              settings,
              rules: Object.keys(SELECTION_RULES) as SelectionRule[],
              seed: configuration.seed,
            },
            {
              ...parts,
              store: index === 0 ? parts.store : prefixedStore(parts.store, testSet.suite),
              openGenerator: async () => {
                // Before the first task: a verifier that cannot be opened is no failure of tasks.
                await opened?.get();
                const shared = await generator.get();
                return { propose: (request, signal) => shared.propose(request, signal), close: async () => {} };
              },
              ...(verifier && { verifier }),
              grader: createTaskGrader({ grader, privateTests: testSet.privateTests }),
            },
          );
          evaluations[index]!.push(evaluation);
        }
      } finally {
        await generator.close();
      }
    }
  } finally {
    await verifier?.close();
  }
  return testSets.map((testSet, index) =>
    compareGenerators({
      taskIds: testSet.tasks.map((task) => task.id),
      generators: evaluations[index]!,
      pairs: generators.flatMap(({ name: after }, place) =>
        generators.slice(0, place).map(({ name: before }) => [before, after] as const),
      ),
      seed: configuration.seed,
    }),
  );
}
