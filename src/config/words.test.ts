import { describe, expect, it } from "vitest";
import { fillPlaceholders, joinWords, parseEnvironment, splitWords } from "./words.ts";

describe("words of a command", () => {
  it.each([
    ["torchrun  --nproc_per_node 2\n", ["torchrun", "--nproc_per_node", "2"]],
    [`sh -c 'echo "a  b"' "it's \\"so\\""`, ["sh", "-c", 'echo "a  b"', `it's "so"`]],
    [`--kwargs '{"min": 0.1}' a\\ b ''`, ["--kwargs", '{"min": 0.1}', "a b", ""]],
    ["  ", []],
  ])("%j are split as a shell splits them", (text, words) => {
    expect(splitWords(text, "k")).toEqual(words);
    expect(splitWords(joinWords(words), "k")).toEqual(words);
  });

  it("are shown as they would be typed", () => {
    expect(joinWords(["vllm", "serve", "my model", '--x={"a":1}', "it's", "{1,2}"])).toBe(
      `vllm serve 'my model' '--x={"a":1}' 'it'\\''s' '{1,2}'`,
    );
  });

  it("with an open quote are refused", () => {
    expect(() => splitWords(`say "hello`, "trainer.launcher")).toThrow(/trainer\.launcher: a " is not closed/);
  });

  it("get values for placeholders alone", () => {
    expect(fillPlaceholders(["--x={data}/{seed}", '{"a": 1}'], { data: "d", seed: "1" }, "k")).toEqual([
      "--x=d/1",
      '{"a": 1}',
    ]);
    expect(() => fillPlaceholders(["{constructor}"], { data: "d" }, "k")).toThrow(/known are \{data\}/);
  });

  it("set variables", () => {
    expect(parseEnvironment(`A=1 B="x y" C=`, "k")).toEqual({ A: "1", B: "x y", C: "" });
    expect(() => parseEnvironment("A=1 B", "k")).toThrow(/"B" sets no variable/);
  });
});
