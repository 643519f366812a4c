import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { repr, str, valuesEqual, type Value } from "./value.ts";

const values = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.string(),
    fc.integer().map((n) => ({ float: n / 8 })),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(tie("value"), { maxLength: 3 }).map((tuple) => ({ tuple })),
  ),
})).value;

describe("repr", () => {
  it.each<[Value, string]>([
    [null, "None"],
    [true, "True"],
    [-0, "0"],
    ["it's", `"it's"`],
    [`it's "so"`, `'it\\'s "so"'`],
    ["a\n\\\t\u0001", "'a\\n\\\\\\t\\x01'"],
    [[], "[]"],
    [[1, "a", [null]], "[1, 'a', [None]]"],
    [{ tuple: [] }, "()"],
    [{ tuple: [1] }, "(1,)"],
    [{ tuple: [1, 2] }, "(1, 2)"],
    [{ float: 2 }, "2.0"],
    [{ float: -0.5 }, "-0.5"],
    [{ float: -0 }, "-0.0"],
    [{ float: 1 / 3 }, "0.3333333333333333"],
    [{ float: 0.0001 }, "0.0001"],
    [{ float: 0.00001 }, "1e-05"],
    [{ float: 1e15 }, "1000000000000000.0"],
    [{ float: 1.5e16 }, "1.5e+16"],
    [{ float: Infinity }, "inf"],
  ])("writes as Python does: %j is %s", (value, text) => {
    expect(repr(value)).toBe(text);
  });

  it("is what str gives, but for text", () => {
    expect(str("a'b")).toBe("a'b");
    expect(str([1, "a"])).toBe("[1, 'a']");
  });
});

describe("valuesEqual", () => {
  it("compares numbers by value whatever their type", () => {
    expect(valuesEqual(1, true)).toBe(true);
    expect(valuesEqual({ float: 0 }, false)).toBe(true);
    expect(valuesEqual([1], [{ float: 1 }])).toBe(true);
    expect(valuesEqual(1, "1")).toBe(false);
    expect(valuesEqual(0, null)).toBe(false);
  });

  it("tells lists from tuples", () => {
    expect(valuesEqual([1], { tuple: [1] })).toBe(false);
    expect(valuesEqual({ tuple: [1, [2]] }, { tuple: [1, [2]] })).toBe(true);
  });

  it("is reflexive, symmetric, and implied by equal repr", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(valuesEqual(a, a)).toBe(true);
        expect(valuesEqual(a, b)).toBe(valuesEqual(b, a));
        expect(valuesEqual(a, b) || repr(a) !== repr(b)).toBe(true);
      }),
    );
  });
});
