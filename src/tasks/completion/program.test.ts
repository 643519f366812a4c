import { describe, expect, it } from "vitest";
import { extractProgram, programOf, type CompletedTask } from "./program.ts";

const add: CompletedTask = { prompt: "Add two numbers.", entryPoint: "add", language: "python" };
const code = "def add(a, b):\n    return a + b\n";
const draft = "def add(a, b):\n    return a - b\n";
const fenced = (program: string, info = "python"): string => `\`\`\`${info}\n${program}\`\`\`\n`;

const addInJs: CompletedTask = { prompt: "Add two numbers.", entryPoint: "add", language: "javascript" };
const js = "function add(a, b) {\n  return a + b;\n}\n";

describe("the block that counts", () => {
  it.each([
    ["the only one", fenced(code)],
    ["the last of two that define the function", fenced(draft) + fenced(code)],
    ["not one that only uses it", `${fenced(code)}Use:\n\n${fenced("print(add(1, 2))\n")}`],
    [
      "not one that only tests it",
      fenced(code) + fenced("import unittest\n\nclass TestAdd(unittest.TestCase):\n    pass\n"),
    ],
    ["not one that imports it", fenced(code) + fenced("from solution import add\nassert add(1, 2) == 3\n")],
    ["not a test whose name begins so", fenced(code) + fenced("def add_test():\n    assert add(1, 2) == 3\n")],
    ["not a signature alone", `${fenced(code)}The signature:\n${fenced("def add(a, b):\n")}`],
    ["not a stub", fenced(code) + fenced("def add(a, b):\n    ...\n")],
    ["not a stub with a docstring", fenced(code) + fenced('def add(a, b):\n    """Adds."""\n    pass\n')],
    [
      "not a draft with something left out",
      fenced(code) + fenced("def add(a, b):\n    # ... as before\n    return c\n"),
    ],
    ["not one in another language", fenced(code) + fenced("function add(a, b) { return a + b; }\n", "js")],
    ["not a shell command", fenced(code) + fenced("python add.py\n", "bash")],
    ["not an example of output", fenced(code) + fenced("3\n", "")],
    ["not a result of that name", `${fenced(code)}Then:\n${fenced("add = 3\n")}`],
    ["one without a language", fenced(code, "")],
    ["a correction without a language", fenced(draft) + fenced(code, "")],
    ["one that is marked as text", fenced(code, "text")],
    ["one in a longer fence around it", `\`\`\`\`markdown\nSo:\n${fenced(code)}\`\`\`\`\n`],
    ["one in a fence around it that is as long", `\`\`\`markdown\nSo:\n${fenced(code)}\`\`\`\n`],
    ["one in a quotation", fenced(code).replace(/^(?=.)/gm, "> ")],
    ["one in a quotation of a quotation", fenced(code).replace(/^(?=.)/gm, "> > ")],
    ["one in a list", `1. So:\n\n   ${fenced(code).replaceAll("\n", "\n   ")}\n2. Done.`],
    ["one that begins at the mark of a list", `- ${fenced(code).replaceAll("\n", "\n  ")}\n`],
    ["one that is never closed", `So:\n\`\`\`python\n${code}`],
    ["one that the text's end left half closed", `So:\n\`\`\`python\n${code}\`\``],
    ["one that the next opening fence ends", `\`\`\`python\n${code}\`\`\`bash\nls\n\`\`\`\n`],
    [
      "one that a fence with words behind it closes",
      `\`\`\`python\n${code}\`\`\` That is all.\n\n${fenced("add(1, 2)\n")}`,
    ],
    ["one that is only closed", `${code}\`\`\`\n\nThis adds.\n`],
    ["one that is only closed, before others", `${code}\`\`\`\nUse:\n${fenced("add(1, 2)\n")}`],
    ["one that opens in a sentence", `Here you are: ${fenced(code)}Done.`],
    ["one with its first line on the fence's", `\`\`\`python def add(a, b):\n    return a + b\n\`\`\`\n`],
    ["one with its first line on the fence's, without a language", `\`\`\`def add(a, b):\n    return a + b\n\`\`\`\n`],
    ["one that closes behind its last line", `\`\`\`python\ndef add(a, b):\n    return a + b\`\`\`\nDone.`],
    ["one in tildes", `~~~python\n${code}~~~\n`],
    ["one with the language on a line of its own", `\`\`\`\npython\n${code}\`\`\`\n`],
    ["one between tags", `[PYTHON]\n${code}[/PYTHON]\n[TESTS]\nassert add(1, 2) == 3\n[/TESTS]\n`],
    ["one between tags in a sentence", `Sure! [PYTHON]\n${code}[/PYTHON]`],
    ["one in a fence between tags", `[PYTHON]\n${fenced(code)}[/PYTHON]`],
    ["one with Windows' line breaks", fenced(code).replaceAll("\n", "\r\n")],
    ["one after a thought", `<think>\n${fenced(draft)}</think>\n\n${fenced(code)}`],
    ["one with a longer closing fence", `\`\`\`python\n${code}\`\`\`\`\`\nDone.`],
    ["one with its closing fence too deep", `\`\`\`python\n${code}    \`\`\`\nDone.`],
    ["one whose fence alone is indented", `   \`\`\`python\n${code}\`\`\`\n`],
    ["one in a quotation without spaces", `>\`\`\`python\n${code.replaceAll(/^(?=.)/gm, ">")}>\`\`\`\n`],
    [
      "one without words that follow where its fence is missing",
      `\`\`\`python\n${code}\nNow use it:\n${fenced("add(1, 2)\n")}`,
    ],
    [
      "the one with all of what others explain",
      `${fenced("def add(a, b):\n")}${fenced(code)}${fenced("return a + b\n")}`,
    ],
    ["one between HTML's tags", `<details>\n\n${fenced(code)}\n</details>\n`],
    ["one after a mark of the text's beginning", `\uFEFF${fenced(code)}`],
    ["one after a thought with a program in strings", `<think>${draft}</think>${code}`],
  ])("is %s", (_, completion) => {
    expect(programOf(add, completion)).toBe(code);
  });

  it.each(
    [
      "python",
      "Python",
      "python3",
      "py",
      "py3",
      "ipython",
      "ipython3",
      "{.python}",
      "{.python .numberLines}",
      "{python}",
      'python title="add.py"',
      "python {cmd=true}",
      "python:add.py",
      "python3.11",
      "language-python",
      "add.py",
      "src/add.py",
      "python, linenos",
      ".python",
      "python=",
      " python ",
    ].map((info) => [info]),
  )("is one marked as %j", (info) => {
    expect(programOf(add, `${fenced(code, info)}Output:\n\n${fenced("def add(a, b):\n  return 0\n", "text")}`)).toBe(
      code,
    );
  });

  it.each([
    ["before a shell command", fenced(js, "js") + fenced("node add.js\n", "bash")],
    ["before another language", fenced(js, "javascript") + fenced(code)],
    ["before its use", fenced(js, "js") + fenced("const add = require('./add');\nconsole.log(add(1, 2));\n", "js")],
    ["before an import", fenced(js, "js") + fenced('import { add } from "./add.js";\nadd(1, 2);\n', "js")],
    ["before a stub", fenced(js, "js") + fenced("function add(a, b) {\n  // your code\n}\n", "js")],
    ["as one in words", `Sure:\n\n${js}\nThat is it.\n`],
  ])("is JavaScript %s", (_, completion) => {
    expect(programOf(addInJs, completion)).toBe(js);
  });

  it.each([
    "const add = (a, b) => a + b;\n",
    "const add = (a, b) => {\n  return a + b;\n};\n",
    "const add = async a => a;\n",
    "let add = function (a, b) {\n  return a + b;\n};\n",
    "var add = ((a) => (b) => a + b)(1);\n",
    "add = (a, b) => a + b;\n",
    "async function add(a, b) {\n  return a + b;\n}\n",
    "function* add() {\n  yield 1;\n}\n",
    "export default function add(a, b) {\n  return a + b;\n}\n",
    "export const add = (a, b) => a + b;\n",
    "module.exports.add = (a, b) => a + b;\n",
    "class add {\n  get() {\n    return 1;\n  }\n}\n",
    'const add = (a) => "text";\n',
    "const add = ({ a }, [b]) => {\n  return `${a}` + b;\n};\n",
  ])("is JavaScript that defines by %s", (program) => {
    expect(programOf(addInJs, `${fenced(program, "js")}Use:\n${fenced("console.log(add(1, 2));\n", "js")}`)).toBe(
      program,
    );
  });

  it.each([
    "add = lambda a, b: a + b\n",
    "async def add(a, b):\n    return a\n",
    "def add(\n    a: int,\n    b: int,\n) -> int:\n    return a + b\n",
    "@cache\ndef add(a, b): return a + b\n",
    "class add:\n    x = 1\n",
    "from operator import add as plus\n\nadd = plus\n",
  ])("is Python that defines by %s", (program) => {
    expect(programOf(add, `${fenced(program)}Use:\n${fenced("print(add(1, 2))\n")}`)).toBe(program);
  });

  it("is the one with the class or the method that is called for", () => {
    const solution = "class Solution:\n    def add(self, a, b):\n        return a + b\n";
    const completion = `${fenced(solution)}Use:\n${fenced("print(Solution().add(1, 2))\n")}`;
    for (const entryPoint of ["Solution", "Solution.add", "add"]) {
      expect(programOf({ ...add, entryPoint }, completion)).toBe(solution);
    }
  });

  it("is the one that gives a method the name that is called for", () => {
    const solution = "class Solution:\n    def add(self, a, b):\n        return a + b\n";
    expect(programOf(add, `${fenced(solution)}${fenced("add = Solution().add\n")}`)).toBe(
      `${solution}\nadd = Solution().add\n`,
    );
  });

  it("is the last even where it has an error, or was cut", () => {
    const broken = "def add(a, b):\n    retrun a + b\n";
    expect(programOf(add, fenced(code) + fenced(broken))).toBe(broken);
    const cut = "def add(a, b):\n    if a:\n        return (";
    expect(programOf(add, `${fenced(draft)}Better:\n\`\`\`python\n${cut}`)).toBe(`${cut}\n`);
  });

  it("is the last with code where none defines the function", () => {
    const other = "def sum_up(a, b):\n    return a + b\n";
    expect(programOf(add, fenced(other) + fenced("ls\n", "bash"))).toBe(other);
  });
});

describe("fences that are part of the program", () => {
  it.each([
    'def add(a, b):\n    """Sum.\n\n    ```\n    add(1, 2)\n    ```\n    """\n    return a + b\n',
    'def add(a, b):\n    """Sum.\n\n```python\nadd(1, 2)\n```\n"""\n    return a + b\n',
    'NOTE = """Use:\n```\nadd(1, 2)\n```\n"""\n\ndef add(a, b):\n    return a + b\n',
    "def add(a, b):\n    return '```' + a + b  # ```\n",
  ])("do not end its block: %j", (program) => {
    expect(programOf(add, `So:\n${fenced(program)}Then:\n${fenced("add(1, 2)\n")}`)).toBe(program);
    expect(programOf(add, program)).toBe(program);
    expect(programOf(add, `\`\`\`python\n${program}`)).toBe(program);
  });

  it.each([
    "/*\n```\nadd(1, 2)\n```\n*/\nconst add = (a, b) => a + b;\n",
    "const note = `\n\\`\\`\\`\n\n~~~\n`;\nfunction add(a, b) {\n  return a + b;\n}\n",
  ])("do not end its block in JavaScript: %j", (program) => {
    expect(programOf(addInJs, `So:\n${fenced(program, "js")}Then:\n${fenced("add(1, 2)\n", "js")}`)).toBe(program);
  });
});

describe("a program among words", () => {
  it.each([
    ["before it", `Sure, here is the function:\n\n${code}`],
    ["after it", `${code}\nThis adds the two numbers and returns their sum.\n`],
    ["around it", `Sure!\n\n${code}\nIt adds.\n\n- quick\n- short\n`],
    ["around it, indented as Markdown has it", `So:\n\n    def add(a, b):\n        return a + b\n\nDone.`],
    ["around it, after a draft", `First:\n\n${draft}\nNo, that subtracts. Better:\n\n${code}\nDone.`],
    ["and tags on its lines", `<python>${code}</python>`],
    ["in bold around it", `**Solution**\n\n${code}\n**Why**\n\nIt *adds*.\n`],
    ["without capitals around it", `here is the code:\n\n${code}\nthe function adds and returns them\n`],
    ["and a token of the end after it", `${code}<|im_end|>`],
    ["and tags", `<answer>\n${code}</answer>`],
  ])("is found with words %s", (_, completion) => {
    expect(programOf(add, completion)).toBe(code);
  });

  it("is found within a line", () => {
    expect(programOf(add, "Use `add = lambda a, b: a + b`, as in `add(1, 2)`.")).toBe("add = lambda a, b: a + b\n");
  });

  it("is found where its function has an error", () => {
    const broken = "def add(a, b):\n    return a +* b\n";
    expect(programOf(add, `Sure, here it is:\n\n${broken}\nIt adds the numbers.\n`)).toBe(broken);
  });
});

describe("no program", () => {
  it.each([
    "",
    " \n\t\n",
    "```python\n\n```\n",
    "```python",
    "I cannot help with that.",
    "No.",
    "Yes, you can add the two numbers with `+`.\n",
    "```bash\npip install numpy\n```\n",
    "The result:\n\n```\n3\n```\n",
    "<think>\n```python\ndef add(a, b):\n    return a + b\n```\nBut what of",
    "1. Add.\n2. Return.\n",
  ])("is in %j", (completion) => {
    expect(programOf(add, completion)).toBeNull();
    expect(programOf({ prompt: "Read two numbers.", language: "python" }, completion)).toBeNull();
  });

  it("is said only where there is none", () => {
    for (const text of [
      "x = 1\n",
      "import math\n",
      "def sum_up(a):\n    return a\n",
      "print(1)\n",
      "def add(a, b:\n  return a\n",
      "answer\n",
    ]) {
      expect(programOf(add, text)).toBe(text);
    }
  });
});

describe("a program in several blocks", () => {
  const helper = "def plus(a, b):\n    return a + b\n";
  const user = "def add(a, b):\n    return plus(a, b)\n";

  it("is put together where only another block defines what the last one uses", () => {
    expect(programOf(add, `${fenced(helper)}Then:\n${fenced(user)}`)).toBe(`${helper}\n${user}`);
    expect(programOf(add, `${fenced(user)}with\n${fenced(helper)}`)).toBe(`${helper}\n${user}`);
    expect(
      programOf(add, `${fenced("import math\n")}Then:\n${fenced("def add(a, b):\n    return math.fsum([a, b])\n")}`),
    ).toBe("import math\n\ndef add(a, b):\n    return math.fsum([a, b])\n");
  });

  it("takes no more of the other blocks than that", () => {
    const first = `import os\n\n${helper}\n${draft}\nprint(add(1, 2))\nlist = [1]\n`;
    expect(programOf(add, fenced(first) + fenced(user))).toBe(`${helper}\n${user}`);
    expect(programOf(add, fenced("a = 1\nsum = 2\n") + fenced("def add(a, b):\n    return sum([a, b])\n"))).toBe(
      "def add(a, b):\n    return sum([a, b])\n",
    );
  });

  it("keeps `from __future__` first", () => {
    const last = `from __future__ import annotations\n${user}`;
    expect(programOf(add, fenced(helper) + fenced(last))).toBe(
      `from __future__ import annotations\n${helper}\n${user}`,
    );
  });
});

describe("a task without an entry point", () => {
  const task: CompletedTask = { prompt: "Read two numbers, print the sum.", language: "python" };
  const program = "a, b = map(int, input().split())\nprint(a + b)\n";

  it.each([
    ["before examples", `${fenced(program)}Input:\n${fenced("1 2\n", "")}Output:\n${fenced("3\n", "")}`],
    ["before a command", `${fenced(program)}Run:\n${fenced("python a.py < in\n", "sh")}`],
    ["before a fragment", `${fenced(program)}Here this reads:\n${fenced("print(a + b)\n")}`],
    ["after a draft", fenced(program.replace("+", "-")) + fenced(program)],
    ["without a language", fenced(program, "")],
    ["among words", `Sure, this is it:\n\n${program}\nIt reads and prints.\n`],
    ["alone", program],
  ])("has the program %s", (_, completion) => {
    expect(programOf(task, completion)).toBe(program);
  });

  it("has the program of two blocks", () => {
    const solve = "def solve(a, b):\n    return a + b\n";
    const main = "a, b = map(int, input().split())\nprint(solve(a, b))\n";
    expect(programOf(task, fenced(solve) + fenced(main))).toBe(`${solve}\n${main}`);
  });
});

describe("extractProgram", () => {
  it("takes what is a program where nothing is known of the task", () => {
    expect(extractProgram("def f():\r\n    return 1\r\n\r\n")).toBe("def f():\n    return 1\n");
    expect(extractProgram("    return 1\n")).toBe("    return 1\n");
    expect(extractProgram("First:\n```python\na = 1\n```\nBetter:\n```py\na = 2\n```\n```sh\npython a.py\n```\n")).toBe(
      "a = 2\n",
    );
    expect(extractProgram("```\na = 1\n```\ntext\n```\na = 2\n```\n")).toBe("a = 2\n");
    expect(extractProgram("```js\nlet a = 1;\n```\n```python\na = 2\n```\n", "javascript")).toBe("let a = 1;\n");
    expect(extractProgram("```a = 1``` is wrong\na = 2\n")).toBe("a = 2\n");
    expect(extractProgram(" \n\t\n")).toBeNull();
  });
});
