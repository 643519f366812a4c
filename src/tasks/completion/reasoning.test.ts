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
});
