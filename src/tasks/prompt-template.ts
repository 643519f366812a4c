/**
 * How a task is put into words. `terse` is what the small embedded models are trained on: the problem and nothing else.
 * `instruct` is for chat models: it says what to answer with and how, at every turn. A change of a text is a new version,
 * and shows in the fingerprint that reports carry (`fingerprint.ts`).
 */
import type { Task } from "./task.ts";
import { describeTest } from "./test-text.ts";

export interface PromptTemplate {
  readonly version: number;
  /** The first user message. */
  prompt(task: Task, options: { readonly showPublicTests: boolean }): string;
  /** The user message after a failed attempt; `feedback` says what the public tests showed. */
  feedback(task: Task, feedback: string): string;
}

export const PROMPT_TEMPLATES = {
  terse: {
    version: 1,
    prompt(task, { showPublicTests }) {
      const lines = [task.prompt.trim()];
      if (task.starterCode !== undefined) lines.push(task.starterCode.trimEnd());
      else if (task.entryPoint !== undefined && !showsSignature(task)) lines.push(`Function: ${task.entryPoint}`);
      if (showPublicTests) for (const test of task.publicTests) lines.push(describeTest(test));
      return lines.join("\n");
    },
    feedback: (_task, feedback) => feedback,
  },

  instruct: {
    version: 1,
    prompt(task, { showPublicTests }) {
      const parts = showsSignature(task)
        ? [`Complete this ${LANGUAGES[task.language]} program.`, fenced(task, task.prompt.trimEnd())]
        : [task.prompt.trim()];
      if (task.starterCode !== undefined) {
        parts.push("The program begins with this code:", fenced(task, task.starterCode.trimEnd()));
      } else if (task.entryPoint !== undefined && !showsSignature(task)) {
        const kind = /^[A-Z]/.test(task.entryPoint) ? "class" : "function";
        parts.push(`The ${kind} is called \`${task.entryPoint}\`.`);
      }
      if (task.publicTests.some(({ kind }) => kind === "stdin")) {
        parts.push("The program reads from standard input and prints to standard output.");
      }
      if (showPublicTests) parts.push(showTests(task));
      return [...parts, `Answer with the whole program in ${blockName(task)}.`].join("\n\n");
    },
    feedback: (task, feedback) =>
      `A test of this program went wrong:\n\n${feedback}\n\nAnswer with the whole corrected program in ${blockName(task)}.`,
  },
} as const satisfies Record<string, PromptTemplate>;

export type PromptTemplateName = keyof typeof PROMPT_TEMPLATES;

const LANGUAGES = { python: "Python", javascript: "JavaScript" } as const satisfies Record<Task["language"], string>;

/** Whether the prompt is itself the start of a program, with the function's signature. */
function showsSignature({ prompt, entryPoint, starterCode }: Task): boolean {
  return starterCode === undefined && entryPoint !== undefined && prompt.includes(`def ${entryPoint}(`);
}

function showTests(task: Task): string {
  const asserts = task.publicTests.filter(({ kind }) => kind === "assert").map(describeTest);
  const others = task.publicTests.filter(({ kind }) => kind !== "assert").map(describeTest);
  const parts = [...(asserts.length === 0 ? [] : [fenced(task, asserts.join("\n"))]), ...others];
  return ["It has to pass these tests:", ...parts].join("\n\n");
}

function fenced({ language }: Task, code: string): string {
  return `\`\`\`${language}\n${code}\n\`\`\``;
}

function blockName({ language }: Task): string {
  return `one block that starts with \`\`\`${language}`;
}
