import { describe, expect, it } from "vitest";
import { findExamples } from "./docstring-examples.ts";
import { calledNames, defines, endOfBracket, endOfLiteral } from "./python-source.ts";

describe("reading Python source", () => {
  it("finds called names outside of strings and comments", () => {
    expect(calledNames(`assert int(f (1, "g(2)")) == h(3) # k(4)`)).toEqual(["int", "f", "h"]);
    expect(calledNames("assert math.isclose(f(1), 2)")).toEqual(["f"]);
  });

  it("knows what a program defines at its top level", () => {
    const program =
      'def f(x):\n    g = 1\n\nclass C:\n    def m(self): pass\n\nh: int = lambda: 1\nk == 2\ns = """\ndef t():\n"""\n';
    for (const name of ["f", "C", "h", "s"]) expect(defines(program, name)).toBe(true);
    for (const name of ["g", "m", "k", "t", "x"]) expect(defines(program, name)).toBe(false);
  });

  it("finds the end of brackets across strings", () => {
    expect(endOfBracket("([')'], 1) + 2", 0)).toBe(10);
    expect(endOfBracket("(1, 2", 0)).toBe(-1);
  });

  it.each(["12", "-1.5e-3", "'a\\'b'", "[1, ('x', None)]", "{'a': [True]}", "()"])("takes %s for a literal", (text) => {
    expect(endOfLiteral(text, 0)).toBe(text.length);
  });

  it.each(["x", "[1, x]", "f(1)", "true", "'open", "[i for i in (1,)]"])("does not take %s for a literal", (text) => {
    expect(endOfLiteral(text, 0)).not.toBe(text.length);
  });
});

describe("findExamples", () => {
  const sources = (prompt: string) => findExamples(prompt, "f").map(({ source }) => source);

  it("reads doctests with their result on the next line, without their comment", () => {
    expect(sources('""" Do.\n    >>> f([1, 2])\n    [2]\n    >>> round(f("#"), 2) # why\n    -0.5\n"""')).toEqual([
      "assert f([1, 2]) == [2]",
      'assert round(f("#"), 2) == -0.5',
    ]);
  });

  it("reads one-line examples in the arrows people write", () => {
    const lines = [
      "f(1) == 2",
      "f(2) ➞ 3",
      "* f(3) => 4",
      "f(4) returns 'x'.",
      "f(5) should return True.",
      "f(6) # returns 7",
    ];
    expect(sources(lines.join("\n"))).toEqual([
      "assert f(1) == 2",
      "assert f(2) == 3",
      "assert f(3) == 4",
      "assert f(4) == 'x'",
      "assert f(5) == True",
      "assert f(6) == 7",
    ]);
  });

  it("leaves out what it cannot read without doubt", () => {
    expect(sources("f(aa) => 1\nf(1) == 1 + 2\nf(2) => true\nf(3\ng(4) == 5\n>>> g(5)\n6\n>>> f(x)\n7")).toEqual([]);
  });
});
