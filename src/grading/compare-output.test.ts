import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StdinTest } from "../tasks/task.ts";
import { outputMatches } from "./compare-output.ts";

type Rule = Pick<StdinTest, "comparison" | "tolerance">;

describe("comparing output", () => {
  test.each<[string, string, Rule, boolean]>([
    ["1 2\n3\n", "1  2 3", {}, true],
    ["1 2", "1 3", {}, false],
    ["1.0", "1", {}, false],
    ["12", "1 2", {}, false],
    ["a\nb\n", "a\nb", { comparison: "lines" }, true],
    [" a \nb\n\n", "a\nb ", { comparison: "lines" }, true],
    ["a b", "a\nb", { comparison: "lines" }, false],
    ["a\n\nb", "a\nb", { comparison: "lines" }, false],
    ["b\na\n", "a\nb", { comparison: "lines" }, false],
    ["b\na\n", "a\nb", { comparison: "unordered-lines" }, true],
    ["b\nb\n", "a\nb", { comparison: "unordered-lines" }, false],
    ["a\nb\n", "a\nb", { comparison: "exact" }, true],
    ["a \nb\n", "a\nb", { comparison: "exact" }, false],
    [" a", "a", { comparison: "exact" }, false],
    ["1.0 2.50\nYES", "1 2.5\nYES", { comparison: "lines", tolerance: 0 }, true],
    ["1e2 -0", "100 0.0", { tolerance: 0 }, true],
    ["50000000000000000", "50000000000000001", { tolerance: 0 }, false],
    ["0.1", "0.10000000000000000000001", { tolerance: 0 }, false],
    ["1", "-1", { tolerance: 0 }, false],
    ["yes", "YES", { tolerance: 1 }, false],
    ["3.14159", "3.14160", { tolerance: 1e-4 }, true],
    ["3.14", "3.15", { tolerance: 1e-4 }, false],
    ["1000000", "1000001", { tolerance: 1e-5 }, true],
    ["nan", "nan", { tolerance: 1e-5 }, true],
    ["inf", "1", { tolerance: 1e-5 }, false],
    ["1e999999999", "1", { tolerance: 1e-5 }, false],
    ["", "", { tolerance: 0 }, true],
    ["", "0", { tolerance: 1 }, false],
  ])("%j for %j under %j: %s", (printed, stdout, rule, matches) => {
    expect(outputMatches(printed, { stdout, ...rule })).toBe(matches);
  });

  test("with tolerance 0 numbers are equal exactly if they are the same decimal number", () => {
    const parts = fc.tuple(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), fc.integer({ min: 0, max: 6 }));
    const written = ([value, zeros]: [bigint, number]): string[] => [
      `${value}`,
      `${value}${zeros > 0 ? "." : ""}${"0".repeat(zeros)}`,
      `${value * 10n ** BigInt(zeros)}e-${zeros}`,
    ];
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        for (const left of written(a))
          for (const right of [...written(b), ...written(a)]) {
            const equal = written(a).includes(right) || a[0] === b[0];
            expect(outputMatches(left, { stdout: right, tolerance: 0 })).toBe(equal);
          }
      }),
    );
  });

  test("every rule accepts what was expected", () => {
    const rules: Rule[] = [
      ...(["words", "lines", "unordered-lines", "exact"] as const).map((comparison) => ({ comparison })),
      { tolerance: 0 },
      { comparison: "lines", tolerance: 1e-6 },
    ];
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...rules), (text, rule) => {
        expect(outputMatches(`${text}\n`, { stdout: text, ...rule })).toBe(true);
      }),
    );
  });
});
