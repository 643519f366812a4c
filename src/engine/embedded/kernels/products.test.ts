/** Products by the engine's own kernels against products in double precision. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bitsOf,
  framed,
  normal,
  ReferenceSums,
  strayWrites,
  valuesIn,
  worstError,
} from "../../../../test/framed-memory.ts";
import { createRandom, type Random } from "../../../random.ts";
import { allKernels, type Kernels } from "./addon.ts";
import { KernelProgram, type Packed, type Product } from "./kernel-program.ts";
import { columnsOf, rowsOf, type Matrix } from "./matrix.ts";

const sets = allKernels();

/** In units in the last place of the magnitudes: the roundings of a sum mostly go both ways. */
const MOST_ERROR = 3;

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeLeft: boolean;
  readonly right: "plain" | "transposed" | "packed" | "packed transposed";
  readonly factor: number;
  readonly addend: "none" | "other" | "in place";
  readonly bias: boolean;
  /** Floats between rows. */
  readonly gap: number;
  readonly seed: number;
}

const cases = (extents: Record<"m" | "n" | "k", fc.Arbitrary<number>>): fc.Arbitrary<Case> =>
  fc.record({
    ...extents,
    transposeLeft: fc.boolean(),
    right: fc.constantFrom("plain", "transposed", "packed", "packed transposed"),
    factor: fc.constantFrom(1, -0.25, 3.7),
    addend: fc.constantFrom("none", "other", "in place"),
    bias: fc.boolean(),
    gap: fc.constantFrom(0, 1, 13),
    seed: fc.nat(),
  });

const extent = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

/** [rows, columns], or its transpose. */
const operand = (rows: number, columns: number, transposed: boolean, fill: () => number, gap: number) =>
  transposed ? framed(columns, rows, fill, { gap }) : framed(rows, columns, fill, { gap });

function pack(kernels: Kernels, right: Matrix, transposed: boolean): Packed {
  const [n, k] = transposed ? [right.rows, right.columns] : [right.columns, right.rows];
  const program = new KernelProgram(kernels);
  const to = framed(1, program.packedLength(n, k));
  const packed = program.pack(right, transposed, to);
  program.run();
  expect(strayWrites(to)).toBe(0);
  return packed;
}

function multiply(kernels: Kernels, product: Product): void {
  const program = new KernelProgram(kernels);
  program.product(product);
  program.run();
}

/** left [m, k], right [k, n], row by row */
function reference(left: Float32Array, right: Float32Array, { m, n, k }: Pick<Case, "m" | "n" | "k">, factor = 1) {
  const sums = new ReferenceSums(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) sums.addScaled(i * n, factor * left[i * k + p]!, right, p * n, n);
  }
  return sums;
}

function transposeOf({ rows, columns, ...rest }: Matrix): Float32Array {
  const values = valuesIn({ rows, columns, ...rest });
  return Float32Array.from(values, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** The largest error, once it is clear that nothing else than the result has been written. */
function errorOf(kernels: Kernels, given: Case, value: (random: Random) => number = normal): number {
  const { m, n, k, transposeLeft, gap, factor } = given;
  const random = createRandom("product", given.seed);
  const fill = () => value(random);
  const transposeRight = given.right.endsWith("transposed");
  const left = operand(m, k, transposeLeft, fill, gap);
  const right = operand(k, n, transposeRight, fill, gap);
  const bias = given.bias ? framed(1, n, fill) : undefined;
  const to = framed(m, n, given.addend === "in place" ? fill : undefined, { gap });
  const addend =
    given.addend === "other" ? framed(m, n, fill, { gap: gap + 2 }) : given.addend === "none" ? undefined : to;

  const sums = reference(
    transposeLeft ? transposeOf(left) : valuesIn(left),
    transposeRight ? transposeOf(right) : valuesIn(right),
    given,
    factor,
  );
  if (addend) sums.addScaled(0, 1, valuesIn(addend), 0, m * n);
  if (bias) for (let i = 0; i < m; i++) sums.addScaled(i * n, 1, valuesIn(bias), 0, n);

  const rightSide = given.right.startsWith("packed") ? pack(kernels, right, transposeRight) : right;
  multiply(kernels, { left, transposeLeft, right: rightSide, transposeRight, factor, addend, bias, to });
  expect(strayWrites(to)).toBe(0);
  return worstError(valuesIn(to), sums);
}

describe.skipIf(sets.length === 0).each(sets)("products with the $name kernels", (kernels) => {
  it("are right for all kinds of operands and all remainders of blocks", () => {
    const small = cases({ m: extent(70), n: extent(70), k: extent(70) });
    fc.assert(
      fc.property(small, (given) => {
        expect(errorOf(kernels, given)).toBeLessThan(MOST_ERROR);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it("are right where there are several blocks of each kind", () => {
    const large = cases({
      m: fc.constantFrom(1, 59, 257),
      n: fc.constantFrom(31, 130),
      k: fc.constantFrom(513, 600, 1100),
    });
    fc.assert(
      fc.property(large, (given) => {
        expect(errorOf(kernels, given)).toBeLessThan(MOST_ERROR);
      }),
      { numRuns: 12, seed: 2 },
    );
    const base = { transposeLeft: false, factor: 1, addend: "none", bias: true, gap: 0, seed: 3 } as const;
    for (const right of ["plain", "transposed", "packed"] as const) {
      expect(errorOf(kernels, { ...base, m: 3, n: 4100, k: 40, right })).toBeLessThan(MOST_ERROR);
    }
  });

  it("of no terms at all are what is added", () => {
    fc.assert(
      fc.property(cases({ m: extent(40), n: extent(40), k: fc.constant(0) }), (given) => {
        expect(errorOf(kernels, given)).toBeLessThan(MOST_ERROR);
      }),
      { numRuns: 50, seed: 4 },
    );
  });

  it("write nothing where there are no rows or no columns", () => {
    const random = createRandom("empty");
    const fill = () => normal(random);
    for (const [m, n] of [
      [0, 5],
      [5, 0],
    ] as const) {
      const to = framed(m, n);
      multiply(kernels, { left: framed(m, 7, fill), right: framed(7, n, fill), to });
      expect(strayWrites(to)).toBe(0);
    }
    const none = { data: new Float32Array(), offset: 0, rows: 0, columns: 4, stride: 4 };
    expect(() => multiply(kernels, { left: none, right: framed(4, 4, fill), to: none })).not.toThrow();
  });

  it("write a matrix's columns and rows alone", () => {
    const random = createRandom("view");
    const fill = () => normal(random);
    const whole = framed(20, 50, () => 7);
    const to = columnsOf(rowsOf(whole, 3, 9), 11, 23);
    const left = columnsOf(framed(9, 40, fill), 5, 30);
    const right = framed(30, 23, fill);
    multiply(kernels, { left, right, to });
    const sums = reference(valuesIn(left), valuesIn(right), { m: 9, n: 23, k: 30 });
    expect(worstError(valuesIn(to), sums)).toBeLessThan(MOST_ERROR);
    const isOutside = (at: number) => at < 150 || at >= 600 || at % 50 < 11 || at % 50 >= 34;
    expect(valuesIn(whole).filter((_, at) => isOutside(at))).toEqual(new Float32Array(1000 - 9 * 23).fill(7));
  });

  it.each([
    { n: 50, k: 33 },
    { n: 20, k: 600 },
    { n: 70, k: 1100 },
  ])("have rows whose bits are the same in any company ($n columns, $k terms)", ({ n, k }) => {
    const random = createRandom("rows", n, k);
    const fill = () => normal(random);
    const left = framed(200, k, fill, { gap: 3 });
    const leftTransposed = framed(k, 200, undefined, { gap: 5 });
    for (let at = 0; at < 200 * k; at++) {
      const [i, p] = [Math.floor(at / k), at % k];
      leftTransposed.data[leftTransposed.offset + p * leftTransposed.stride + i] =
        left.data[left.offset + i * left.stride + p]!;
    }
    const right = framed(k, n, fill);
    const bias = framed(1, n, fill);
    const addend = framed(200, n, fill);
    for (const rightSide of [right, pack(kernels, right, false)]) {
      const all = framed(200, n);
      multiply(kernels, { left, right: rightSide, bias, addend, factor: 0.3, to: all });
      for (const [start, count] of [0, 1, 6, 13, 14, 15, 31, 32, 64, 150, 199]
        .map((row) => [row, 1])
        .concat([
          [0, 7],
          [11, 7],
          [193, 7],
          [0, 64],
          [70, 64],
          [136, 64],
          [5, 193],
        ])
        .map(([first, rows]) => [first!, rows!] as const)) {
        const rest = { right: rightSide, bias, addend: rowsOf(addend, start, count), factor: 0.3 };
        const expected = bitsOf(rowsOf(all, start, count));
        const some = framed(count, n, undefined, { gap: 1 });
        multiply(kernels, { ...rest, left: rowsOf(left, start, count), to: some });
        expect(bitsOf(some)).toEqual(expected);
        const again = framed(count, n);
        multiply(kernels, { ...rest, left: columnsOf(leftTransposed, start, count), transposeLeft: true, to: again });
        expect(bitsOf(again)).toEqual(expected);
      }
    }
  });
});

const tiles = sets.find(({ name }) => name === "amx");
const vectors = sets.find(({ name }) => name === "avx512");

describe.skipIf(!tiles || !vectors)("products on the tile unit", () => {
  const base = { transposeLeft: false, right: "plain", factor: 1, addend: "none", bias: false, gap: 0 } as const;
  const magnitudes = {
    alike: normal,
    "over six powers of ten": (random: Random) => normal(random) * 10 ** (6 * random() - 3),
    "all positive": (random: Random) => random(),
  };

  it.each(Object.entries(magnitudes))("are as good as those of float32 with magnitudes %s", (_, value) => {
    for (const [seed, k] of [16, 64, 300, 512, 1536].entries()) {
      const given = { ...base, m: 64, n: 96, k, seed };
      const ofVectors = errorOf(vectors!, given, value);
      expect(errorOf(tiles!, given, value)).toBeLessThanOrEqual(1.5 * ofVectors);
    }
  });
});
