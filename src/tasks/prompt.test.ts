import { describe, expect, it } from "vitest";
import { describeExtractionRule, describePromptTemplate } from "./fingerprint.ts";
import { completeProgram, extractProgram, programOf, renderFeedback, renderPrompt } from "./prompt.ts";
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

describe("extractProgram", () => {
  it("takes the whole text where there is no fence, with one line break at its end", () => {
    expect(extractProgram("def f():\n    return 1")).toBe("def f():\n    return 1\n");
    expect(extractProgram("def f():\r\n    return 1\r\n\r\n")).toBe("def f():\n    return 1\n");
    expect(extractProgram("    return 1\n")).toBe("    return 1\n");
  });

  it("takes the last fenced block marked as Python, whatever comes after it", () => {
    const text = "First:\n```python\na = 1\n```\nBetter:\n```py\na = 2\n```\nRun it:\n```sh\npython a.py\n```\nDone.";
    expect(extractProgram(text)).toBe("a = 2\n");
    expect(extractProgram('```Python3 title="a.py"\na = 3\n```')).toBe("a = 3\n");
  });

  it("takes the last block where none is marked as Python", () => {
    expect(extractProgram("```\na = 1\n```\ntext\n```\na = 2\n```\n")).toBe("a = 2\n");
  });

  it("lets an unclosed fence run to the end of the text", () => {
    expect(extractProgram("Here:\n```python\ndef f():\n    return 1\n")).toBe("def f():\n    return 1\n");
  });

  it("removes the indentation of a fence in a list from its lines, and no more", () => {
    expect(extractProgram("1. So:\n   ```python\n   def f():\n       return 1\n   ```\n")).toBe(
      "def f():\n    return 1\n",
    );
    expect(extractProgram("  ```python\na = 1\n  ```\n")).toBe("a = 1\n");
  });

  it("closes a block only with a fence at least as long", () => {
    expect(extractProgram('````python\ns = """\n```\n"""\n````\n')).toBe('s = """\n```\n"""\n');
  });

  it("does not take code within a line of text for a fence", () => {
    expect(extractProgram("```a = 1``` is wrong\na = 2\n")).toBe("```a = 1``` is wrong\na = 2\n");
  });

  it("is null where only white space is left", () => {
    expect(extractProgram(" \n\t\n")).toBeNull();
    expect(extractProgram("```python\n\n```\n")).toBeNull();
    expect(extractProgram("```python")).toBeNull();
  });

  it("takes time in proportion to the text, however many fences it opens", () => {
    // With its square this would take days.
    const text = "```\n".repeat(2_000_001) + "a = 1";
    expect(extractProgram(text)).toBe("a = 1\n");
  });
});

describe("completeProgram", () => {
  const coded: Task = { ...task, prompt: stub };

  it("puts an indented body after the whole prompt", () => {
    expect(completeProgram(coded, "    return a + b\n")).toBe(`${stub}    return a + b\n`);
  });

  it("puts a whole function after what the prompt has before it", () => {
    const program = "def add(a: List, b):\n    return a + b\n";
    expect(completeProgram(coded, program)).toBe(`from typing import List\n\n\n${program}`);
  });

  it("leaves other programs, and programs of other tasks, as they are", () => {
    expect(completeProgram(coded, "x = 1\n")).toBe("x = 1\n");
    expect(completeProgram(task, "    return a + b\n")).toBe("    return a + b\n");
    expect(completeProgram(coded, null)).toBeNull();
  });
});

describe("a completion that goes on from the prompt", () => {
  it("stays the rest of the function where later text defines the function once more", () => {
    const begun = { prompt: 'def double(x):\n    """ Doubles. """\n', entryPoint: "double" };
    const completion = "    return 2 * x\n\n\ndef double(x):\n    return x\n";
    expect(programOf(begun, completion)).toBe(`${begun.prompt}${completion}`);
  });
});
