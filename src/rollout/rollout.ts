/** One multi-turn conversation: write, run the public tests, feed back, until they pass or the turns are used up. */
import type { Generator } from "../generator/generator.ts";
import { proposeFitting } from "../generator/propose-fitting.ts";
import type { PublicGrader } from "../grading/grade.ts";
import { deriveSeed } from "../random.ts";
import type { PromptOptions } from "../tasks/prompt.ts";
import { programOf } from "../tasks/completion/program.ts";
import type { Task } from "../tasks/task.ts";
import type { Trajectory, Turn } from "./trajectory.ts";
import { conversationAfter } from "./trajectory.ts";

export interface RolloutSettings extends PromptOptions {
  /** T: at most this many turns. */
  readonly turns: number;
  /** 0 is greedy. */
  readonly temperature: number;
  /** New tokens per turn, at most. */
  readonly maxTokens: number;
}

export interface RolloutRequest {
  readonly task: Task;
  readonly rolloutIndex: number;
  readonly settings: RolloutSettings;
  /** With the task's id, the rollout index and the turn it fixes every sample. */
  readonly seed: number;
}

export interface RolloutParts {
  readonly generator: Generator;
  /** Only public tests may stop a rollout: no outcome can be reached through this view. */
  readonly grader: PublicGrader;
}

/** @throws GeneratorError, SandboxError: the rollout has no result then, and counts neither as right nor as wrong. */
export async function rollOut(request: RolloutRequest, parts: RolloutParts, signal?: AbortSignal): Promise<Trajectory> {
  const { task, rolloutIndex, settings, seed } = request;
  const turns: Turn[] = [];
  for (let turnIndex = 0; turnIndex < settings.turns; turnIndex++) {
    const { completions, droppedTurns } = await proposeFitting(
      parts.generator,
      {
        conversation: conversationAfter(task, turns, settings),
        seeds: [deriveSeed(seed, "rollout", task.id, rolloutIndex, turnIndex)],
        temperature: settings.temperature,
        maxTokens: settings.maxTokens,
      },
      { alreadyDropped: turns.at(-1)?.droppedTurns ?? 0, signal },
    );
    const completion = completions[0]!;
    if (completion.stopReason === "no-room" && turns.length > 0) {
      return { taskId: task.id, rolloutIndex, turns, stopReason: "context-full" };
    }
    const program = programOf(task, completion.text);
    const grade = await parts.grader.gradePublic(task, program, signal);
    turns.push({
      turnIndex,
      completion: completion.text,
      program,
      verdict: grade.verdict,
      feedback: grade.feedback,
      tokenCount: completion.tokenCount,
      ...(droppedTurns > 0 && { droppedTurns }),
      ...(completion.reasoning !== undefined && { reasoning: completion.reasoning }),
    });
    if (grade.verdict === "passed") {
      return { taskId: task.id, rolloutIndex, turns, stopReason: "public-tests-passed" };
    }
    if (completion.stopReason === "no-room") {
      return { taskId: task.id, rolloutIndex, turns, stopReason: "context-full" };
    }
  }
  return { taskId: task.id, rolloutIndex, turns, stopReason: "turn-limit" };
}
