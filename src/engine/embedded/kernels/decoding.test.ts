/** Attention of tokens being decoded, over keys and values that the kernels have put in pages, against its formula. */
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
import { createRandom, randomInteger, shuffled, type Random } from "../../../random.ts";
import { allKernels, type Kernels } from "./addon.ts";
import { KernelProgram, type CacheLayer } from "./kernel-program.ts";
import { columnsOf, matrixOf, rowsOf, type Matrix } from "./matrix.ts";

const sets = allKernels();

/** In units in the last place of the magnitudes. */
const MOST_ERROR = 8;

interface Group {
  readonly promptLength: number;
  /** Of each row of the group, with the present position. */
  readonly ownLengths: readonly number[];
}

interface Case {
  readonly groups: readonly Group[];
  readonly keyValueHeadCount: number;
  readonly shared: number;
  readonly headSize: number;
  readonly layer: number;
  readonly seed: number;
}

const LAYERS = 2;

const arbitraryCase: fc.Arbitrary<Case> = fc.record({
  groups: fc.array(
    fc.record({
      promptLength: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 90 })),
      ownLengths: fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 9 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  keyValueHeadCount: fc.constantFrom(1, 2, 3),
  shared: fc.constantFrom(1, 2, 4, 7),
  headSize: fc.constantFrom(2, 10, 16, 32, 64, 80),
  layer: fc.integer({ min: 0, max: LAYERS - 1 }),
  seed: fc.nat(),
});

/** A run of positions in the cache, and what was written there in each layer. */
interface Positions {
  readonly pages: readonly number[];
  readonly length: number;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** The cache of a case, with every layer's keys and values of prompts and rows, each written in two parts. */
class FilledCache {
  readonly prompts: readonly Positions[];
  readonly rows: readonly (readonly Positions[])[];
  readonly #pages: Float32Array;
  readonly #pageCount: number;
  readonly #given: Case;

  constructor(kernels: Kernels, given: Case, random: Random) {
    this.#given = given;
    const { pagePositions } = kernels;
    const lengths = given.groups.flatMap(({ promptLength, ownLengths }) => [promptLength, ...ownLengths]);
    this.#pageCount = lengths.reduce((count, length) => count + Math.ceil(length / pagePositions), 1);
    const width = given.keyValueHeadCount * given.headSize;
    // Whoever reads a position that nobody has written has it in its results.
    this.#pages = new Float32Array(this.#pageCount * LAYERS * width * 2 * pagePositions).fill(Number.NaN);
    const free = shuffled(
      random,
      Array.from({ length: this.#pageCount }, (_, page) => page),
    );
    const write = (length: number): Positions => {
      const pages = free.splice(0, Math.ceil(length / pagePositions));
      const places = Int32Array.from(
        { length },
        (_, at) => pages[Math.floor(at / pagePositions)]! * pagePositions + (at % pagePositions),
      );
      const split = randomInteger(random, length + 1);
      const layers = Array.from({ length: LAYERS }, (_, layer) => {
        const both = framed(length, 2 * width, () => normal(random), { gap: 1 });
        const parts = [columnsOf(both, 0, width), columnsOf(both, width, width)] as const;
        for (const [start, end] of [
          [0, split],
          [split, length],
        ] as const) {
          const [keys, values] = parts.map((part) => rowsOf(part, start, end - start)) as [Matrix, Matrix];
          const program = new KernelProgram(kernels);
          if (start < end) program.cacheWrite(this.layer(layer), { data: places.slice(start, end) }, keys, values);
          program.run();
        }
        return parts.map(valuesIn) as [Float32Array, Float32Array];
      });
      return { pages, length, keys: layers.map(([keys]) => keys), values: layers.map(([, values]) => values) };
    };
    this.prompts = given.groups.map(({ promptLength }) => write(promptLength));
    this.rows = given.groups.map(({ ownLengths }) => ownLengths.map(write));
  }

  layer(layer: number): CacheLayer {
    const { keyValueHeadCount, headSize } = this.#given;
    const extents = { pageCount: this.#pageCount, layerCount: LAYERS, layer, keyValueHeadCount, headSize };
    return { pages: this.#pages, ...extents };
  }
}

/** One step of rows in groups, each of which has a prompt. */
interface Step {
  readonly prompts: readonly Positions[];
  readonly rows: readonly (readonly Positions[])[];
  readonly queries: Matrix;
}

function attend(kernels: Kernels, cache: FilledCache, given: Case, { prompts, rows, queries }: Step): Matrix {
  const lists = (all: readonly Positions[]) => {
    // One more than there must be, with what no page has for a number.
    const most = Math.max(0, ...all.map(({ pages }) => pages.length)) + 1;
    const pages = new Int32Array(all.length * most).fill(-1);
    for (const [i, sequence] of all.entries()) pages.set(sequence.pages, i * most);
    return { pages, most, lengths: Int32Array.from(all, ({ length }) => length) };
  };
  const starts = [0];
  for (const group of rows) starts.push(starts.at(-1)! + group.length);
  const [ofPrompts, ofRows] = [lists(prompts), lists(rows.flat())];
  const attended = framed(queries.rows, queries.columns, undefined, { gap: 2 });
  const program = new KernelProgram(kernels);
  program.decodeAttention(cache.layer(given.layer), {
    groupStarts: Int32Array.from(starts),
    promptPages: ofPrompts.pages,
    mostPromptPages: ofPrompts.most,
    promptLengths: ofPrompts.lengths,
    ownPages: ofRows.pages,
    mostOwnPages: ofRows.most,
    ownLengths: ofRows.lengths,
    headCount: given.keyValueHeadCount * given.shared,
    queries,
    attended,
  });
  program.run();
  expect(strayWrites(attended)).toBe(0);
  return attended;
}

/** softmax(q k / √size) v over the prompt's and the row's own positions. */
function reference({ layer, shared, headSize, keyValueHeadCount }: Case, { prompts, rows, queries }: Step) {
  const width = keyValueHeadCount * headSize;
  const q = valuesIn(queries);
  const attended = new ReferenceSums(q.length);
  const all = rows.flatMap((group, g) => group.map((row) => [prompts[g]!, row]));
  for (const [i, parts] of all.entries()) {
    for (let head = 0; head < keyValueHeadCount * shared; head++) {
      const ofQuery = i * queries.columns + head * headSize;
      const column = Math.floor(head / shared) * headSize;
      const scores = parts.flatMap(({ keys, length }) =>
        Array.from({ length }, (_, j) => {
          let score = 0;
          for (let d = 0; d < headSize; d++) score += q[ofQuery + d]! * keys[layer]![j * width + column + d]!;
          return score / Math.sqrt(headSize);
        }),
      );
      const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      for (const [j, score] of scores.entries()) {
        const [prompt, own] = parts as [Positions, Positions];
        const [values, at] = j < prompt.length ? [prompt.values, j] : [own.values, j - prompt.length];
        const p = Math.exp(score) / total;
        for (let d = 0; d < headSize; d++) attended.add(ofQuery + d, p * values[layer]![at * width + column + d]!);
      }
    }
  }
  return attended;
}

/** All rows of a case in one step. */
function wholeStep(cache: FilledCache, given: Case, random: Random): Step {
  const { prompts, rows } = cache;
  const columns = given.keyValueHeadCount * given.shared * given.headSize;
  return { prompts, rows, queries: framed(rows.flat().length, columns, () => normal(random), { gap: 3 }) };
}

describe.skipIf(sets.length === 0).each(sets)("decoding with the $name kernels", (kernels) => {
  it("attends to prompts and own positions, wherever their pages are", () => {
    fc.assert(
      fc.property(arbitraryCase, (given) => {
        const random = createRandom("decoding", given.seed);
        const cache = new FilledCache(kernels, given, random);
        const step = wholeStep(cache, given, random);
        const attended = attend(kernels, cache, given, step);
        expect(worstError(valuesIn(attended), reference(given, step))).toBeLessThan(MOST_ERROR);
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  it("gives a row the same bits alone and in any company", () => {
    fc.assert(
      fc.property(arbitraryCase, (given) => {
        const random = createRandom("company", given.seed);
        const cache = new FilledCache(kernels, given, random);
        const step = wholeStep(cache, given, random);
        const attended = attend(kernels, cache, given, step);
        let row = 0;
        for (const [g, group] of step.rows.entries()) {
          const prompts = [step.prompts[g]!];
          // Each alone, and all but the first.
          const parts = [...group.map((_, i) => [i, i + 1] as const), [1, group.length] as const];
          for (const [start, end] of parts.filter((part) => part[0] < part[1])) {
            const queries = rowsOf(step.queries, row + start, end - start);
            const part = attend(kernels, cache, given, { prompts, rows: [group.slice(start, end)], queries });
            expect(bitsOf(part)).toEqual(bitsOf(rowsOf(attended, row + start, end - start)));
          }
          row += group.length;
        }
      }),
      { numRuns: 15, seed: 2 },
    );
  });

  it("attends to a long prompt and to long rows after it", () => {
    const groups = [{ promptLength: 2000, ownLengths: [1, 1500, 33] }];
    const given = { groups, keyValueHeadCount: 1, shared: 3, headSize: 16, layer: 1, seed: 0 };
    const random = createRandom("long");
    const cache = new FilledCache(kernels, given, random);
    const step = wholeStep(cache, given, random);
    expect(worstError(valuesIn(attend(kernels, cache, given, step)), reference(given, step))).toBeLessThan(MOST_ERROR);
  });

  it("takes scores of any size as they are", () => {
    const length = 40;
    for (const sign of [1, -1]) {
      const pages = new Float32Array(2 * 4 * kernels.pagePositions);
      const cache = { pages, pageCount: 2, layerCount: 1, layer: 0, keyValueHeadCount: 1, headSize: 2 };
      const keys = Float32Array.from({ length: 2 * length }, (_, at) => (at % 2 === 0 ? sign * 1e4 * (at / 2) : 0));
      const values = Float32Array.from({ length: 2 * length }, (_, at) => at);
      const program = new KernelProgram(kernels);
      const places = Int32Array.from({ length }, (_, i) => i);
      program.cacheWrite(cache, { data: places }, matrixOf(keys, length, 2), matrixOf(values, length, 2));
      const attended = framed(1, 2);
      program.decodeAttention(cache, {
        groupStarts: Int32Array.of(0, 1),
        promptPages: new Int32Array(),
        mostPromptPages: 0,
        promptLengths: Int32Array.of(0),
        ownPages: Int32Array.of(0, 1),
        mostOwnPages: 2,
        ownLengths: Int32Array.of(length),
        headCount: 1,
        queries: matrixOf(Float32Array.of(1000, 0), 1, 2),
        attended,
      });
      program.run();
      expect(Array.from(valuesIn(attended))).toEqual(sign > 0 ? [2 * length - 2, 2 * length - 1] : [0, 1]);
    }
  });
});
