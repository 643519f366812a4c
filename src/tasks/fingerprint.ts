/**
 * Names what a task becomes on its way to a model and what an answer becomes on its way back, so that results of
 * different texts or rules are told apart even where a version number was forgotten: the hash is over what they make of
 * fixed examples.
 */
import { programOf } from "./completion/program.ts";
import { renderFeedback, renderPrompt } from "./prompt.ts";
import { PROMPT_TEMPLATES, type PromptTemplateName } from "./prompt-template.ts";
import { sha256 } from "./task-set.ts";
import type { Task } from "./task.ts";

export interface Fingerprint {
  readonly name: string;
  readonly version: number;
  /** SHA-256 (hex) over the results for fixed examples. */
  readonly sha256: string;
}

export async function describePromptTemplate(template: PromptTemplateName): Promise<Fingerprint> {
  const texts = EXAMPLES.flatMap((task) => [
    ...[true, false].map((showPublicTests) => renderPrompt(task, { template, showPublicTests })),
    renderFeedback(task, "Failed: assert f(1) == 2\nGot: 1", { template, showPublicTests: true }),
  ]);
  return { name: template, version: PROMPT_TEMPLATES[template].version, sha256: await sha256(JSON.stringify(texts)) };
}

/** The rule of `programOf`. */
export async function describeExtractionRule(): Promise<Fingerprint> {
  const programs = [...EXAMPLES, BEGUN_IN_JAVASCRIPT].flatMap((task) =>
    ANSWERS.map((answer) => programOf(task, answer)),
  );
  return { name: "last-defining-block", version: 2, sha256: await sha256(JSON.stringify(programs)) };
}

const EXAMPLES: readonly Task[] = [
  {
    id: "words",
    prompt: "Add one.\n",
    language: "python",
    entryPoint: "f",
    publicTests: [{ kind: "assert", source: "assert f(1) == 2" }],
  },
  {
    id: "signature",
    prompt: 'import math\n\ndef f(x: int) -> int:\n    """Add one."""\n',
    language: "python",
    entryPoint: "f",
    publicTests: [{ kind: "assert", source: "assert f(1) == 2" }],
  },
  {
    id: "stdin",
    prompt: "Print the number plus one.",
    language: "python",
    publicTests: [{ kind: "stdin", stdin: "1\n", stdout: "2\n" }],
  },
  {
    id: "javascript",
    prompt: "Add one.",
    language: "javascript",
    entryPoint: "f",
    publicTests: [{ kind: "assert", source: "console.assert(f(1) === 2)" }],
  },
];

const BEGUN_IN_JAVASCRIPT: Task = {
  id: "signature in JavaScript",
  prompt: "const one = 1;\n\n/* Add one. */\nconst f = (x) => {\n",
  language: "javascript",
  entryPoint: "f",
  publicTests: [{ kind: "assert", source: "console.assert(f(1) === 2)" }],
};

const ANSWERS: readonly string[] = [
  "def f(x):\n    return x + 1\n",
  "    return x + 1\n",
  "Words.\n```python\na = 1\n```\nMore:\n```py\ndef f(x):\r\n    return x + 1\r\n```\n```sh\nrun\n```\n",
  "```\na = 1\n```\n````\n```\n````\n",
  "  ```python\n  def f(x):\n      return x + 1",
  "```js\nconst f = (x) => x + 1;\n```\n```python\nx\n```",
  "`f = 1`",
  " \n",
  "```python\ndef f(x):\n    return x + 1\n```\nUse it:\n```python\nprint(f(1))\n```\n",
  "```python\ndef f(x):\n    return x\n```\n```\ndef f(x):\n    return x + 1\n```\n```python\ndef f(x):\n    ...\n```\n",
  "```js\nfunction f(x) {\n  return x + 1;\n}\n```\n```sh\nnode a.js\n```\n",
  '```{.python}\ndef f(x):\n    """\n```\n"""\n    return g(x)\n```\n~~~py3\ndef g(x):\n    return x + 1\n~~~\n',
  "Sure: ```python def f(x): return x + 1\n```",
  "> [PYTHON]\n> def f(x):\n>     return x + 1\n> [/PYTHON]\n",
  "Sure:\n\ndef f(x):\n    return x + 1\n\nIt adds one.\n",
  "def f(x):\n    return x + 1\n```\nIt adds one.\n",
  "<think>\ndef f(x): return x\n</think>\nreturn x + 1\n",
  "from __future__ import annotations\ndef f(x):\n    return math.floor(x) + 1\n",
  "n = int(input())\nprint(n + 1)\n",
  "I cannot do that.",
];
