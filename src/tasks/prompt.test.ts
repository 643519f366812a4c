import { describe, expect, it } from "vitest";
import { describeExtractionRule, describePromptTemplate } from "./fingerprint.ts";
import { renderFeedback, renderPrompt } from "./prompt.ts";
import type { Task } from "./task.ts";

const task: Task = {
  id: "t/1",
  prompt: "  Add two numbers. \n",
  language: "python",
  entryPoint: "add",
  publicTests: [{ kind: "assert", source: "assert add(1, 2) == 3" }],
};

const stub = 'from typing import List\n\n\ndef add(a: int, b: int) -> int:\n    """ Add.\n    """\n';

describe("renderPrompt", () => {
  it("gives the problem, the function's name, and the public tests where they are shown", () => {
    expect(renderPrompt(task, { showPublicTests: false })).toBe("Add two numbers.\nFunction: add");
    expect(renderPrompt(task, { showPublicTests: true })).toBe(
      "Add two numbers.\nFunction: add\nassert add(1, 2) == 3",
    );
  });

  it("does not name a function whose signature stands in the prompt", () => {
    expect(renderPrompt({ ...task, prompt: stub }, { showPublicTests: false })).toBe(stub.trim());
  });
});

describe("the instruct template", () => {
  const options = { showPublicTests: true, template: "instruct" } as const;

  it("says what to answer with, and how", () => {
    expect(renderPrompt(task, options)).toBe(
      "Add two numbers.\n\nThe function is called `add`.\n\nIt has to pass these tests:\n\n" +
        "```python\nassert add(1, 2) == 3\n```\n\n" +
        "Answer with the whole program in one block that starts with ```python.",
    );
    expect(renderPrompt({ ...task, prompt: stub }, { ...options, showPublicTests: false })).toBe(
      `Complete this Python program.\n\n\`\`\`python\n${stub}\`\`\`\n\n` +
        "Answer with the whole program in one block that starts with ```python.",
    );
  });

  it("asks for the whole program again after feedback; the terse one gives the feedback alone", () => {
    expect(renderFeedback(task, "Failed: x", options)).toContain(
      "Failed: x\n\nAnswer with the whole corrected program",
    );
    expect(renderFeedback(task, "Failed: x", { showPublicTests: true })).toBe("Failed: x");
  });

  it("has a fingerprint of its own, and so has the extraction rule", async () => {
    const [terse, instruct, extraction] = await Promise.all([
      describePromptTemplate("terse"),
      describePromptTemplate("instruct"),
      describeExtractionRule(),
    ]);
    expect(terse.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set([terse.sha256, instruct.sha256, extraction.sha256]).size).toBe(3);
    expect(await describePromptTemplate("terse")).toEqual(terse);
  });
});
