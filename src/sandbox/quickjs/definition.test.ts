import { expect, test } from "vitest";
import { unitsOf } from "./definition.ts";

const F = "function f(x) {\n  return x;\n}\n";

test("a program comes apart at the last statement that binds the entry point", () => {
  const { definition, after } = unitsOf(`const T = [];\n${F}T.push(1);\nconsole.log(T);\nf(1);\n`, "f");
  expect(definition.trimEnd()).toBe(`const T = [];\n${F}`.trimEnd());
  expect(after).toEqual(["\n\n\n\nT.push(1);"]);
});

test("what does not parse leaves the lines before it, and a program without the entry point is left whole", () => {
  expect(unitsOf(`${F}f([1, 2`, "f")).toEqual({ definition: F.replace(/\n$/, ""), after: [] });
  expect(unitsOf("const g = 1;\ng +;\n", "f")).toEqual({ definition: "const g = 1;\ng +;\n", after: [] });
});

// With a parser that recovers from errors, the first of these takes all memory there is.
test.each(["{(", "```\n", "(", "=/[", "`${", "x=>", "function f(", "a;\n", "({})\n", "a?b:", "class a{"])(
  "text made of %j is read within bounds",
  (piece) => {
    const many = piece.repeat(90_000 / piece.length);
    for (const program of [F + many, `${many}\n${F}`, many.repeat(5)]) {
      const { definition, after } = unitsOf(program, "f");
      expect(definition.length).toBeLessThanOrEqual(program.length);
      expect(after.length).toBeLessThanOrEqual(101);
    }
  },
);
