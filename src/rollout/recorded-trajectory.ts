/**
 * Programs that another project recorded, as trajectories of ours: the texts and the feedback between them are kept as
 * they were, the verdicts and outcomes are given anew by our own grader.
 */
import { allSettled } from "../concurrency.ts";
import { z } from "zod";
import type { OutcomeGrader } from "../grading/grade.ts";
import { answerOf, programOfSample, sampleSchema, type SampleText } from "../tasks/sample.ts";
import type { Task } from "../tasks/task.ts";
import { gradeOutcomes } from "./collect.ts";
import type { GradedTrajectory } from "./graded-trajectory.ts";
import type { Turn } from "./trajectory.ts";

export interface RecordedTrajectory {
  /** As the record spells it. */
  readonly taskId: string;
  /** At least one, by turn. */
  readonly completions: readonly RecordedCompletion[];
  /** `feedback[t]` was read before `completions[t + 1]` was written, where the record says. */
  readonly feedback: readonly (string | undefined)[];
}

export interface RecordedCompletion extends SampleText {
  /** What the model wrote before it, where the record keeps that apart. */
  readonly reasoning?: string;
}

const recordedId = z.union([z.string().min(1), z.int()]).transform(String);

/** A debugging trajectory in the form of LDB (arXiv 2402.16906): every program of it, and the failed asserts between them. */
const debuggingRecord = z
  .object({
    task_id: recordedId,
    implementations: z.array(z.string()).min(1),
    test_feedback: z.array(z.union([z.string(), z.array(z.string())])).default([]),
  })
  .transform((record): RecordedTrajectory => ({
    taskId: record.task_id,
    completions: record.implementations.map((text) => ({ form: "completion", text })),
    feedback: record.test_feedback.map((lines) => (typeof lines === "string" ? lines : lines.join("\n"))),
  }));

/** A single program in the field's usual form. */
const sampleRecord = sampleSchema.transform(({ taskId, ...sample }): RecordedTrajectory => ({
  taskId,
  completions: [sample],
  feedback: [],
}));

const ownTurn = z.object({ completion: z.string(), feedback: z.string(), reasoning: z.string().optional() });

/** A trajectory that mucode wrote. */
const ownRecord = z
  .object({
    taskId: z.string().min(1),
    turns: z.array(ownTurn).min(1),
  })
  .transform((record): RecordedTrajectory => ({
    taskId: record.taskId,
    completions: record.turns.map(({ completion: text, reasoning }) => ({
      form: "completion",
      text,
      ...(reasoning !== undefined && { reasoning }),
    })),
    feedback: record.turns.map(({ feedback }) => feedback),
  }));

/** One line of a file of recorded programs, in any of three forms, told by their keys. @throws ZodError */
export function readRecordedTrajectory(record: unknown): RecordedTrajectory {
  if (typeof record === "object" && record !== null) {
    if ("implementations" in record) return debuggingRecord.parse(record);
    if ("turns" in record) return ownRecord.parse(record);
  }
  return sampleRecord.parse(record);
}

export interface GradeRecordedRequest {
  readonly task: Task;
  readonly recorded: RecordedTrajectory;
  readonly rolloutIndex: number;
  /** Every completion is cut where the first of these strings begins. */
  readonly stop?: readonly string[];
}

/**
 * Grades every program of it. Feedback that was not recorded is what our own grader would have said.
 * @throws SandboxError
 */
export async function gradeRecordedTrajectory(
  request: GradeRecordedRequest,
  grader: OutcomeGrader,
  signal?: AbortSignal,
): Promise<GradedTrajectory> {
  const { task, recorded, rolloutIndex, stop = [] } = request;
  const turns = await allSettled(
    recorded.completions.map(async (completion, turnIndex): Promise<Turn> => {
      const answer = answerOf(completion, stop);
      const reasoning = completion.reasoning ?? answer.reasoning;
      const program = programOfSample(task, completion, stop);
      const grade = await grader.gradePublic(task, program, signal);
      const feedback = recorded.feedback[turnIndex] ?? grade.feedback;
      const { verdict } = grade;
      const thought = reasoning === undefined ? {} : { reasoning };
      return { turnIndex, completion: answer.text, program, verdict, feedback, tokenCount: null, ...thought };
    }),
  );
  const stopReason = turns.at(-1)?.verdict === "passed" ? "public-tests-passed" : "turn-limit";
  return gradeOutcomes(task, { taskId: task.id, rolloutIndex, turns, stopReason }, grader, signal);
}
