/** The engine's own kernels for what is done between products, and to weights, against their formulas in double precision. */
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
import { createRandom, randomInteger } from "../../../random.ts";
import { allKernels } from "./addon.ts";
import { KernelProgram } from "./kernel-program.ts";
import { columnsOf, rowsOf, type Matrix } from "./matrix.ts";

const sets = allKernels();

/** Lengths of rows: less than a vector, whole vectors, and remainders after some. */
const LENGTHS = [1, 3, 8, 16, 31, 64, 67, 130];
/** In units in the last place of the magnitudes. */
const MOST_ERROR = 4;

/** values[at] */
function sumsOf(length: number, value: (at: number) => number, magnitude?: (at: number) => number): ReferenceSums {
  const sums = new ReferenceSums(length);
  for (let at = 0; at < length; at++) sums.add(at, value(at), magnitude?.(at));
  return sums;
}

const sum = (terms: readonly number[]): number => terms.reduce((total, term) => total + term, 0);
const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

describe.skipIf(sets.length === 0).each(sets)("what the $name kernels do between products:", (kernels) => {
  const random = createRandom("between products", kernels.name);
  const fill = () => normal(random);
  const run = (write: (program: KernelProgram) => void): void => {
    const program = new KernelProgram(kernels);
    write(program);
    program.run();
  };
  const indices = (length: number, limit: number) => Int32Array.from({ length }, () => randomInteger(random, limit));

  /** A kernel of rows gives each of them the same bits whatever rows are beside it. */
  const expectRowsAlone = (to: Matrix, runRows: (start: number, count: number, to: Matrix) => void): void => {
    for (const [start, count] of [
      [0, 1],
      [3, 1],
      [2, 4],
    ] as const) {
      const part = framed(count, to.columns);
      runRows(start, count, part);
      expect(bitsOf(part)).toEqual(bitsOf(rowsOf(to, start, count)));
    }
  };

  describe.each(LENGTHS)("rows of %i", (n) => {
    it.each([1, 3])("are normalized, %i side by side", (heads) => {
      const rows = 7;
      const epsilon = 1e-3;
      const x = framed(rows, heads * n, fill, { gap: 2 });
      const weight = framed(1, n, fill);
      const to = framed(rows, heads * n, undefined, { gap: 1 });
      const inverses = framed(1, rows * heads);
      run((program) => program.rmsNorm({ x, weight, epsilon, to, inverses }));
      const [given, weights] = [valuesIn(x), valuesIn(weight)];
      const inverse = range(rows * heads).map((group) => {
        const squares = range(n).map((j) => given[group * n + j]! ** 2);
        return 1 / Math.sqrt(sum(squares) / n + epsilon);
      });
      const normalized = (at: number) => weights[at % n]! * given[at]! * inverse[Math.floor(at / n)]!;
      expect(
        worstError(
          valuesIn(inverses),
          sumsOf(inverse.length, (at) => inverse[at]!),
        ),
      ).toBeLessThan(MOST_ERROR);
      expect(worstError(valuesIn(to), sumsOf(given.length, normalized))).toBeLessThan(MOST_ERROR);
      expect([to, inverses].map(strayWrites)).toEqual([0, 0]);
      expectRowsAlone(to, (start, count, part) =>
        run((program) =>
          program.rmsNorm({ x: rowsOf(x, start, count), weight, epsilon, to: part, inverses: undefined }),
        ),
      );
    });

    it.each([
      { heads: 1, accumulate: false, place: "elsewhere" },
      { heads: 1, accumulate: true, place: "elsewhere" },
      { heads: 3, accumulate: false, place: "over the gradient given" },
      { heads: 2, accumulate: true, place: "elsewhere" },
    ])("are normalized backwards: $heads side by side, added: $accumulate, $place", ({ heads, accumulate, place }) => {
      const rows = 6;
      const x = framed(rows, heads * n, fill);
      const weight = framed(1, n, fill);
      const inverses = framed(1, rows * heads, () => Math.abs(fill()) + 0.1);
      const gradient = framed(rows, heads * n, fill, { gap: 3 });
      const to = place === "elsewhere" ? framed(rows, heads * n, accumulate ? fill : undefined, { gap: 1 }) : gradient;
      const weightGradient = framed(1, n, fill);
      const [g, given, w, inverse] = [gradient, x, weight, inverses].map(valuesIn) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const [before, weightBefore] = [valuesIn(to), valuesIn(weightGradient)];
      run((program) => program.rmsNormBackward({ x, weight, inverses, gradient, to, accumulate, weightGradient }));

      const expected = new ReferenceSums(given.length);
      const expectedOfWeight = new ReferenceSums(n);
      for (let j = 0; j < n; j++) expectedOfWeight.add(j, weightBefore[j]!);
      for (let group = 0; group < rows * heads; group++) {
        const r = inverse[group]!;
        const products = range(n).map((j) => w[j]! * g[group * n + j]! * given[group * n + j]!);
        const [mean, magnitude] = [sum(products) / n, sum(products.map(Math.abs)) / n];
        for (let j = 0; j < n; j++) {
          const at = group * n + j;
          expected.add(at, r * w[j]! * g[at]!);
          expected.add(at, -(r ** 3) * given[at]! * mean, r ** 3 * Math.abs(given[at]!) * magnitude);
          if (accumulate) expected.add(at, before[at]!);
          expectedOfWeight.add(j, g[at]! * given[at]! * r);
        }
      }
      expect(worstError(valuesIn(to), expected)).toBeLessThan(MOST_ERROR);
      expect(worstError(valuesIn(weightGradient), expectedOfWeight)).toBeLessThan(MOST_ERROR);
      expect([to, weightGradient].map(strayWrites)).toEqual([0, 0]);
    });

    it("go through the gated activation and back, from gates of any size", () => {
      const rows = 6;
      const extremes = [100, -100, 0, 1e4, -1e4];
      const gate = framed(rows, n, () => (random() < 0.3 ? extremes[randomInteger(random, 5)]! : 3 * fill()), {
        gap: 1,
      });
      const up = framed(rows, n, fill);
      const to = framed(rows, n, undefined, { gap: 4 });
      const gradients = {
        to: framed(rows, n, fill),
        gate: framed(rows, n),
        up: framed(rows, n, undefined, { gap: 2 }),
      };
      run((program) => {
        program.swiGlu(gate, up, to);
        program.swiGluBackward(gate, up, gradients);
      });
      const [x, u, d] = [gate, up, gradients.to].map(valuesIn) as [Float32Array, Float32Array, Float32Array];
      const s = (at: number) => 1 / (1 + Math.exp(-x[at]!));
      const slope = (at: number) => s(at) * (1 + x[at]! * (1 - s(at)));
      const slopeMagnitude = (at: number) => s(at) * (1 + Math.abs(x[at]!) * (1 - s(at)));
      // The kernels let exp(-x) grow to e^88.7 alone: -10,000 times its inverse is -3e-35 instead of 0.
      const error = (found: Matrix, value: (at: number) => number, magnitude: (at: number) => number) =>
        worstError(
          valuesIn(found),
          sumsOf(rows * n, value, (at) => Math.abs(magnitude(at)) + 1e-27),
        );
      const activated = (at: number) => x[at]! * s(at) * u[at]!;
      expect(error(to, activated, activated)).toBeLessThan(MOST_ERROR);
      expect(
        error(
          gradients.gate,
          (at) => d[at]! * u[at]! * slope(at),
          (at) => d[at]! * u[at]! * slopeMagnitude(at),
        ),
      ).toBeLessThan(MOST_ERROR);
      const ofUp = (at: number) => d[at]! * x[at]! * s(at);
      expect(error(gradients.up, ofUp, ofUp)).toBeLessThan(MOST_ERROR);
      expect([to, gradients.gate, gradients.up].map(strayWrites)).toEqual([0, 0, 0]);
      expectRowsAlone(to, (start, count, part) =>
        run((program) => program.swiGlu(rowsOf(gate, start, count), rowsOf(up, start, count), part)),
      );
    });

    it("of logits become the loss of their targets, and its gradient", () => {
      const rows = 9;
      const make = () => framed(rows, n, () => 5 * fill(), { gap: 2 });
      const logits = make();
      const targets = indices(rows, n);
      const weights = framed(1, rows, fill);
      weights.data[weights.offset + 2] = 0;
      const values = framed(1, rows);
      const given = valuesIn(logits);
      const largest = range(rows).map((i) => Math.max(...given.slice(i * n, (i + 1) * n)));
      const logSum = (i: number) =>
        largest[i]! + Math.log(sum(range(n).map((j) => Math.exp(given[i * n + j]! - largest[i]!))));
      const logP = sumsOf(
        rows,
        (i) => given[i * n + targets[i]!]! - logSum(i),
        (i) => Math.abs(given[i * n + targets[i]!]!) + Math.abs(largest[i]!) + 1,
      );

      run((program) => program.crossEntropy(logits, { data: targets }, undefined, values));
      expect(worstError(valuesIn(values), logP)).toBeLessThan(MOST_ERROR);
      expect(valuesIn(logits)).toEqual(given);

      const again = framed(1, rows);
      run((program) => program.crossEntropy(logits, { data: targets }, weights, again));
      const w = valuesIn(weights);
      const p = (at: number) => Math.exp(given[at]! - logSum(Math.floor(at / n)));
      const isTarget = (at: number) => (at % n === targets[Math.floor(at / n)]! ? 1 : 0);
      const gradient = sumsOf(
        rows * n,
        (at) => w[Math.floor(at / n)]! * (p(at) - isTarget(at)),
        (at) => Math.abs(w[Math.floor(at / n)]!) * (4 * p(at) + isTarget(at)),
      );
      expect(bitsOf(again)).toEqual(bitsOf(values));
      expect(worstError(valuesIn(logits), gradient)).toBeLessThan(MOST_ERROR);
      expect([logits, values].map(strayWrites)).toEqual([0, 0]);
    });

    it("of logits become log-probabilities, and probabilities at a temperature", () => {
      const rows = 5;
      const logits = framed(rows, n, () => 4 * fill());
      const given = valuesIn(logits);
      const coldness = framed(1, rows);
      for (const [i, value] of [1, 0.5, 2.5, 1e4, 1].entries()) coldness.data[coldness.offset + i] = value;
      const probabilities = framed(rows, n);
      run((program) => program.tokenProbabilities(logits, coldness, probabilities));
      const logSoftmax = (i: number, factor: number) => {
        const scaled = range(n).map((j) => given[i * n + j]! * factor);
        const most = Math.max(...scaled);
        const logSum = most + Math.log(sum(scaled.map((x) => Math.exp(x - most))));
        return scaled.map((x) => x - logSum);
      };
      const cold = valuesIn(coldness);
      const plain = range(rows).flatMap((i) => logSoftmax(i, 1));
      const drawn = range(rows).flatMap((i) => logSoftmax(i, cold[i]!).map(Math.exp));
      expect(
        worstError(
          valuesIn(logits),
          sumsOf(
            rows * n,
            (at) => plain[at]!,
            (at) => Math.abs(plain[at]!) + 2 * Math.abs(given[at]!) + 1,
          ),
        ),
      ).toBeLessThan(MOST_ERROR);
      // The difference of logits is rounded before it is multiplied by the coldness.
      const relative = (at: number) => 2 + Math.abs(Math.log(drawn[at]! + 1e-30));
      const expected = sumsOf(
        rows * n,
        (at) => drawn[at]!,
        (at) => drawn[at]! * relative(at) + 1e-30,
      );
      expect(worstError(valuesIn(probabilities), expected)).toBeLessThan(MOST_ERROR);
      expect([logits, probabilities].map(strayWrites)).toEqual([0, 0]);
      for (const i of [0, 3]) {
        const alone = framed(1, n);
        alone.data.set(given.subarray(i * n, (i + 1) * n), alone.offset);
        const one = framed(1, 1, () => cold[i]!);
        const probability = framed(1, n);
        run((program) => program.tokenProbabilities(alone, one, probability));
        expect([alone, probability].map(bitsOf)).toEqual([logits, probabilities].map((m) => bitsOf(rowsOf(m, i, 1))));
      }
    });

    it("are gathered, added where indices say, in their order, and summed", () => {
      const from = framed(5, n, fill, { gap: 1 });
      const picks = indices(12, 5);
      const picked = framed(12, n, undefined, { gap: 3 });
      run((program) => program.gatherRows(from, { data: Int32Array.of(99, ...picks), offset: 1 }, picked));
      const all = valuesIn(from);
      expect(Array.from(valuesIn(picked))).toEqual(
        Array.from(picks).flatMap((row) => Array.from(all.subarray(row * n, (row + 1) * n))),
      );

      const to = framed(5, n, fill, { gap: 2 });
      const totals = framed(1, n, fill);
      const [added, totalled] = [valuesIn(to), valuesIn(totals)];
      run((program) => {
        program.scatterAddRows(picked, { data: picks }, to);
        program.addColumnSums(picked, totals);
      });
      // One rounding for each row, in order: the bits are known.
      for (const [i, value] of valuesIn(picked).entries()) {
        added[picks[Math.floor(i / n)]! * n + (i % n)]! += value;
        totalled[i % n]! += value;
      }
      expect(valuesIn(to)).toEqual(added);
      expect(valuesIn(totals)).toEqual(totalled);
      expect([picked, to, totals].map(strayWrites)).toEqual([0, 0, 0]);
    });

    it("are filled", () => {
      const to = framed(4, n, fill, { gap: 3 });
      run((program) => program.fill(to, -2.5));
      expect(valuesIn(to)).toEqual(new Float32Array(4 * n).fill(-2.5));
      expect(strayWrites(to)).toBe(0);
    });

    it("of weights take a step of AdamW", () => {
      const [weights, gradient, moment1] = [framed(1, n, fill), framed(1, n, fill), framed(1, n, fill)];
      const moment2 = framed(1, n, () => fill() ** 2);
      const s = {
        learningRate: 0.01,
        keep: 0.999,
        beta1: 0.9,
        oneMinusBeta1: 0.1,
        beta2: 0.95,
        oneMinusBeta2: 0.05,
        correction1: 3,
        correction2: 7,
        epsilon: 1e-8,
        gradientScale: 0.5,
      };
      const [w, g, m1, m2] = [weights, gradient, moment1, moment2].map(valuesIn) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      run((program) => program.adamW(weights, { gradient, moment1, moment2 }, s));
      const first = sumsOf(n, () => 0);
      const second = sumsOf(n, () => 0);
      const moved = sumsOf(n, () => 0);
      for (let at = 0; at < n; at++) {
        const scaled = s.gradientScale * g[at]!;
        first.add(at, s.beta1 * m1[at]!);
        first.add(at, s.oneMinusBeta1 * scaled);
        second.add(at, s.beta2 * m2[at]! + s.oneMinusBeta2 * scaled ** 2);
        const factor = s.learningRate / (Math.sqrt(second.values[at]! * s.correction2) + s.epsilon);
        moved.add(at, s.keep * w[at]!);
        const [m, magnitude] = [first.values[at]!, first.magnitudes[at]!];
        moved.add(at, -m * s.correction1 * factor, magnitude * s.correction1 * factor);
      }
      expect(worstError(valuesIn(moment1), first)).toBeLessThan(MOST_ERROR);
      expect(worstError(valuesIn(moment2), second)).toBeLessThan(MOST_ERROR);
      expect(worstError(valuesIn(weights), moved)).toBeLessThan(MOST_ERROR);
      expect(valuesIn(gradient)).toEqual(g);
      expect([weights, gradient, moment1, moment2].map(strayWrites)).toEqual([0, 0, 0, 0]);
    });

    it("have squares, summed in double precision", () => {
      const [x, to] = [framed(1, n, fill), framed(1, n, fill)];
      const squares = Float64Array.of(0, 0, 7);
      const expected = valuesIn(to).map((value, at) => value + valuesIn(x)[at]!);
      const after = new Float64Array(1);
      run((program) => {
        program.square(x, squares);
        program.addAndSquare(x, to, after);
      });
      const of = (values: Float32Array) => sum(Array.from(values, (value) => value * value));
      expect(squares[0]! / of(valuesIn(x))).toBeCloseTo(1, 13);
      expect(Array.from(squares.subarray(1))).toEqual([0, 7]);
      expect(valuesIn(to)).toEqual(expected);
      expect(after[0]! / of(expected)).toBeCloseTo(1, 13);
      expect([x, to].map(strayWrites)).toEqual([0, 0]);
    });
  });

  it.each([2, 6, 10, 64, 80])("heads of %i are turned by their positions' angles, and back", (headSize) => {
    const [rows, heads, limit] = [6, 3, 40];
    const half = headSize / 2;
    const angles = range(limit * half).map((at) => Math.floor(at / half) * 10 ** (-4 * ((at % half) / half)));
    const cosine = Float32Array.from(angles, Math.cos);
    const sine = Float32Array.from(angles, Math.sin);
    const whole = framed(rows, heads * headSize + 5, fill);
    const x = columnsOf(whole, 2, heads * headSize);
    const before = valuesIn(whole);
    const given = valuesIn(x);
    const data = Int32Array.of(0, limit - 1, 7, 7, 1, 23);
    const turn = (direction: 1 | -1) =>
      run((program) => program.rotate({ x, headSize, positions: { data }, cosine, sine, direction }));
    turn(1);
    const expected = new ReferenceSums(given.length);
    for (let at = 0; at < given.length; at++) {
      const [row, i] = [Math.floor(at / (heads * headSize)), at % headSize];
      const angle = data[row]! * half + (i % half);
      expected.add(at, given[at]! * cosine[angle]!);
      expected.add(at, i < half ? -given[at + half]! * sine[angle]! : given[at - half]! * sine[angle]!);
    }
    expect(worstError(valuesIn(x), expected)).toBeLessThan(MOST_ERROR);
    turn(-1);
    const norms = (at: number) => Math.abs(given[at]!) + Math.abs(given[at % headSize < half ? at + half : at - half]!);
    expect(
      worstError(
        valuesIn(x),
        sumsOf(given.length, (at) => given[at]!, norms),
      ),
    ).toBeLessThan(MOST_ERROR);
    const isOutside = (at: number) => at % whole.columns < 2 || at % whole.columns >= 2 + x.columns;
    expect(valuesIn(whole).filter((_, at) => isOutside(at))).toEqual(before.filter((_, at) => isOutside(at)));
    expect(strayWrites(whole)).toBe(0);
  });

  it("the loss and its gradient over a large vocabulary, with logits of any size, are numbers", () => {
    const n = 50_257;
    const logits = framed(3, n, () => 2 * fill());
    logits.data[logits.offset + 5] = 3e4;
    logits.data[logits.offset + n + 9] = -3e4;
    const targets = Int32Array.of(6, 9, 11);
    const given = valuesIn(logits);
    const values = framed(1, 3);
    run((program) =>
      program.crossEntropy(
        logits,
        { data: targets },
        framed(1, 3, () => 1),
        values,
      ),
    );
    const rowOf = (i: number) => given.subarray(i * n, (i + 1) * n);
    const logSums = range(3).map((i) => {
      const most = rowOf(i).reduce((a, b) => Math.max(a, b));
      return most + Math.log(rowOf(i).reduce((total, x) => total + Math.exp(x - most), 0));
    });
    const found = valuesIn(values);
    for (const [i, target] of targets.entries()) {
      expect(found[i]! - (rowOf(i)[target]! - logSums[i]!)).toBeCloseTo(0, i === 2 ? 5 : 2);
    }
    for (const i of targets.keys()) {
      const gradient = Array.from(valuesIn(rowsOf(logits, i, 1)));
      expect(gradient.every(Number.isFinite)).toBe(true);
      // Probabilities add up to 1, and 1 is taken from the target's.
      expect(sum(gradient)).toBeCloseTo(0, 5);
    }
  });
});
