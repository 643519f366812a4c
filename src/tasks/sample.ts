/** A recorded sample in the form the field uses: `{"task_id", "completion"}` or `{"task_id", "solution"}`. */
import { z } from "zod";
import { programOf } from "./completion/program.ts";
import { splitReasoning, type Answer } from "./completion/reasoning.ts";
import { cutAtStop } from "./completion/stop.ts";
import type { Task } from "./task.ts";

/** A model's text. */
export interface SampleText {
  /** `completion`: goes on from the prompt, or holds a program in prose. `solution`: a whole program. */
  readonly form: "completion" | "solution";
  readonly text: string;
}

export interface SampleRecord extends SampleText {
  /** As the file spells it. */
  readonly taskId: string;
}

/** Reads one line's JSON; other fields are let through unread. */
export const sampleSchema = z
  .looseObject({
    task_id: z.union([z.string().min(1), z.int()]),
    completion: z.string().optional(),
    solution: z.string().optional(),
  })
  .refine(({ completion, solution }) => completion !== undefined || solution !== undefined, {
    message: 'expected "completion" or "solution" with the model\'s text',
  })
  .transform(({ task_id, completion, solution }): SampleRecord => {
    const taskId = String(task_id);
    // Whoever writes both means the program by `solution` and its source by `completion`.
    return solution === undefined
      ? { taskId, form: "completion", text: completion as string }
      : { taskId, form: "solution", text: solution };
  });

/** A completion without its thought, cut at the stop strings. A solution is what it is. */
export function answerOf({ form, text }: SampleText, stops: readonly string[]): Answer {
  if (form === "solution") return { text };
  const answer = splitReasoning(text);
  return { ...answer, text: cutAtStop(answer.text, stops) };
}

/** The program that a sample stands for, or `null`: see `docs/grading.md` for the rule. */
export function programOfSample(task: Task, sample: SampleText, stops: readonly string[] = []): string | null {
  const { text } = answerOf(sample, stops);
  if (sample.form === "completion") return programOf(task, text);
  return text.trim() === "" ? null : text;
}
