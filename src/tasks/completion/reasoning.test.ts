import { describe, expect, it } from "vitest";
import { splitReasoning } from "./reasoning.ts";

describe("thoughts of reasoning models", () => {
  it("are taken off the start of the text", () => {
    expect(splitReasoning("\n<think>\nfirst, then\n</think>\n\nanswer </think> stays")).toEqual({
      reasoning: "first, then",
      text: "answer </think> stays",
    });
  });

  it("may have begun in the prompt", () => {
    expect(splitReasoning("so 4.\n</think>\nanswer")).toEqual({ reasoning: "so 4.", text: "answer" });
  });

  it("leave no answer when they were cut off", () => {
    expect(splitReasoning("<think>and on and on")).toEqual({ reasoning: "and on and on", text: "" });
  });

  it("are not seen in answers that speak of the tag", () => {
    const text = "def f(s):\n    return s.replace('<think>', '').replace('</think>', '')\n";
    expect(splitReasoning(text)).toEqual({ text });
    expect(splitReasoning("")).toEqual({ text: "" });
  });

  it.each([
    ["<thinking>hm</thinking>\n", ""],
    ["<Thought>hm</Thought>", ""],
    ["<reasoning>\nhm\n</reasoning>\n\n", ""],
    ["[THINK]hm[/THINK]", ""],
    ["◁think▷hm◁/think▷", ""],
    ["<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>", ""],
    ["<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>", "<|return|>"],
    ["<think>it ends with `</think>`, hm</think>", ""],
    ["hm\n</think>\n\n", ""],
    ["<think>h</think>\n<think>m</think>\n", ""],
    ["analysisHm, so.assistantfinal", ""],
    ["  <think>\n```python\nx = 1\n```\n</think>\n", ""],
  ])("are known by the marks of %j", (before, after) => {
    const answer = "def f():\n    return 1";
    const { text, reasoning } = splitReasoning(before + answer + after);
    expect(text).toBe(answer);
    expect(reasoning).toMatch(/h|x/i);
    expect(splitReasoning(text)).toEqual({ text });
  });

  it("leave the answer its indentation", () => {
    expect(splitReasoning("<think>hm</think>\n\n    return 1\n").text).toBe("    return 1\n");
  });

  it.each([
    's = """\n</think>\n"""\n',
    '```python\ns = """\n</think>\n"""\n```\n',
    "```js\n/*\n</think>\n*/\nf();\n```\n",
    "The answer:\n<think>\nno\n</think>\n",
    "It ends with </think>, as a rule.\n",
  ])("are not seen in %j", (text) => {
    expect(splitReasoning(text)).toEqual({ text });
  });

  it("may stand before a program that speaks of the tag", () => {
    const text = 's = """\n</think>\n"""\n';
    const block = `\`\`\`python\n${text}\`\`\`\n`;
    expect(splitReasoning(`so.\n</think>\n${block}`)).toEqual({ text: block, reasoning: "so." });
  });
});
