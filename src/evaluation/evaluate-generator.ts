/**
 * One generator on held-out tasks, by every protocol: a greedy rollout (its first turn is the single-turn result) and
 * multi-turn best-of-N under each selection rule. Public tests alone stop a conversation.
 */
import { allSettled } from "../concurrency.ts";
import type { Generator } from "../generator/generator.ts";
import type { OutcomeGrader } from "../grading/grade.ts";
import type { ProgressReporter } from "../progress.ts";
import { collect, gradeOutcomes } from "../rollout/collect.ts";
import type { Failure } from "../rollout/collect.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import { rollOut } from "../rollout/rollout.ts";
import { Clocks } from "../rollout/timed.ts";
import type { SearchSettings } from "../search/best-of-n.ts";
import { searchWithRules } from "../search/best-of-n.ts";
import type { SelectionRule } from "../search/selection-rules.ts";
import { VERIFIER_RULES } from "../search/selection-rules.ts";
import type { RunStore } from "../store/run-store.ts";
import type { Task } from "../tasks/task.ts";
import { rememberScores } from "../verifier/remember-scores.ts";
import type { Verifier } from "../verifier/verifier.ts";

/** A candidate of the first turn: what the verifier is examined on. */
export interface ScoredCandidate {
  readonly outcome: boolean;
  readonly passesPublicTests: boolean;
  /** `null` without a verifier, or where the score is not finite. */
  readonly score: number | null;
}

/** Everything one generator did on one task. */
export interface TaskEvaluation {
  readonly taskId: string;
  readonly greedy: GradedTrajectory;
  /** By selection rule; rules that need a verifier are missing where there is none. */
  readonly search: Readonly<Partial<Record<SelectionRule, GradedTrajectory>>>;
  /** Distinct programs among the candidates of the first turn. */
  readonly firstCandidates: readonly ScoredCandidate[];
}

export interface EvaluationRequest {
  /** Names the records inside the run: `evaluation/NAME.jsonl`. */
  readonly name: string;
  readonly tasks: readonly Task[];
  readonly settings: SearchSettings;
  readonly rules: readonly SelectionRule[];
  readonly seed: number;
  /** Tasks under way at the same time. Default: enough to fill an engine's batches. */
  readonly concurrency?: number;
}

export interface EvaluationParts {
  /** Opened only when there is something left to do; closed afterwards. */
  readonly openGenerator: () => Promise<Generator>;
  readonly verifier?: Verifier;
  readonly grader: OutcomeGrader;
  readonly store: RunStore;
  readonly progress: ProgressReporter;
  readonly signal?: AbortSignal;
}

export interface GeneratorEvaluation {
  readonly name: string;
  /** In the order of the tasks; tasks that could not be evaluated are left out. */
  readonly tasks: readonly TaskEvaluation[];
  readonly failures: readonly Failure[];
}

export async function evaluateGenerator(
  request: EvaluationRequest,
  parts: EvaluationParts,
): Promise<GeneratorEvaluation> {
  const { tasks, settings } = request;
  const { store, progress, signal } = parts;
  const name = `evaluation/${request.name}`;
  const log = await store.openRecords<TaskEvaluation>(name);
  try {
    const failures = await store.stage(name, async (context) => {
      const clocks = new Clocks();
      const stage = progress.stage(`evaluation of ${request.name}`, { total: tasks.length, unit: "tasks" });
      const generator = clocks.generator(await parts.openGenerator());
      const timed = {
        generator,
        grader: clocks.grader(parts.grader),
        ...(parts.verifier && { verifier: clocks.verifier(parts.verifier) }),
      };
      let solved = 0;
      let seen = 0;
      try {
        const collection = await collect({
          items: tasks,
          itemKey: (task) => task.id,
          recordKey: (record) => record.taskId,
          work: (task) => evaluateTask(task, request, timed, signal),
          log,
          // A task alone asks for the candidates of every rule, so few tasks fill the model's batches.
          concurrency: request.concurrency ?? Math.max(8, Math.ceil(256 / settings.candidates)),
          ...(signal && { signal }),
          onRecord: (record, { earlier }) => {
            if (record.greedy.outcomes.at(-1)) solved++;
            seen++;
            stage.advance(1, { note: `greedy solve rate ${((100 * solved) / seen).toFixed(1)} %`, earlier });
          },
        });
        stage.finish();
        return collection.failures;
      } finally {
        clocks.charge(context);
        await generator.close();
      }
    });
    const byTask = new Map(log.records.map((record) => [record.taskId, record]));
    const evaluated = tasks.map((task) => byTask.get(task.id)).filter((record) => record !== undefined);
    return { name: request.name, tasks: evaluated, failures };
  } finally {
    await log.close();
  }
}

interface TaskParts {
  readonly generator: Generator;
  readonly grader: OutcomeGrader;
  readonly verifier?: Verifier;
}

async function evaluateTask(
  task: Task,
  request: EvaluationRequest,
  parts: TaskParts,
  signal?: AbortSignal,
): Promise<TaskEvaluation> {
  const { settings, seed } = request;
  const { grader } = parts;
  const verifier = parts.verifier && rememberScores(parts.verifier);
  const rules = verifier ? request.rules : request.rules.filter((rule) => !VERIFIER_RULES.includes(rule));
  const generator = untilFailure(parts.generator);
  const [greedy, { trajectories, firstCandidates }] = await allSettled([
    rollOut({ task, rolloutIndex: 0, settings: { ...settings, temperature: 0 }, seed }, { generator, grader }, signal),
    searchWithRules(
      { task, settings, seed },
      rules,
      { generator, grader, ...(verifier && { verifier }), outcomes: grader },
      signal,
    ),
  ]);
  const programs = new Set(firstCandidates.map(({ program }) => program).filter((program) => program !== null));
  const examine = async (program: string): Promise<ScoredCandidate> => {
    const [outcome, grade, score] = await allSettled([
      grader.outcome(task, program, signal),
      grader.gradePublic(task, program, signal),
      verifier ? verifier.score({ task, program }, signal) : Promise.resolve(undefined),
    ]);
    const finite = score !== undefined && Number.isFinite(score);
    return { outcome, passesPublicTests: grade.verdict === "passed", score: finite ? score : null };
  };
  const [gradedGreedy, gradedSearch, scored] = await allSettled([
    gradeOutcomes(task, greedy, grader, signal),
    allSettled(
      rules.map(async (rule) => [rule, await gradeOutcomes(task, trajectories.get(rule)!, grader, signal)] as const),
    ),
    allSettled([...programs].map(examine)),
  ]);
  return {
    taskId: task.id,
    greedy: gradedGreedy,
    search: Object.fromEntries(gradedSearch),
    firstCandidates: scored,
  };
}

/** After a failure the task is lost, so nothing more is asked for it. */
function untilFailure(generator: Generator): Generator {
  let failed: { readonly error: unknown } | undefined;
  return {
    async propose(request, signal) {
      if (failed) throw failed.error;
      try {
        return await generator.propose(request, signal);
      } catch (error) {
        failed ??= { error };
        throw error;
      }
    },
    close: () => generator.close(),
  };
}
