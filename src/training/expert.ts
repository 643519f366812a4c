/** The local search expert π*(x): the best programs of D(x) (step 4 of the method). */
import { allSettled } from "../concurrency.ts";
import { RefusedError, VerifierError, type InfrastructureError } from "../errors.ts";
import type { Failure } from "../rollout/collect.ts";
import type { Task } from "../tasks/task.ts";
import type { Verifier } from "../verifier/verifier.ts";
import type { Attempt, GradedTrajectory } from "../rollout/graded-trajectory.ts";
import { distinctAttempts, groupByTask } from "../rollout/graded-trajectory.ts";

/**
 * What makes one program better than another:
 * - `outcome-then-verifier`: a right one before a wrong one, the verifier ranks among the right (the paper's
 *   1.0·R + 0.1·R_φ, read as it is meant: no score outweighs an outcome);
 * - `outcome`: any right one, the first found;
 * - `verifier`: the highest score, right or not.
 */
export type ExpertRule = "outcome-then-verifier" | "outcome" | "verifier";

/** `experts.get(taskId)`: best first, at least one; a task without an entry has no program to imitate under the rule. */
export type Experts = ReadonlyMap<string, readonly Attempt[]>;

export interface ExpertRequest {
  readonly tasks: readonly Task[];
  readonly experience: readonly GradedTrajectory[];
  readonly rule: ExpertRule;
  /** K: as many of a task's best programs are taken, where there are so many. */
  readonly programsPerTask: number;
  /** Needed by the rules that rank by score. */
  readonly verifier?: Verifier;
  readonly onFailure?: (failure: Failure) => void;
  /** Called after each task. */
  readonly onTask?: () => void;
}

/**
 * Ties go to the program found first. A task with a program that the verifier does not score, or refuses to, has no
 * expert and is reported to `onFailure`.
 * @throws VerifierError, RefusedError when no task at all can be ranked.
 */
export async function findExperts(request: ExpertRequest, signal?: AbortSignal): Promise<Experts> {
  const { programsPerTask, onFailure = () => undefined } = request;
  const byTask = groupByTask(request.experience);
  const experts = new Map<string, readonly Attempt[]>();
  let failed: InfrastructureError | undefined;
  await allSettled(
    request.tasks.map(async (task) => {
      const attempts = distinctAttempts(byTask.get(task.id) ?? []);
      const eligible = request.rule === "verifier" ? attempts : attempts.filter((attempt) => attempt.outcome);
      try {
        const ranked = request.rule === "outcome" ? eligible : await byScore(task, eligible, request.verifier, signal);
        if (ranked.length > 0) experts.set(task.id, ranked.slice(0, programsPerTask));
      } catch (error) {
        if (!(error instanceof VerifierError || error instanceof RefusedError)) throw error;
        failed ??= error;
        onFailure({ key: task.id, kind: error.name, message: error.message });
      }
      request.onTask?.();
    }),
  );
  if (failed !== undefined && experts.size === 0) throw failed;
  return experts;
}

/** Highest score first. */
async function byScore(
  task: Task,
  attempts: readonly Attempt[],
  verifier: Verifier | undefined,
  signal?: AbortSignal,
): Promise<readonly Attempt[]> {
  if (attempts.length <= 1) return attempts;
  if (verifier === undefined) throw new RangeError("this expert rule needs a verifier");
  const scored = await allSettled(
    attempts.map(async (attempt) => ({
      attempt,
      score: await verifier.score({ task, program: attempt.program }, signal),
    })),
  );
  // Not b − a: that is NaN for two programs that the verifier cannot read.
  const ranked = scored.toSorted((a, b) => (a.score === b.score ? 0 : a.score > b.score ? -1 : 1));
  return ranked.map(({ attempt }) => attempt);
}
