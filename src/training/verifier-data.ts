/** What the verifier learns from: the distinct programs of each task in D (step 3 of the method). */
import { createRandom, shuffled } from "../random.ts";
import type { Task } from "../tasks/task.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import { distinctAttempts, groupByTask } from "../rollout/graded-trajectory.ts";

/** For Bradley-Terry: a right and a wrong program of the same task. */
export interface VerifierPair {
  readonly task: Task;
  readonly right: string;
  readonly wrong: string;
}

/** For binary cross-entropy: a program and whether it is right. */
export interface VerifierLabel {
  readonly task: Task;
  readonly program: string;
  readonly outcome: boolean;
}

export interface VerifierDataRequest {
  readonly tasks: readonly Task[];
  readonly experience: readonly GradedTrajectory[];
  /** At most this many pairs per task, drawn without replacement; as many labels as the pairs have programs. */
  readonly pairsPerTask: number;
  readonly seed: number;
}

/** A task without a right or without a wrong program gives none. */
export function verifierPairs(request: VerifierDataRequest): VerifierPair[] {
  const byTask = groupByTask(request.experience);
  return request.tasks.flatMap((task) => {
    const attempts = distinctAttempts(byTask.get(task.id) ?? []);
    const right = attempts.filter((attempt) => attempt.outcome);
    const wrong = attempts.filter((attempt) => !attempt.outcome);
    const pairs = right.flatMap((r) => wrong.map((w) => ({ task, right: r.program, wrong: w.program })));
    return shuffled(createRandom(request.seed, "verifier-pairs", task.id), pairs).slice(0, request.pairsPerTask);
  });
}

export function verifierLabels(request: VerifierDataRequest): VerifierLabel[] {
  const byTask = groupByTask(request.experience);
  return request.tasks.flatMap((task) => {
    const attempts = distinctAttempts(byTask.get(task.id) ?? []);
    const labels = attempts.map(({ program, outcome }) => ({ task, program, outcome }));
    return shuffled(createRandom(request.seed, "verifier-labels", task.id), labels).slice(0, 2 * request.pairsPerTask);
  });
}
