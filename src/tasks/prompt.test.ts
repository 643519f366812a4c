import { describe, expect, it } from "vitest";
import { completeProgram, extractProgram, renderPrompt } from "./prompt.ts";
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
    const text = "```\n".repeat(100_001) + "a = 1";
    const started = performance.now();
    expect(extractProgram(text)).toBe("a = 1\n");
    expect(performance.now() - started).toBeLessThan(2000);
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
