/** Conversations that show, when a checkpoint is opened, whether its chat template changes contents. */
import type { ChatMessage } from "./engine.ts";

export interface TemplateProbe {
  readonly conversation: readonly ChatMessage[];
  readonly addGenerationPrompt: boolean;
}

const ROLES: readonly (readonly string[])[] = [
  ["user"],
  ["user", "assistant", "user"],
  ["user", "assistant", "user", "assistant", "user"],
  ["system", "user"],
  ["system", "user", "assistant", "user"],
];

/** What templates quote, escape, cut off, look for or take away. */
const CONTENTS: readonly string[] = [
  "Plain words",
  " \n\tPlain words, white space around them\n\n ",
  "\n\nline breaks around them\n",
  `"'\`\\ & <a href="x">&amp;</a> {{ x }} {% if x %} {# x #} %d $1`,
  "\u00E9 \u00DF \u0130 \uFB01 e\u0301 \u2028 \u{1F600}",
  "a\r\n\r\nb  c\t\td\n    e\n\n\n\nf",
  "before</think>\n\nafter",
  "<think>\nbefore\n</think>\n\nafter",
  "system user assistant tool function",
  "[INST] a [/INST] <<SYS>> b <</SYS>> ### Instruction: c\n### Response:\nd Human: e\n\nAssistant: f",
  "/no_think a /think",
  "<tool_call>\n{}\n</tool_call><tool_response>a</tool_response>```python\nb\n```",
  "12 3.50 true none",
  " ".repeat(3),
  "",
];

/** More characters of control tokens are not tried: vocabularies have thousands that are reserved. */
const MOST_NAMES = 4000;

/** Each content at each place of each conversation. `controlTokens`: their names, which contents may have in them. */
export function templateProbes(controlTokens: readonly string[]): TemplateProbe[] {
  const contents = [...CONTENTS, `a ${controlTokens.join(" b ").slice(0, MOST_NAMES)} c`];
  return ROLES.flatMap((roles) =>
    contents.map((_, shift) => ({
      conversation: roles.map((role, i) => ({ role, content: contents[(shift + 7 * i) % contents.length]! })),
      addGenerationPrompt: true,
    })),
  );
}
