import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { programOf } from "./completion/program.ts";
import { topLevelStatements } from "./python-statements.ts";
import { parsePythonTask } from "./python-task.ts";

const lines = (...text: string[]): string => `${text.join("\n")}\n`;

describe("the statements of a Python file", () => {
  it("are whole, whatever brackets, strings, comments and decorators they hold", () => {
    const source = lines(
      '"""Words: def f(): in a string',
      "assert nothing",
      '"""',
      "import os  # it's a comment with a quote",
      "@cache",
      "# between",
      "@other(1)",
      "def f(a,",
      "      b):",
      "    if a:",
      "        return ')'",
      "# at the margin",
      "    else_ = 1",
      "",
      "    return b",
      "assert f(1, [",
      "  2]) == 'it''s' \\",
      "  '#'",
      "try:",
      "    pass",
      "except E:",
      "    pass",
    );
    expect(topLevelStatements(source).map(({ kind, line }) => [kind, line])).toEqual([
      ["docstring", 1],
      ["other", 4],
      ["function", 5],
      ["assert", 16],
      ["other", 19],
    ]);
    expect(topLevelStatements(source)[2]?.text).toContain("return b");
  });
});

describe("a task from a Python file", () => {
  it("is the module's docstring and the stub's signature, with asserts as public tests", () => {
    const { task, notes } = parsePythonTask(
      lines(
        '"""Return the n-th Fibonacci number."""',
        "import math",
        "",
        "def fib(n: int) -> int:",
        "    ...",
        "",
        "# examples",
        "assert fib(0) == 0",
        "assert fib(10) == 55",
      ),
      "fib.py",
    );
    expect(task).toEqual({
      id: "fib.py",
      prompt: lines('"""Return the n-th Fibonacci number."""', "", "import math", "", "def fib(n: int) -> int:"),
      language: "python",
      entryPoint: "fib",
      publicTests: [
        { kind: "assert", source: "assert fib(0) == 0" },
        { kind: "assert", source: "assert fib(10) == 55" },
      ],
    });
    expect(notes).toEqual([]);
    expect(programOf(task, "```python\ndef fib(n):\n    return n\n```")).toBe(
      lines('"""Return the n-th Fibonacci number."""', "", "import math", "", "def fib(n):", "    return n"),
    );
  });

  it("keeps the stub's own docstring and its helpers; what stands after it runs before the tests, unseen", () => {
    const { task } = parsePythonTask(
      lines(
        "def double(x):",
        "    return 2 * x",
        "",
        "def four(x):",
        '    """Four times x,',
        "    using double.",
        '    """',
        "    raise NotImplementedError('later')",
        "",
        "def close(a, b):",
        "    return abs(a - b) < 1e-9",
        'if __name__ == "__main__":',
        "    assert close(four(1), 4)",
        "    text = '''",
        "kept'''",
        "    assert four(2) == 8, text",
      ),
      "four.py",
    );
    expect(task.entryPoint).toBe("four");
    expect(task.prompt).toBe(
      lines(
        "def double(x):",
        "    return 2 * x",
        "",
        "def four(x):",
        '    """Four times x,',
        "    using double.",
        '    """',
      ),
    );
    expect(task.publicTests.map((test) => test.kind === "assert" && test.source)).toEqual([
      "assert close(four(1), 4)",
      "assert four(2) == 8, text",
    ]);
    expect(task.setupCode).toBe(lines("def close(a, b):", "    return abs(a - b) < 1e-9", "text = '''", "kept'''"));
  });

  it("drops a body that is no stub, and says so", () => {
    const { task, notes } = parsePythonTask(
      lines("# Add two numbers.", "def add(a, b):", "    return a - b", "assert add(1, 2) == 3"),
      "add.py",
    );
    expect(task.prompt).toBe(lines("# Add two numbers.", "", "def add(a, b):"));
    expect(notes).toEqual(["add has a body already: it is left out, and the function is written anew"]);
  });

  it("may be words and asserts alone: the function is the one that nothing defines", () => {
    const { task } = parsePythonTask(
      lines("#!/usr/bin/env python3", "# Sort the words", "# by length.", "assert len(by_length(['aa', 'b'])) == 2"),
      "sort.py",
    );
    expect(task).toMatchObject({ prompt: "Sort the words\nby length.", entryPoint: "by_length" });
  });

  it("takes test functions without parameters as tests", () => {
    const { task } = parsePythonTask(
      lines('"""Negate."""', "def test_neg():", "    assert neg(1) == -1", "    assert neg(0) == 0"),
      "neg.py",
    );
    expect(task.publicTests).toEqual([
      { kind: "assert", source: "def test_neg():\n    assert neg(1) == -1\n    assert neg(0) == 0\n\ntest_neg()" },
    ]);
    expect(task.entryPoint).toBe("neg");
  });

  it("may ask for a class in words, but not hold it: it would run over what was written", () => {
    const asks = '"""A class Box whose get() is 1."""\n';
    const test = "assert Box().get() == 1\n";
    expect(parsePythonTask(asks + test, "box.py").task).not.toHaveProperty("entryPoint");
    expect(() => parsePythonTask(`${asks}class Box:\n    def get(self): ...\n${test}`, "box.py")).toThrow(
      /box\.py leaves nothing to write/,
    );
  });

  it("needs a test and words, and says which is missing", () => {
    expect(() => parsePythonTask('"""Words."""\n', "a.py")).toThrow(ConfigError);
    expect(() => parsePythonTask('"""Words."""\n', "a.py")).toThrow(/a\.py has no test: expected an assert/);
    expect(() => parsePythonTask("def f(x):\n    pass\nassert f(1)\n", "b.py")).toThrow(
      /b\.py does not say what to write.*a docstring in f/,
    );
  });
});
