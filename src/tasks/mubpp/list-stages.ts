/** Stages that order, cut or rebuild a list of ints. Every row: weight, Python, the same in TypeScript, closed wordings. */
import { listStage as list } from "./list-stage.ts";
import {
  compareNumbers,
  everyNth,
  firstCopies,
  neighbours,
  sortedBy,
  sortedByDescending,
  sum,
} from "./python-operations.ts";
import type { Stage } from "./stage.ts";

const SHIFTS = [1, 2, 3];

const ORDERINGS: readonly Stage[] = [
  list("sort", { open: ["sort the numbers", "put the numbers in order", "order them"] }, [
    [0.55, "sorted(xs)", (xs) => xs.toSorted(compareNumbers), ["sort in ascending order", "sort the smallest first"]],
    [
      0.45,
      "sorted(xs, reverse=True)",
      (xs) => xs.toSorted((a, b) => b - a),
      ["sort in descending order", "sort the largest first"],
    ],
  ]),
  list("sortabs", { open: ["sort by absolute value", "sort by size ignoring the sign"] }, [
    [0.4, "sorted(xs, key=abs)", (xs) => sortedBy(xs, Math.abs), []],
    [
      0.3,
      "sorted(xs, key=lambda x: (abs(x), x))",
      (xs) => sortedBy(xs.toSorted(compareNumbers), Math.abs),
      ["sort by absolute value and then by value"],
    ],
    [
      0.3,
      "sorted(xs, key=abs, reverse=True)",
      (xs) => sortedByDescending(xs, Math.abs),
      ["sort by absolute value from the largest"],
    ],
  ]),
  list("rev", {}, [[1, "xs[::-1]", (xs) => xs.toReversed(), ["reverse the list", "turn the list around"]]]),
  list("rot", { open: ["rotate the list by {n}", "shift the list by {n}"], house: 1, n: SHIFTS }, [
    [
      0.5,
      "xs[{n}:] + xs[:{n}]",
      (xs, { n }) => [...xs.slice(n), ...xs.slice(0, n)],
      ["rotate the list to the left by {n}"],
    ],
    [
      0.5,
      "xs[-{n}:] + xs[:-{n}]",
      (xs, { n }) => [...xs.slice(-n), ...xs.slice(0, -n)],
      ["rotate the list to the right by {n}"],
    ],
  ]),
];

const SELECTIONS: readonly Stage[] = [
  list("kth", { open: ["take every {k}th number", "keep one number in {k}"], house: 2, k: [2, 3, 4] }, [
    [0.4, "xs[::{k}]", (xs, { k }) => everyNth(xs, k), ["take every {k}th number from the first"]],
    [
      0.4,
      "xs[{k} - 1::{k}]",
      (xs, { k }) => everyNth(xs, k, k - 1),
      ["take each number whose place is a multiple of {k}"],
    ],
    [0.2, "xs[::-{k}]", (xs, { k }) => everyNth(xs.toReversed(), k), ["take every {k}th number from the end"]],
  ]),
  list("evenpos", { open: ["take the numbers at even positions", "keep the even places"] }, [
    [0.5, "xs[::2]", (xs) => everyNth(xs, 2), ["take the numbers at even positions from 0"]],
    [0.5, "xs[1::2]", (xs) => everyNth(xs, 2, 1), ["take the numbers at even positions from 1"]],
  ]),
  list("some", { open: ["take {n} numbers", "keep {n} of them"], house: 1, n: [2, 3, 4] }, [
    [0.4, "xs[:{n}]", (xs, { n }) => xs.slice(0, n), ["take the first {n} numbers"]],
    [0.3, "xs[-{n}:]", (xs, { n }) => xs.slice(-n), ["take the last {n} numbers"]],
    [
      0.3,
      "sorted(xs)[-{n}:]",
      (xs, { n }) => xs.toSorted(compareNumbers).slice(-n),
      ["take the largest {n} numbers in ascending order"],
    ],
  ]),
  list("drop", { open: ["leave out {n} numbers", "skip {n} of them"], house: 1, n: SHIFTS }, [
    [0.55, "xs[{n}:]", (xs, { n }) => xs.slice(n), ["skip the first {n} numbers"]],
    [0.45, "xs[:-{n}]", (xs, { n }) => xs.slice(0, -n), ["skip the last {n} numbers"]],
  ]),
  list("dedupe", { open: ["remove duplicates", "keep each value once"] }, [
    [0.5, "list(dict.fromkeys(xs))", (xs) => firstCopies(xs), ["remove duplicates keeping the order"]],
    [0.5, "sorted(set(xs))", (xs) => firstCopies(xs).toSorted(compareNumbers), ["remove duplicates and sort"]],
  ]),
  list("rises", { open: ["keep the numbers that rise"] }, [
    [
      0.6,
      "[b for a, b in zip(xs, xs[1:]) if b > a]",
      (xs) =>
        neighbours(xs)
          .filter(([a, b]) => b > a)
          .map(([, b]) => b),
      ["keep the numbers greater than the one before"],
    ],
    [
      0.4,
      "[b for a, b in zip(xs, xs[1:]) if b >= a]",
      (xs) =>
        neighbours(xs)
          .filter(([a, b]) => b >= a)
          .map(([, b]) => b),
      ["keep the numbers not less than the one before"],
    ],
  ]),
];

const SEQUENCES: readonly Stage[] = [
  list("diff", { open: ["take the differences of neighbours", "replace the list by its steps"], house: 2 }, [
    [
      0.4,
      "[b - a for a, b in zip(xs, xs[1:])]",
      (xs) => neighbours(xs).map(([a, b]) => b - a),
      ["subtract each number from the next one"],
    ],
    [
      0.3,
      "[abs(b - a) for a, b in zip(xs, xs[1:])]",
      (xs) => neighbours(xs).map(([a, b]) => Math.abs(b - a)),
      ["take the absolute differences of neighbours"],
    ],
    [
      0.3,
      "[a - b for a, b in zip(xs, xs[1:])]",
      (xs) => neighbours(xs).map(([a, b]) => a - b),
      ["subtract from each number the next one"],
    ],
  ]),
  list("weigh", { open: ["multiply each number by its position", "weigh each number by its index"], house: 1 }, [
    [
      0.5,
      "[i * x for i, x in enumerate(xs)]",
      (xs) => xs.map((x, i) => i * x),
      ["multiply each number by its index from 0"],
    ],
    [
      0.5,
      "[i * x for i, x in enumerate(xs, 1)]",
      (xs) => xs.map((x, i) => (i + 1) * x),
      ["multiply each number by its index from 1"],
    ],
  ]),
  list("prefix", { open: ["take running sums", "replace each number by the sum so far"] }, [
    [
      0.6,
      "[sum(xs[:i + 1]) for i in range(len(xs))]",
      (xs) => xs.map((_, i) => sum(xs.slice(0, i + 1))),
      ["replace each number by the sum up to it"],
    ],
    [
      0.4,
      "[sum(xs[:i]) for i in range(len(xs))]",
      (xs) => xs.map((_, i) => sum(xs.slice(0, i))),
      ["replace each number by the sum before it"],
    ],
  ]),
  list("pairs", { open: ["add up neighbours", "sum the pairs"], house: 1 }, [
    [
      0.5,
      "[a + b for a, b in zip(xs, xs[1:])]",
      (xs) => neighbours(xs).map(([a, b]) => a + b),
      ["add each number to the next one"],
    ],
    [
      0.5,
      "[a + b for a, b in zip(xs[::2], xs[1::2])]",
      (xs) => everyNth(xs, 2, 1).map((b, i) => (xs[2 * i] as number) + b),
      ["add up separate pairs"],
    ],
  ]),
];

export const LIST_STAGES: readonly Stage[] = [...ORDERINGS, ...SELECTIONS, ...SEQUENCES];
