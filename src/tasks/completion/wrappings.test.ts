import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SourceReader } from "../source/grammar.ts";
import type { Language } from "../task.ts";
import { programOf } from "./program.ts";

/** Lines that look like fences and more, as they occur in docstrings and templates. */
const documented = fc.array(
  fc.constantFrom(
    "Adds.",
    "```",
    "```python",
    "```js",
    "    ```",
    "~~~",
    ">>> add(1, 2)",
    "> quoted",
    "<think>",
    "</think>",
    "it's",
    "[PYTHON]",
    "",
  ),
  { maxLength: 6 },
);

const pythonPart = fc.oneof(
  documented.map((lines) => `NOTE = """Note.\n${lines.join("\n")}\n"""\n`),
  documented.map(
    (lines) =>
      `def helper(x):\n    '''Helps.\n${lines.map((line) => `    ${line}`).join("\n")}\n    '''\n    return x\n`,
  ),
  fc.constantFrom(
    "import math\n",
    "from typing import List, Dict\n",
    "# a comment, it's ```\n",
    "\n",
    "LIMIT = 10 ** 9 + 7\n",
    'QUOTES = ["\'", \'"\', "\\\\", "```", "\\"\\"\\""]\n',
    "class Node:\n    def __init__(self, value):\n        self.value = value\n",
    "table = {\n    'a': 1,\n}\n",
    "@staticmethod\ndef other(a, b=1, *args, **kwargs):\n    yield a\n",
    "text = f\"{LIMIT if True else 'no'}: ```\"\n",
    "if __name__ == '__main__':\n    print(add(1, 2))\n",
    "print(add(1, 2))\n",
    "assert True, 'a'\n",
  ),
);

const pythonMain = fc.constantFrom(
  "def add(a, b):\n    return a + b\n",
  'def add(a: int, b: int) -> int:\n    """Adds.\n\n    ```\n    add(1, 2)\n    ```\n    """\n    return a + b\n',
  "def add(\n    a,\n    b,\n):\n    # ```\n    total = 0\n    for x in (a, b):\n        total += x\n\n    return total\n",
  "add = lambda a, b: a + b\n",
  "async def add(a, b):\n\treturn a + b\n",
  "class add:\n    x = 1\n",
);

const javascriptPart = fc.oneof(
  documented.map((lines) => `/*\n${lines.join("\n")}\n*/\n`),
  documented.map((lines) => `const note = \`\n${lines.join("\n").replaceAll("`", "\\`")}\n\`;\n`),
  fc.constantFrom(
    "// a comment, it's ```\n",
    "\n",
    "const pattern = /[`'\"/]+/g;\n",
    "class Node {\n  constructor(value) {\n    this.value = value;\n  }\n}\n",
    "const table = {\n  a: 1,\n};\n",
    "const half = (x) => x / 2 / 1;\n",
    "console.log(add(1, 2));\n",
  ),
);

const javascriptMain = fc.constantFrom(
  "function add(a, b) {\n  return a + b;\n}\n",
  "const add = (a, b) => a + b;\n",
  "const add = (a, b) => {\n  // ```\n  return `${a}${`${b}`}`.length;\n};\n",
  "let add = async function (a, b) {\n  return a + b;\n};\n",
);

function programs(language: Language): fc.Arbitrary<string> {
  const [part, main] = language === "python" ? [pythonPart, pythonMain] : [javascriptPart, javascriptMain];
  const parts = fc.array(part, { maxLength: 4 });
  return fc.tuple(parts, main, parts).map(([before, middle, after]) => {
    // It ends with its last statement and one line break.
    return `${[...before, middle, ...after].join("\n").trim()}\n`;
  });
}

const infos: Readonly<Record<Language, readonly string[]>> = {
  python: ["python", "py", "Python3", "ipython", "{.python}", "py3", 'python title="a.py"', ""],
  javascript: ["javascript", "js", "JS", "{.js}", "node", "jsx", ""],
};

/** The longest run of one character at the start of a line, and at least two. */
function longestFence(program: string, character: string): number {
  return Math.max(2, ...[...program.matchAll(new RegExp(`\\${character}+`, "g"))].map(([run]) => run.length));
}

type Wrap = (program: string, info: string) => string;

const quoted: Wrap = (program, info) => `\`\`\`${info}\n${program}\`\`\``.replace(/^/gm, "> ");
const listed: Wrap = (program, info) => `1. So:\n\n   \`\`\`${info}\n${program.replace(/^(?=.)/gm, "   ")}   \`\`\``;

/** Every way in which a program's own fences are told from the one around it. */
const wrappings: Readonly<Record<string, Wrap>> = {
  "no fence": (program) => program,
  "a fence": (program, info) => `\`\`\`${info}\n${program}\`\`\``,
  "a fence of tildes": (program, info) => `~~~${info}\n${program}~~~`,
  "a fence longer than all in it": (program, info) => {
    const fence = "`".repeat(longestFence(program, "`") + 1);
    return `${fence}${info}\n${program}${fence}`;
  },
  "a fence of tildes longer than all in it": (program, info) => {
    const fence = "~".repeat(longestFence(program, "~") + 1);
    return `${fence} ${info}\n${program}${fence}`;
  },
  "an indented fence": (program, info) => `  \`\`\`${info}\n${program.replace(/^(?=.)/gm, "  ")}  \`\`\``,
  "a list": listed,
  "a quotation": quoted,
  "a fence that opens in a sentence": (program, info) => `Here it is: \`\`\`${info}\n${program}\`\`\``,
  "an unclosed fence": (program, info) => `\`\`\`${info}\n${program}`,
};

const chatter = fc.constantFrom(
  "",
  "Sure, here it is:\n\n",
  "# Answer\n\nIt's simple.\n\n",
  "<think>\nHm, `add`?\n</think>\n\n",
);
const after = fc.constantFrom(
  "",
  "\n\nIt's what was asked for.\n",
  "\n\nRun it:\n\n```bash\nls\n```\n",
  "\n\nOutput:\n\n```\n3\n```\n",
  "\n\nUse:\n\n```\nadd(1, 2)\n```\n\nand\n\n```text\nit's 3\n```\n",
);

describe.each(["python", "javascript"] as const)("any program in %s", (language) => {
  const task = { prompt: "Add two numbers.", entryPoint: "add", language };

  it.each(Object.entries(wrappings))("comes back byte for byte from %s", (name, wrap) => {
    fc.assert(
      fc.property(
        programs(language),
        fc.constantFrom(...infos[language]),
        chatter,
        after,
        (program, info, before, behind) => {
          // What the text around a program may be is limited where nothing says where the program begins or ends.
          const text =
            name === "no fence" ? program : before + wrap(program, info) + (name === "an unclosed fence" ? "" : behind);
          expect(programOf(task, text)).toBe(program);
          expect(programOf(task, text.replaceAll("\n", "\r\n"))).toBe(program);
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  it("parses", () => {
    fc.assert(
      fc.property(programs(language), (program) => {
        expect(new SourceReader(language).parse(program).errorAt).toBeUndefined();
      }),
      { seed: 1 },
    );
  });
});

describe("text that nobody means well with", () => {
  const pieces = [
    "```",
    "```python\n",
    "~~~",
    "> ",
    "\n",
    "\n\n",
    "    ",
    '"""',
    "'''",
    "`",
    "${",
    "(",
    "{",
    "[PYTHON]",
    "[/PYTHON]",
    "def add(a, b):\n",
    "    return a\n",
    "class ",
    "\\",
    "/*",
    "/",
    "=",
    "<think>",
    "</think>",
    "function add(",
    "const add = ",
    "#",
    "- ",
    "x",
  ];

  it("gives a program or none, whatever it is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...pieces), { maxLength: 60 }),
        fc.constantFrom("python", "javascript"),
        (parts, language) => {
          const program = programOf({ prompt: "def add(a, b):\n", entryPoint: "add", language }, parts.join(""));
          expect(program === null || program.trim() !== "").toBe(true);
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  it.each([
    ...pieces,
    "```\n",
    '```python\n"""\n```\n',
    "```python\n\\'''\n```\n",
    "```js\n`\n```\n",
    "> ```\n",
    "> > > ```\n\n",
    "a ```x``` b `c` ",
    "- ```python\nx```\n",
    "````markdown\n```python\n",
    "def add(a, b):\n    return a\nThis is it.\n",
    "This (is) it, x = it.\n",
    "function add(\n",
    "</think>\n",
    "=/[",
    "a = (\n",
    "(a = {b: [",
    "a\n\n",
    "`${",
  ])("costs time in proportion to its length: %j many times over", (piece) => {
    const text = piece.repeat(Math.ceil(50_000 / piece.length));
    for (const language of ["python", "javascript"] as const) {
      expect(() => programOf({ prompt: "def add(a, b):\n", entryPoint: "add", language }, text)).not.toThrow();
      expect(() => programOf({ prompt: "Add.", language }, text)).not.toThrow();
    }
  });
});
