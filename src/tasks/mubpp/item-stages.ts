/** Stages that treat the ints of a list one by one. Every row: weight, Python, the same in TypeScript, closed wordings. */
import { countOf, floorDivide, modulo, sum } from "./python-operations.ts";
import { DIGITS, listStage, type Numbers } from "./list-stage.ts";
import type { Parameters, Stage, StageOptions } from "./stage.ts";

const DIVISORS = [2, 3, 4, 5];

type Condition = (x: number, parameters: Parameters, xs: Numbers) => boolean;

function filter(
  id: string,
  options: StageOptions,
  rows: readonly (readonly [weight: number, condition: string, keeps: Condition, closed: readonly string[]])[],
): Stage {
  const listRows = rows.map(
    ([weight, condition, keeps, closed]) =>
      [
        weight,
        `[x for x in xs if ${condition}]`,
        (xs: Numbers, p: Parameters) => xs.filter((x) => keeps(x, p, xs)),
        closed,
      ] as const,
  );
  return listStage(id, options, listRows);
}

function map(
  id: string,
  options: StageOptions,
  rows: readonly (readonly [
    weight: number,
    item: string,
    image: (x: number, p: Parameters) => number,
    closed: readonly string[],
  ])[],
): Stage {
  const listRows = rows.map(
    ([weight, item, image, closed]) =>
      [weight, `[${item} for x in xs]`, (xs: Numbers, p: Parameters) => xs.map((x) => image(x, p)), closed] as const,
  );
  return listStage(id, options, listRows);
}

const FILTERS: readonly Stage[] = [
  filter(
    "above",
    { open: ["keep the numbers above {k}", "drop everything under {k}", "take the values over {k}"], k: DIGITS },
    [
      [
        0.55,
        "x > {k}",
        (x, { k }) => x > k,
        ["keep the numbers greater than {k}", "take the values strictly over {k}"],
      ],
      [
        0.45,
        "x >= {k}",
        (x, { k }) => x >= k,
        ["keep the numbers that are at least {k}", "take the values not less than {k}"],
      ],
    ],
  ),
  filter(
    "below",
    { open: ["keep the numbers below {k}", "drop everything over {k}", "take the values up to {k}"], k: DIGITS },
    [
      [0.55, "x < {k}", (x, { k }) => x < k, ["keep the numbers less than {k}", "take the values strictly below {k}"]],
      [
        0.45,
        "x <= {k}",
        (x, { k }) => x <= k,
        ["keep the numbers that are at most {k}", "take the values not over {k}"],
      ],
    ],
  ),
  filter(
    "between",
    {
      open: ["keep the numbers between {a} and {b}", "take the values in the range {a} to {b}"],
      house: 1,
      a: [-2, 0, 1, 2, 3],
      b: [5, 6, 7, 8, 9],
    },
    [
      [0.4, "{a} <= x <= {b}", (x, { a, b }) => a <= x && x <= b, ["keep the numbers between {a} and {b} inclusive"]],
      [0.3, "{a} < x < {b}", (x, { a, b }) => a < x && x < b, ["keep the numbers strictly between {a} and {b}"]],
      [0.3, "{a} <= x < {b}", (x, { a, b }) => a <= x && x < b, ["keep the numbers from {a} up to but not {b}"]],
    ],
  ),
  filter("parity", {}, [
    [0.5, "x % 2 == 0", (x) => modulo(x, 2) === 0, ["keep the even numbers", "remove the odd numbers"]],
    [0.5, "x % 2 == 1", (x) => modulo(x, 2) === 1, ["keep the odd numbers", "remove the even numbers"]],
  ]),
  filter("mult", { k: [3, 4, 5, 6] }, [
    [
      0.5,
      "x % {k} == 0",
      (x, { k }) => modulo(x, k) === 0,
      ["keep the multiples of {k}", "keep the numbers divisible by {k}"],
    ],
    [
      0.5,
      "x % {k} != 0",
      (x, { k }) => modulo(x, k) !== 0,
      ["remove the multiples of {k}", "drop the numbers divisible by {k}"],
    ],
  ]),
  filter("positive", { open: ["keep the positive numbers", "drop the negative numbers"], house: 1 }, [
    [0.6, "x > 0", (x) => x > 0, ["keep the numbers over zero"]],
    [0.4, "x >= 0", (x) => x >= 0, ["keep zero and the positive numbers"]],
  ]),
  filter("large", { open: ["keep the large numbers", "drop the small numbers"] }, [
    [0.4, "x > 9", (x) => x > 9, ["keep the positive numbers with at least two digits"]],
    [0.3, "x * len(xs) > sum(xs)", (x, _, xs) => x * xs.length > sum(xs), ["keep the numbers above the average"]],
    [0.3, "x > xs[0]", (x, _, xs) => x > (xs[0] as number), ["keep the numbers greater than the first one"]],
  ]),
  filter("near", { open: ["keep the numbers close to {k}", "take the values near {k}"], k: DIGITS }, [
    [0.4, "abs(x - {k}) <= 2", (x, { k }) => Math.abs(x - k) <= 2, ["keep the numbers at most 2 away from {k}"]],
    [0.3, "abs(x - {k}) < 2", (x, { k }) => Math.abs(x - k) < 2, ["keep the numbers less than 2 away from {k}"]],
    [0.3, "abs(x - {k}) <= 3", (x, { k }) => Math.abs(x - k) <= 3, ["keep the numbers at most 3 away from {k}"]],
  ]),
  filter("notval", { open: ["remove {k}"], k: DIGITS }, [[1, "x != {k}", (x, { k }) => x !== k, ["remove every {k}"]]]),
  filter("repeat", { open: ["keep the numbers that repeat"] }, [
    [0.5, "xs.count(x) > 1", (x, _, xs) => countOf(xs, x) > 1, ["keep every copy of the repeated numbers"]],
    [0.5, "xs.count(x) == 2", (x, _, xs) => countOf(xs, x) === 2, ["keep the numbers that occur exactly twice"]],
  ]),
  filter("unique", {}, [
    [
      1,
      "xs.count(x) == 1",
      (x, _, xs) => countOf(xs, x) === 1,
      ["keep the numbers that occur once", "drop the repeated numbers"],
    ],
  ]),
];

const MAPS: readonly Stage[] = [
  map("square", {}, [[1, "x * x", (x) => x * x, ["square each number", "square them"]]]),
  map("addk", { k: DIGITS }, [
    [0.5, "x + {k}", (x, { k }) => x + k, ["add {k} to each number", "increase each by {k}"]],
    [0.5, "x - {k}", (x, { k }) => x - k, ["subtract {k} from each number", "decrease each by {k}"]],
  ]),
  map("mulk", { k: DIVISORS }, [
    [1, "x * {k}", (x, { k }) => x * k, ["multiply each number by {k}", "scale them by {k}"]],
  ]),
  map("neg", {}, [
    [0.4, "-x", (x) => -x, ["negate each number", "flip the signs"]],
    [0.6, "abs(x)", (x) => Math.abs(x), ["take absolute values", "ignore the signs"]],
  ]),
  map("modk", { k: [3, 4, 5, 7] }, [
    [1, "x % {k}", (x, { k }) => modulo(x, k), ["take each number modulo {k}", "replace each by its remainder by {k}"]],
  ]),
  map("divk", { open: ["divide each number by {k}", "split each number by {k}"], k: DIVISORS }, [
    [0.4, "x // {k}", (x, { k }) => floorDivide(x, k), ["divide each number by {k} rounding down"]],
    [0.3, "int(x / {k})", (x, { k }) => Math.trunc(x / k), ["divide each number by {k} rounding to zero"]],
    [0.3, "-(-x // {k})", (x, { k }) => -floorDivide(-x, k), ["divide each number by {k} rounding up"]],
  ]),
  map("cap", { open: ["limit the numbers by {k}", "clip the values with {k}"], k: DIGITS }, [
    [0.5, "min(x, {k})", (x, { k }) => Math.min(x, k), ["limit each number to at most {k}"]],
    [0.5, "max(x, {k})", (x, { k }) => Math.max(x, k), ["raise each number to at least {k}"]],
  ]),
  map("digit", { open: ["take one digit of each number"], house: 1 }, [
    [0.5, "abs(x) % 10", (x) => Math.abs(x) % 10, ["take the last digit of each number"]],
    [0.5, "int(str(abs(x))[0])", (x) => Number(String(Math.abs(x))[0]), ["take the first digit of each number"]],
  ]),
];

export const ITEM_STAGES: readonly Stage[] = [...FILTERS, ...MAPS];
