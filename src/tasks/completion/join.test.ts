import { describe, expect, it } from "vitest";
import { programOf, type CompletedTask } from "./program.ts";

const prompt = 'from typing import List\n\n\ndef total(xs: List[int], k: int) -> int:\n    """ Sum.\n    """\n';
const head = "from typing import List\n\n\n";
const total: CompletedTask = { prompt, entryPoint: "total", language: "python" };
const body = "    s = sum(xs)\n    return s + k\n";

const scalePrompt = "const once = (x) => x;\n\n/* Times k. */\nconst scale = (xs, k) => {\n";
const scale: CompletedTask = { prompt: scalePrompt, entryPoint: "scale", language: "javascript" };
const scaleBody = "  return xs.map((x) => x * k);\n}\n";

describe("a completion of a Python prompt", () => {
  it.each([
    ["a body", body],
    ["a body behind blank lines", `\n\n${body}`],
    ["a body that begins with a comment", `    # sum up\n${body}`],
    ["a body behind a comment at the margin", `# sum up\n${body}`],
    ["a body and helpers", `    return helper(xs, k)\n\n\ndef helper(xs, k):\n    return sum(xs) + k\n`],
    ["a body and the function once more", `${body}\n\ndef total(xs, k):\n    return 0\n`],
    ["a body with a fence in a docstring", `    """Use:\n    \`\`\`\n    total([], 1)\n    \`\`\`\n    """\n${body}`],
    ["a body with another indentation in its blocks", "    if k:\n      return 1\n    return 2\n"],
  ])("is %s, which follows the prompt", (_, completion) => {
    expect(programOf(total, completion)).toBe(prompt + completion);
  });

  it("is a body in a block, or one with words behind it", () => {
    expect(programOf(total, `\`\`\`python\n${body}\`\`\`\nThat is all.`)).toBe(prompt + body);
    const loop = "    for x in xs:\n        if x:\n            return x\n\n    return k\n";
    expect(programOf(total, `${loop}\nThis looks for a number.\n`)).toBe(prompt + loop);
    expect(programOf(total, `${body}\nThis adds the numbers up and then k.\n`)).toBe(prompt + body);
    expect(programOf(total, `${body}\`\`\`\n\nThis adds the numbers up.\n`)).toBe(prompt + body);
  });

  it.each([
    ["of the first line", body.trimStart()],
    ["of the first line, a part", body.slice(1)],
    ["of all lines", body.replaceAll(/^ {4}/gm, "")],
    ["of a fence in a list", body.replaceAll(/^/gm, "  ").trimEnd()],
  ])("is a body that gets back its indentation: %s", (_, completion) => {
    expect(programOf(total, completion)?.trimEnd()).toMatch(/return s \+ k$/);
    const program = programOf(total, completion) as string;
    expect(program.replaceAll(/^ +(?=s = |return )/gm, "    ").trimEnd()).toBe((prompt + body).trimEnd());
  });

  it("may leave its helpers at the margin where its body lost the indentation", () => {
    const helper = "\n\ndef helper(xs, k):\n    return sum(xs) + k\n";
    expect(programOf(total, `k = k + 0\nreturn helper(xs, k)\n${helper}`)).toBe(
      `${prompt}    k = k + 0\n    return helper(xs, k)\n${helper}`,
    );
  });

  it("follows what the prompt has before the function where it repeats the function", () => {
    const whole = "def total(xs, k):\n    return sum(xs) + k\n";
    expect(programOf(total, whole)).toBe(head + whole);
    expect(programOf(total, prompt + body)).toBe(head + prompt + body);
    expect(programOf(total, `def helper(x):\n    return x\n\n\n${whole}`)).toBe(
      `${head}def helper(x):\n    return x\n\n\n${whole}`,
    );
    expect(programOf(total, `    ${whole.replaceAll("\n", "\n    ").trimEnd()}\n`)).toBe(head + whole);
  });

  it("keeps `from __future__` first", () => {
    const future = "from __future__ import annotations\n";
    const whole = "def total(xs, k):\n    return sum(xs) + k\n";
    expect(programOf(total, future + whole)).toBe(future + head + whole);
    expect(programOf(total, `# mine\n${future}${future}\n${whole}`)).toBe(
      `# mine\n${future}${future}${head}\n${whole}`,
    );
  });

  it("is left as it is where it is neither", () => {
    expect(programOf(total, "x = 1\n")).toBe("x = 1\n");
    expect(programOf(total, "print(total([1], 2))\n")).toBe("print(total([1], 2))\n");
    expect(programOf({ ...total, prompt: "Sum." }, body)).toBe(body);
  });

  it("follows the prompt with its errors where it begins inside the function", () => {
    for (const broken of ["    retrun xs k\n", "    for x in xs:\n        if (\n"]) {
      expect(programOf(total, broken)).toBe(prompt + broken);
    }
  });

  it("is joined to the code of a prompt with words around it", () => {
    const words = `Complete this:\n\n\`\`\`python\n${prompt}\`\`\`\n`;
    expect(programOf({ ...total, prompt: words }, body)).toBe(prompt + body);
    expect(programOf({ ...total, prompt: words }, "def total(xs, k):\n    return k\n")).toBe(
      `${head}def total(xs, k):\n    return k\n`,
    );
    const bare = "Write this function:\n\ndef total(xs, k):\n";
    expect(programOf({ ...total, prompt: bare }, "def total(xs, k):\n    return k\n")).toBe(
      "def total(xs, k):\n    return k\n",
    );
  });

  it("is the body of a method", () => {
    const method = "class Solution:\n    def total(self, xs, k):\n";
    for (const entryPoint of ["total", "Solution.total"]) {
      const task = { ...total, prompt: method, entryPoint };
      expect(programOf(task, "        return sum(xs) + k\n")).toBe(`${method}        return sum(xs) + k\n`);
      const whole = `${method}        return sum(xs) + k\n`;
      expect(programOf(task, `\`\`\`python\n${whole}\`\`\`\n`)).toBe(whole);
      expect(programOf(task, "```python\ndef total(self, xs, k):\n    return sum(xs) + k\n```\n")).toBe(
        "class Solution:\n    def total(self, xs, k):\n        return sum(xs) + k\n",
      );
    }
  });
});

describe("a completion of a JavaScript prompt", () => {
  it.each([
    ["a body", scaleBody],
    ["a body that begins with a comment", `  // each\n${scaleBody}`],
    ["a body and helpers", `  return xs.map((x) => by(x, k));\n}\n\nfunction by(x, k) {\n  return x * k;\n}\n`],
    ["a body at the margin", "return xs.map((x) => x * k);\n}\n"],
    ["a body with a template", "  return `${xs.map((x) => `\n${x * k}`)}`;\n};\n"],
  ])("is %s, which follows the prompt", (_, completion) => {
    expect(programOf(scale, completion)).toBe(scalePrompt + completion);
    expect(
      programOf(scale, `\`\`\`js\n${completion}\`\`\`\nUse:\n\`\`\`js\nconsole.log(scale([1], 2));\n\`\`\`\n`),
    ).toBe(scalePrompt + completion);
  });

  it("follows what the prompt has before the function where it repeats the function", () => {
    const whole = "const scale = (xs, k) => {\n  return xs.map(once);\n};\n";
    const before = "const once = (x) => x;\n\n/* Times k. */\n";
    expect(programOf(scale, whole)).toBe(before + whole);
    expect(programOf(scale, `\`\`\`js\n${whole}\`\`\`\n`)).toBe(before + whole);
  });

  it("declares no name twice", () => {
    const completion = `${scalePrompt}${scaleBody}`;
    expect(programOf(scale, completion)).toBe(`\n\n/* Times k. */\n${completion}`);
  });
});
