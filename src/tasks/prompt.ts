/** The text of a conversation about a task; what it becomes on its way back is read in `completion/`. */
import { PROMPT_TEMPLATES, type PromptTemplateName } from "./prompt-template.ts";
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
  /** Default `terse`. */
  readonly template?: PromptTemplateName;
}

/** The first user message: the problem, the function's name, and the public tests if they are shown. */
export function renderPrompt(task: Task, options: PromptOptions): string {
  return PROMPT_TEMPLATES[options.template ?? "terse"].prompt(task, options);
}

/** The user message after a failed attempt; `feedback` says what the public tests showed. */
export function renderFeedback(task: Task, feedback: string, options: PromptOptions): string {
  return PROMPT_TEMPLATES[options.template ?? "terse"].feedback(task, feedback);
}
