/** Stages that end a task about a list of ints. Every row: weight, Python, the same in TypeScript, closed wordings. */
import { DIGITS, type Numbers } from "./list-stage.ts";
import { compareNumbers, everyNth, exact, floorDivide, modulo, sum } from "./python-operations.ts";
import { finalStage, type FinalRow, type ResultKind, type Stage, type StageOptions } from "./stage.ts";
import type { Value } from "./value.ts";

function aggregate(
  id: string,
  options: StageOptions,
  rows: readonly FinalRow<"list">[],
  result: ResultKind = "number",
) {
  return finalStage("list", id, result, options, rows);
}

function sorted(xs: Numbers): number[] {
  return xs.toSorted(compareNumbers);
}

/** The extreme of a list, or what stands for it where the list is empty. */
function extreme(kind: "max" | "min", fallback: Value): FinalRow<"list">[2] {
  return (xs) => (xs.length === 0 ? fallback : Math[kind](...xs));
}

/** A loop with a counter, as the programs write it. */
function loop(...lines: readonly string[]): string {
  return ["n = 0", "for x in xs:", ...lines.map((line) => `    ${line}`), "return n"].join("\n    ");
}

const TOTALS: readonly Stage[] = [
  aggregate("sum", {}, [
    [1, "sum(xs)", (xs) => exact(sum(xs)), ["return the sum", "add them up", "return their total"]],
  ]),
  aggregate("count", {}, [
    [1, "len(xs)", (xs) => xs.length, ["count them", "return how many there are", "return the count"]],
  ]),
  aggregate("prod", {}, [
    [
      1,
      "n = 1\n    for x in xs:\n        n *= x\n    return n",
      (xs) => xs.reduce((product, x) => exact(product * x), 1),
      ["return the product", "multiply them all"],
    ],
  ]),
  aggregate("mean", { open: ["return the average", "return the mean"] }, [
    [
      0.6,
      "sum(xs) // len(xs) if xs else 0",
      (xs) => (xs.length > 0 ? floorDivide(sum(xs), xs.length) : 0),
      ["return the average rounded down"],
    ],
    [
      0.4,
      "sum(xs) / len(xs) if xs else 0",
      (xs) => (xs.length > 0 ? { float: sum(xs) / xs.length } : 0),
      ["return the exact average"],
    ],
  ]),
  aggregate("distinct", {}, [
    [1, "len(set(xs))", (xs) => new Set(xs).size, ["count the distinct values", "return how many values differ"]],
  ]),
  aggregate("alt", { open: ["return the alternating sum"] }, [
    [
      0.6,
      "sum(xs[::2]) - sum(xs[1::2])",
      (xs) => sum(everyNth(xs, 2)) - sum(everyNth(xs, 2, 1)),
      ["add and subtract in turn"],
    ],
    [
      0.4,
      "sum(xs[1::2]) - sum(xs[::2])",
      (xs) => sum(everyNth(xs, 2, 1)) - sum(everyNth(xs, 2)),
      ["subtract and add in turn"],
    ],
  ]),
  aggregate("countk", { open: ["count the numbers above {k}", "return how many are over {k}"], k: DIGITS }, [
    [
      0.5,
      loop("if x > {k}:", "    n += 1"),
      (xs, { k }) => xs.filter((x) => x > k).length,
      ["count the numbers greater than {k}"],
    ],
    [
      0.5,
      loop("if x >= {k}:", "    n += 1"),
      (xs, { k }) => xs.filter((x) => x >= k).length,
      ["count the numbers that are at least {k}"],
    ],
  ]),
  aggregate("upto", { open: ["add them up until {k}", "sum until you meet {k}"], k: [0, 1, 2, 3, 4, 5] }, [
    [
      0.5,
      loop("if x == {k}:", "    break", "n += x"),
      (xs, { k }) => sum(xs.slice(0, firstIndex(xs, k))),
      ["sum the numbers before the first {k}"],
    ],
    [
      0.5,
      loop("n += x", "if x == {k}:", "    break"),
      (xs, { k }) => sum(xs.slice(0, firstIndex(xs, k) + 1)),
      ["sum the numbers up to and with the first {k}"],
    ],
  ]),
  aggregate("summod", { k: [3, 4, 5, 7] }, [
    [
      1,
      "sum(xs) % {k}",
      (xs, { k }) => modulo(exact(sum(xs)), k),
      ["return the sum modulo {k}", "return the remainder of their total by {k}"],
    ],
  ]),
];

function firstIndex(xs: Numbers, x: number): number {
  const index = xs.indexOf(x);
  return index < 0 ? xs.length : index;
}

const CHOICES: readonly Stage[] = [
  aggregate("max", { open: ["return the maximum", "return the largest one", "find the biggest"] }, [
    [0.6, "max(xs, default=0)", extreme("max", 0), ["return the maximum or 0 if empty"]],
    [0.2, "max(xs, default=None)", extreme("max", null), ["return the maximum or None if empty"]],
    [0.2, "max(xs, default=-1)", extreme("max", -1), ["return the maximum or -1 if empty"]],
  ]),
  aggregate("min", { open: ["return the minimum", "return the smallest one", "find the lowest"], house: 2 }, [
    [0.6, "min(xs, default=0)", extreme("min", 0), ["return the minimum or 0 if empty"]],
    [0.2, "min(xs, default=None)", extreme("min", null), ["return the minimum or None if empty"]],
    [0.2, "min(xs, default=-1)", extreme("min", -1), ["return the minimum or -1 if empty"]],
  ]),
  aggregate("range", { open: ["return the range", "return the spread"] }, [
    [
      0.6,
      "max(xs) - min(xs) if xs else 0",
      (xs) => (xs.length > 0 ? Math.max(...xs) - Math.min(...xs) : 0),
      ["return the largest minus the smallest"],
    ],
    [
      0.4,
      "max(xs) - min(xs) + 1 if xs else 0",
      (xs) => (xs.length > 0 ? Math.max(...xs) - Math.min(...xs) + 1 : 0),
      ["return how many integers lie from the smallest to the largest"],
    ],
  ]),
  aggregate("median", { open: ["return the median", "return the middle value"] }, [
    [
      0.5,
      "sorted(xs)[len(xs) // 2] if xs else 0",
      (xs) => sorted(xs)[floorDivide(xs.length, 2)] ?? 0,
      ["return the upper median"],
    ],
    [
      0.5,
      "sorted(xs)[(len(xs) - 1) // 2] if xs else 0",
      (xs) => sorted(xs)[floorDivide(xs.length - 1, 2)] ?? 0,
      ["return the lower median"],
    ],
  ]),
  aggregate("end", { open: ["return the element at the end", "return the outer element"] }, [
    [0.5, "xs[-1] if xs else 0", (xs) => xs.at(-1) ?? 0, ["return the last element"]],
    [0.5, "xs[0] if xs else 0", (xs) => xs[0] ?? 0, ["return the first element"]],
  ]),
  aggregate(
    "nth",
    { open: ["return the element at position {n}", "return number {n} of the list"], house: 1, n: [1, 2, 3, 4] },
    [
      [0.5, "xs[{n}] if len(xs) > {n} else 0", (xs, { n }) => xs[n] ?? 0, ["return the element at index {n} from 0"]],
      [
        0.5,
        "xs[{n} - 1] if len(xs) >= {n} else 0",
        (xs, { n }) => xs[n - 1] ?? 0,
        ["return the element at index {n} from 1"],
      ],
    ],
  ),
  aggregate("argmax", { open: ["return where the largest is", "find the position of the maximum"], house: 1 }, [
    [
      0.5,
      "xs.index(max(xs)) if xs else -1",
      (xs) => xs.indexOf(Math.max(...xs)),
      ["return the index of the maximum from 0"],
    ],
    [
      0.5,
      "xs.index(max(xs)) + 1 if xs else 0",
      (xs) => xs.indexOf(Math.max(...xs)) + 1,
      ["return the index of the maximum from 1"],
    ],
  ]),
  aggregate("second", { open: ["return the second largest", "return the runner up"] }, [
    [
      0.5,
      "sorted(xs)[-2] if len(xs) > 1 else 0",
      (xs) => sorted(xs).at(-2) ?? 0,
      ["return the second largest counting copies"],
    ],
    [
      0.5,
      "sorted(set(xs))[-2] if len(set(xs)) > 1 else 0",
      (xs) => sorted([...new Set(xs)]).at(-2) ?? 0,
      ["return the second largest distinct value"],
    ],
  ]),
];

const TRUTHS: readonly Stage[] = [
  aggregate(
    "all",
    { open: ["tell if they are over {k}", "check that they are above {k}"], house: 1, k: DIGITS },
    [
      [0.5, "all(x > {k} for x in xs)", (xs, { k }) => xs.every((x) => x > k), ["tell if all are greater than {k}"]],
      [0.5, "any(x > {k} for x in xs)", (xs, { k }) => xs.some((x) => x > k), ["tell if any is greater than {k}"]],
    ],
    "truth",
  ),
  aggregate(
    "sorted",
    { open: ["tell if they are sorted", "check the order"], house: 1 },
    [
      [
        0.6,
        "xs == sorted(xs)",
        (xs) => xs.every((x, i) => i === 0 || (xs[i - 1] as number) <= x),
        ["tell if they are ascending"],
      ],
      [
        0.4,
        "xs == sorted(xs, reverse=True)",
        (xs) => xs.every((x, i) => i === 0 || (xs[i - 1] as number) >= x),
        ["tell if they are descending"],
      ],
    ],
    "truth",
  ),
];

export const AGGREGATE_STAGES: readonly Stage[] = [
  aggregate("list", {}, [[1, "xs", (xs) => xs, ["return the values", "return the result", "return them"]]], "list"),
  ...TOTALS,
  ...CHOICES,
  ...TRUTHS,
];
