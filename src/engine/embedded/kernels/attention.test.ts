/** Causal attention by the engine's own kernels, forward and backward, against its formula in double precision. */
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
import { createRandom } from "../../../random.ts";
import { allKernels, type Kernels } from "./addon.ts";
import { KernelProgram, type AttentionOperands } from "./kernel-program.ts";
import { columnsOf, rowsOf, type Matrix } from "./matrix.ts";

const sets = allKernels();

/** In units in the last place of the magnitudes; exponentials of scores of a few units multiply the rounding of those. */
const MOST_ERROR = 8;

interface Heads {
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly headSize: number;
}

type Gradients = Parameters<KernelProgram["attentionBackward"]>[1];

interface Work {
  readonly operands: AttentionOperands;
  readonly gradients: Gradients;
  /** All memory that is written. */
  readonly written: readonly Matrix[];
}

const startsOf = (lengths: readonly number[]): Int32Array => {
  const starts = [0];
  for (const length of lengths) starts.push(starts.at(-1)! + length);
  return Int32Array.from(starts);
};

/** Queries, keys and values side by side in one matrix, and so are their gradients. */
function workOn(heads: Heads, lengths: readonly number[], fill: () => number): Work {
  const { headCount, keyValueHeadCount, headSize } = heads;
  const starts = startsOf(lengths);
  const rows = starts.at(-1)!;
  const [wide, narrow] = [headCount * headSize, keyValueHeadCount * headSize];
  const inputs = framed(rows, wide + 2 * narrow, fill);
  const outputs = framed(rows, wide + 2 * narrow, undefined, { gap: 3 });
  const part = (whole: Matrix, which: 0 | 1 | 2): Matrix =>
    columnsOf(whole, [0, wide, wide + narrow][which]!, which === 0 ? wide : narrow);
  const attended = framed(rows, wide, undefined, { gap: 1 });
  const logSums = framed(rows, headCount);
  return {
    operands: {
      ...heads,
      starts,
      queries: part(inputs, 0),
      keys: part(inputs, 1),
      values: part(inputs, 2),
      attended,
      logSums,
    },
    gradients: {
      attended: framed(rows, wide, fill, { gap: 2 }),
      queries: part(outputs, 0),
      keys: part(outputs, 1),
      values: part(outputs, 2),
    },
    written: [outputs, attended, logSums],
  };
}

function run(kernels: Kernels, { operands, gradients }: Work): void {
  const program = new KernelProgram(kernels);
  program.attention(operands);
  program.attentionBackward(operands, gradients);
  program.run();
}

/** What `run` is to write: for a query i of a head, over the keys j before it, p = softmax(q k / √size). */
function reference({ operands, gradients }: Work) {
  const { starts, headCount, keyValueHeadCount, headSize } = operands;
  const [q, k, v] = [operands.queries, operands.keys, operands.values].map(valuesIn) as Float32Array[];
  const flow = valuesIn(gradients.attended);
  const rows = starts.at(-1)!;
  const scale = 1 / Math.sqrt(headSize);
  const [wide, narrow] = [headCount * headSize, keyValueHeadCount * headSize];
  const attended = new ReferenceSums(rows * wide);
  const logSums = new ReferenceSums(rows * headCount);
  const queries = new ReferenceSums(rows * wide);
  const keys = new ReferenceSums(rows * narrow);
  const values = new ReferenceSums(rows * narrow);
  const dot = (a: Float32Array, from: number, b: Float32Array, at: number): readonly [number, number] => {
    let sum = 0;
    let magnitude = 0;
    for (let d = 0; d < headSize; d++) {
      const term = a[from + d]! * b[at + d]!;
      sum += term;
      magnitude += Math.abs(term);
    }
    return [sum, magnitude];
  };
  for (let s = 0; s + 1 < starts.length; s++) {
    const start = starts[s]!;
    for (let row = start; row < starts[s + 1]!; row++) {
      for (let head = 0; head < headCount; head++) {
        const ofQuery = row * wide + head * headSize;
        const column = Math.floor((head * keyValueHeadCount) / headCount) * headSize;
        const seen = Array.from({ length: row - start + 1 }, (_, j) => (start + j) * narrow + column);
        const scores = seen.map((ofKey) => scale * dot(q!, ofQuery, k!, ofKey)[0]);
        const most = Math.max(...scores);
        const logSum = most + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0));
        const p = scores.map((score) => Math.exp(score - logSum));
        const flows = seen.map((ofKey) => dot(flow, ofQuery, v!, ofKey));
        const mean = flows.reduce((sum, [value], j) => sum + p[j]! * value, 0);
        const meanMagnitude = flows.reduce((sum, [, magnitude], j) => sum + p[j]! * magnitude, 0);
        logSums.add(row * headCount + head, logSum, Math.abs(logSum) + Math.max(...scores.map(Math.abs)) + 1);
        for (const [j, ofKey] of seen.entries()) {
          const [value, magnitude] = flows[j]!;
          const ds = scale * p[j]! * (value - mean);
          const dsMagnitude = scale * p[j]! * (magnitude + meanMagnitude);
          for (let d = 0; d < headSize; d++) {
            attended.add(ofQuery + d, p[j]! * v![ofKey + d]!);
            values.add(ofKey + d, p[j]! * flow[ofQuery + d]!);
            queries.add(ofQuery + d, ds * k![ofKey + d]!, dsMagnitude * Math.abs(k![ofKey + d]!));
            keys.add(ofKey + d, ds * q![ofQuery + d]!, dsMagnitude * Math.abs(q![ofQuery + d]!));
          }
        }
      }
    }
  }
  return { attended, logSums, queries, keys, values };
}

/** The largest error of each result. */
function errorsOf(kernels: Kernels, work: Work) {
  run(kernels, work);
  const expected = reference(work);
  const { operands, gradients } = work;
  return {
    stray: work.written.map(strayWrites),
    attended: worstError(valuesIn(operands.attended), expected.attended),
    logSums: worstError(valuesIn(work.written[2]!), expected.logSums),
    queries: worstError(valuesIn(gradients.queries), expected.queries),
    keys: worstError(valuesIn(gradients.keys), expected.keys),
    values: worstError(valuesIn(gradients.values), expected.values),
  };
}

const small = { asymmetricMatch: (error: number) => error < MOST_ERROR, toString: () => `less than ${MOST_ERROR}` };
const right = { stray: [0, 0, 0], attended: small, logSums: small, queries: small, keys: small, values: small };

const shapes = [1, 2, 4, 7].flatMap((group) => [2, 10, 16, 32, 64, 80].map((headSize) => ({ group, headSize })));

describe.skipIf(sets.length === 0).each(sets)("attention with the $name kernels", (kernels) => {
  it.each(shapes)("is right for $group query heads a key head, $headSize long", ({ group, headSize }) => {
    const random = createRandom("attention", group, headSize);
    const lengths = [1, 33, 0, 2, 17, 1 + Math.floor(70 * random())];
    const heads = { headCount: 2 * group, keyValueHeadCount: 2, headSize };
    const work = workOn(heads, lengths, () => normal(random));
    expect(errorsOf(kernels, work)).toEqual(right);
  });

  it("is right for every length up to 70", () => {
    const random = createRandom("lengths");
    const heads = { headCount: 3, keyValueHeadCount: 1, headSize: 10 };
    const lengths = Array.from({ length: 70 }, (_, i) => i + 1);
    const work = workOn(heads, lengths, () => normal(random));
    expect(errorsOf(kernels, work)).toEqual(right);
  });

  it("is right for a sequence longer than a block of keys", () => {
    const random = createRandom("long");
    const heads = { headCount: 2, keyValueHeadCount: 1, headSize: 16 };
    const work = workOn(heads, [5, 300], () => normal(random));
    expect(errorsOf(kernels, work)).toEqual(right);
  });

  it("is the same without the sums that the gradient needs", () => {
    const random = createRandom("no sums");
    const work = workOn({ headCount: 2, keyValueHeadCount: 2, headSize: 32 }, [20, 9], () => normal(random));
    run(kernels, work);
    const attended = framed(29, 64);
    const program = new KernelProgram(kernels);
    program.attention({ ...work.operands, attended, logSums: undefined });
    program.run();
    expect(bitsOf(attended)).toEqual(bitsOf(work.operands.attended));
  });

  it("gives a sequence the same bits in any company", () => {
    const random = createRandom("company");
    const heads = { headCount: 6, keyValueHeadCount: 2, headSize: 10 };
    const lengths = [7, 40, 1, 290, 26];
    const work = workOn(heads, lengths, () => normal(random));
    run(kernels, work);
    const results = ({ operands, gradients }: Work, start: number, length: number) =>
      [operands.attended, gradients.queries, gradients.keys, gradients.values].map((matrix) =>
        bitsOf(rowsOf(matrix, start, length)),
      );
    for (const [s, length] of lengths.entries()) {
      const start = work.operands.starts[s]!;
      const alone = workOn(heads, [length], () => 0);
      const cut = (matrix: Matrix) => rowsOf(matrix, start, length);
      const { queries, keys, values } = work.operands;
      const only = {
        ...alone,
        operands: { ...alone.operands, queries: cut(queries), keys: cut(keys), values: cut(values) },
        gradients: { ...alone.gradients, attended: cut(work.gradients.attended) },
      };
      run(kernels, only);
      expect(results(only, 0, length)).toEqual(results(work, start, length));
    }
  });

  it.each([
    ["grow", 1],
    ["fall", -1],
  ])("takes scores that %s to 150,000 as they are", (_, sign) => {
    const length = 600;
    const work = workOn({ headCount: 1, keyValueHeadCount: 1, headSize: 16 }, [length], () => 0);
    const { queries, keys, values, attended } = work.operands;
    for (let i = 0; i < length; i++) {
      queries.data[queries.offset + i * queries.stride] = 1024;
      keys.data[keys.offset + i * keys.stride] = sign * i;
      values.data[values.offset + i * values.stride] = i + 1;
    }
    run(kernels, work);
    // The scores are 256 sign i: one of them is all that is seen.
    const seen = Array.from({ length }, (__, i) => (sign > 0 ? i : 0));
    expect(Array.from(valuesIn(columnsOf(attended, 0, 1)))).toEqual(seen.map((j) => j + 1));
    expect(Array.from(valuesIn(work.written[2]!))).toEqual(seen.map((j) => 256 * sign * j + 0));
    expect(work.written.map((matrix) => valuesIn(matrix).every(Number.isFinite))).toEqual([true, true, true]);
  });

  it("takes rows of equal scores of any size as their mean", () => {
    for (const score of [1e-30, 1, 1e4, -1e9]) {
      const work = workOn({ headCount: 1, keyValueHeadCount: 1, headSize: 2 }, [300], () => 0);
      const { queries, keys, values, attended } = work.operands;
      for (let i = 0; i < 300; i++) {
        queries.data[queries.offset + i * queries.stride] = 1;
        keys.data[keys.offset + i * keys.stride] = score;
        values.data[values.offset + i * values.stride] = 1 + (i % 2);
      }
      run(kernels, work);
      const last = valuesIn(attended).at(-2);
      expect(last).toBeCloseTo(1.5, 5);
    }
  });
});
