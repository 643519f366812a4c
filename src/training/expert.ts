/** The local search expert π*(x): the best program of D(x) (step 4 of the method). */
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

/** `experts.get(taskId)`; a task without an entry has no program to imitate under the rule. */
export type Experts = ReadonlyMap<string, Attempt>;

export interface ExpertRequest {
  readonly tasks: readonly Task[];
  readonly experience: readonly GradedTrajectory[];
  readonly rule: ExpertRule;
  /** Needed by the rules that rank by score. */
  readonly verifier?: Verifier;
}

/** Ties go to the program found first. */
export async function findExperts(request: ExpertRequest, signal?: AbortSignal): Promise<Experts> {
  const byTask = groupByTask(request.experience);
  const experts = new Map<string, Attempt>();
  await Promise.all(
    request.tasks.map(async (task) => {
      const attempts = distinctAttempts(byTask.get(task.id) ?? []);
      const eligible = request.rule === "verifier" ? attempts : attempts.filter((attempt) => attempt.outcome);
      const expert =
        request.rule === "outcome" ? eligible[0] : await highestScored(task, eligible, request.verifier, signal);
      if (expert) experts.set(task.id, expert);
    }),
  );
  return experts;
}

async function highestScored(
  task: Task,
  attempts: readonly Attempt[],
  verifier: Verifier | undefined,
  signal?: AbortSignal,
): Promise<Attempt | undefined> {
  if (attempts.length <= 1) return attempts[0];
  if (verifier === undefined) throw new RangeError("this expert rule needs a verifier");
  const scores = await Promise.all(
    attempts.map((attempt) => verifier.score({ task, program: attempt.program }, signal)),
  );
  return attempts[scores.indexOf(Math.max(...scores))];
}
