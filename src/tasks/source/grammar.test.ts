import { describe, expect, it } from "vitest";
import { SourceReader } from "./grammar.ts";
import { blankText } from "./line-state.ts";

const python = new SourceReader("python");
const javascript = new SourceReader("javascript");

describe("what parses", () => {
  it.each([
    "x = [-1., 2. / 3]\n",
    "def f():\n    yield\n\n\nf()\n",
    "match x:\n    case [a, *_]: pass\n",
    "print(f'{x!r:>{width}}')\n",
    "    for x in xs:\n        pass\n    return x\n",
    "# of a function\n    return x\n",
  ])("is Python %j", (text) => {
    expect(python.parses(text)).toBe(true);
  });

  it.each([
    "x = 1\n    y = 2\n",
    "if x:\n    a\n      b\n",
    "return 1\n",
    "def f():\n",
    "It adds.\n",
    `x = ${"(".repeat(300)}\n`,
  ])("is not Python %j", (text) => {
    expect(python.parses(text)).toBe(false);
  });

  it.each(["So: const x = 1;\n", "```js\nf();\n```\n", "const f = () => {\n", "return;}\n"])(
    "is not JavaScript %j",
    (text) => {
      expect(javascript.parses(text)).toBe(false);
    },
  );

  it("ends where the words begin, and may end too early", () => {
    const code = "def f(x):\n    return x\n";
    expect(python.programLength(`${code}\nIt gives x back.\n`)).toBe(code.length + 1);
    expect(python.programLength("It gives x back.\n")).toBe(0);
    expect(python.isBeginning("def f(x):\n    return (")).toBe(true);
    expect(python.isBeginning("def f(x:\n    return x\n")).toBe(false);
  });
});

describe("statements", () => {
  it("have the names that they give a meaning", () => {
    const text =
      "import a.b, c as d\nfrom e import (f as g, h)\ni, (j, k) = l = 1\nm.n = o[p] = 2\n@q\ndef r(s): t = 1\nclass u: v = 1\nw: int\nx\ny()\n";
    expect(python.statements(text).map(({ kind, names }) => [kind, ...names])).toEqual([
      ["definition", "a", "d"],
      ["definition", "g", "h"],
      ["assignment", "i", "j", "k", "l"],
      ["assignment"],
      ["definition", "r"],
      ["definition", "u"],
      ["operand"],
      ["operand"],
      ["other"],
    ]);
    const script =
      "import a from 'a';\nconst { b, c: [d] } = e, f = (g) => g;\nfunction h(i) {\n  let j;\n}\nclass k {}\nl();\n";
    expect(javascript.statements(script).map(({ kind, names }) => [kind, ...names])).toEqual([
      ["definition", "a"],
      ["assignment", "b", "d", "f"],
      ["definition", "h"],
      ["definition", "k"],
      ["other"],
    ]);
  });

  it("use names that they do not bind", () => {
    const text =
      "def f(a, b=c, *d, **e):\n    for g, h in i:\n        j = [k for k in l if (m := k)]\n    with n as o:\n        return max(lambda p: p + q, r.s)\n    try:\n        pass\n    except t as u:\n        raise u\n";
    expect([...python.freeNames(text)].toSorted()).toEqual(["c", "i", "l", "n", "q", "r", "t"]);
    expect([...javascript.freeNames("const f = (a, { b }) => a + b + c(Math.max(d.e));\n")].toSorted()).toEqual([
      "c",
      "d",
    ]);
  });
});

describe("text without strings and comments", () => {
  it.each([
    ["python", "a = '#' + b\n", "a =     + b\n"],
    ["python", 'a = """\'\n\\""" b\n""" # c\nd\n', "a =     \n      \n       \nd\n"],
    ["python", "a = 'b\nc\n", "a =   \nc\n"],
    ["javascript", "x = `a${b}c` / 2 / 1; // d\n", "x =     b}   / 2 / 1;     \n"],
    ["javascript", "y = /[/'\"]/g; z = 1 / 2;\n", "y =        g; z = 1 / 2;\n"],
    ["javascript", "a /* b\n*/ c\n", "a     \n   c\n"],
  ] as const)("keeps its length and its lines: %s %j", (language, text, blanked) => {
    expect(blankText(text, language)).toBe(blanked);
  });
});
