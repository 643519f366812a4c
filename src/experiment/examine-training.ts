/** What the verifiers say of programs of the tasks that they were fitted on, to show over-fitting. */
import { allSettled } from "../concurrency.ts";
import { collect } from "../rollout/collect.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import { groupByTask } from "../rollout/graded-trajectory.ts";
import type { Task } from "../tasks/task.ts";
import type { Checkpoint } from "../training/trainer.ts";
import type { EvaluateArmParts } from "./evaluate-arm.ts";
import { openVerifiers } from "./evaluate-arm.ts";
import type { ArmName, VerifierName } from "./results.ts";
import { describeProgram, type ExaminedProgram } from "./solve-task.ts";

export interface ExaminedTrainingTask {
  readonly taskId: string;
  /** By whose rollouts the programs are from. */
  readonly programs: Readonly<Partial<Record<ArmName, readonly ExaminedProgram[]>>>;
}

export interface ExamineTrainingRequest {
  readonly tasks: readonly Task[];
  readonly rollouts: Readonly<Partial<Record<ArmName, readonly GradedTrajectory[]>>>;
  readonly verifiers: Readonly<Record<VerifierName, Checkpoint>>;
}

/** As many training tasks tell over-fitting well enough. */
const MOST_TASKS = 150;
const NAME = "examination/training";

export async function examineTraining(
  { tasks, rollouts, verifiers: checkpoints }: ExamineTrainingRequest,
  { trainer, grader, store, progress, signal }: EvaluateArmParts,
): Promise<ExaminedTrainingTask[]> {
  const examined = tasks.slice(0, MOST_TASKS);
  const byArm = Object.entries(rollouts).map(([arm, list]) => [arm, groupByTask(list)] as const);
  const log = await store.openRecords<ExaminedTrainingTask>(NAME);
  try {
    await store.stage(NAME, async () => {
      const stage = progress.stage("verifiers on training tasks", { total: examined.length, unit: "tasks" });
      const verifiers = await openVerifiers(checkpoints, trainer);
      const work = async (task: Task): Promise<ExaminedTrainingTask> => {
        const programs = byArm.map(async ([arm, byTask]) => {
          const found = distinctPrograms(byTask.get(task.id) ?? []).map(async (facts) => ({
            ...facts,
            ...(await describeProgram(task, facts.program, { grader, verifiers }, signal)),
          }));
          return [arm, await allSettled(found)] as const;
        });
        return { taskId: task.id, programs: Object.fromEntries(await allSettled(programs)) };
      };
      try {
        await collect({
          items: examined,
          itemKey: (task) => task.id,
          recordKey: (record) => record.taskId,
          work,
          log,
          concurrency: 24,
          ...(signal && { signal }),
          onRecord: (_record, from) => stage.advance(1, from),
        });
        stage.finish();
      } finally {
        await allSettled(Object.values(verifiers).map((verifier) => verifier.close()));
      }
    });
    const byTask = new Map(log.records.map((record) => [record.taskId, record]));
    return examined.map(({ id }) => byTask.get(id)).filter((record) => record !== undefined);
  } finally {
    await log.close();
  }
}

/** The distinct programs of each turn. */
function distinctPrograms(trajectories: readonly GradedTrajectory[]): { turnIndex: number; program: string }[] {
  const found = new Map<string, { turnIndex: number; program: string }>();
  for (const { turns } of trajectories) {
    for (const { turnIndex, program } of turns) {
      if (program !== null) found.set(`${turnIndex} ${program}`, { turnIndex, program });
    }
  }
  return [...found.values()];
}
