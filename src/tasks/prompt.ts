/** The text of a conversation about a task: prompt in, program out. */
import type { Task } from "./task.ts";

/** One message of a conversation, in the form every chat template takes. */
export interface Message {
  readonly role: "user" | "assistant";
  readonly content: string;
}

/** A task's prompt and earlier attempts: user, assistant, user, … ending with a user message when a program is asked for. */
export type Conversation = readonly Message[];

export interface PromptOptions {
  /** Whether the public tests stand in the prompt. */
  readonly showPublicTests: boolean;
}

/** The first user message: the problem, the function's name, and the public tests if they are shown. */
export function renderPrompt(task: Task, options: PromptOptions): string {
  const lines = [task.prompt.trim()];
  if (task.entryPoint !== undefined && !task.prompt.includes(`def ${task.entryPoint}(`)) {
    lines.push(`Function: ${task.entryPoint}`);
  }
  if (options.showPublicTests) for (const test of task.publicTests) lines.push(test.source);
  return lines.join("\n");
}

/**
 * The program in a completion: the last fenced block marked as Python, else the last fenced block, else the whole
 * text. An unclosed fence runs to the end of the text. `null` when nothing but white space is left.
 */
export function extractProgram(completion: string): string | null {
  const fences = [...completion.matchAll(/^[ \t]*```[ \t]*(\w*)[^\n]*\n([\s\S]*?)(?:^[ \t]*```[ \t]*$|$(?![\s\S]))/gm)];
  const python = fences.filter((fence) => /^(python|py|python3)$/i.test(fence[1] ?? ""));
  const chosen = python.at(-1) ?? fences.at(-1);
  const program = (chosen ? (chosen[2] ?? "") : completion).replace(/\r\n/g, "\n").trimEnd();
  return program.trim() === "" ? null : `${program}\n`;
}
