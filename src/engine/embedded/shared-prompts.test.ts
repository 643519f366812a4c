import { describe, expect, it } from "vitest";
import { DECODE_INPUTS } from "./decode-graph.ts";
import type { LlamaConfig } from "./llama-parameters.ts";
import { SharedPrompts, type Prompt } from "./shared-prompts.ts";

const config: LlamaConfig = {
  vocabularySize: 10,
  hiddenSize: 8,
  layerCount: 1,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 8,
  contextLength: 512,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};

/** A prompt whose keys and values are all `value`. */
function promptOf(value: number, length: number): Prompt {
  const time = Math.ceil(length / 64) * 64;
  const layers = [1, 2].map(() => new Float32Array(2 * time * 2).fill(value));
  return { caches: { layers, time }, row: 0, length };
}

/** How many copies there are, members of each, positions, and the first key that each row is led to. */
function look(prompts: SharedPrompts, rows: number) {
  const { feeds, positions } = prompts.arrange();
  const keys = feeds[DECODE_INPUTS.promptKeys(0)]!;
  const toSharings = feeds[DECODE_INPUTS.toSharings]!;
  const toRows = feeds[DECODE_INPUTS.toRows]!.data as BigInt64Array;
  const [sharings, heads, queries] = toSharings.dims as [number, number, number];
  const first = Array.from({ length: rows }, (_, row) => {
    // The row's first query has a place, and that place has the row's first query.
    const place = Number(toRows[row * 4]);
    const back = Number((toSharings.data as BigInt64Array)[place]);
    const sharing = Math.floor(place / (heads * queries));
    return [back / 4, (keys.data as Float32Array)[sharing * 2 * positions * 2]];
  });
  return { sharings, members: queries / 2, positions, first };
}

describe("prompts", () => {
  it("are copied once for all rows that share them", () => {
    const prompts = new SharedPrompts(config, 32);
    const one = promptOf(7, 100);
    for (let row = 0; row < 32; row++) prompts.set(row, one);
    const { sharings, members, positions, first } = look(prompts, 32);
    expect({ sharings, members, positions }).toEqual({ sharings: 1, members: 32, positions: 128 });
    expect(first).toEqual(Array.from({ length: 32 }, (_, row) => [row, 7]));
  });

  it("of rows that share nothing have a copy each, and few places stay empty", () => {
    const prompts = new SharedPrompts(config, 16);
    for (let row = 0; row < 16; row++) prompts.set(row, promptOf(row + 1, 10 + row));
    const { sharings, members, positions, first } = look(prompts, 16);
    expect({ sharings, members, positions }).toEqual({ sharings: 16, members: 2, positions: 64 });
    expect(first).toEqual(Array.from({ length: 16 }, (_, row) => [row, row + 1]));
  });

  it("take over the copies of prompts that no row has any more", () => {
    const prompts = new SharedPrompts(config, 8);
    const [one, two, three] = [promptOf(1, 40), promptOf(2, 60), promptOf(3, 50)];
    for (let row = 0; row < 8; row++) prompts.set(row, row < 4 ? one : two);
    const before = look(prompts, 8);
    const memory = prompts.arrange().feeds[DECODE_INPUTS.promptKeys(0)];
    for (let row = 0; row < 4; row++) prompts.set(row, three);
    const after = look(prompts, 8);
    expect(prompts.arrange().feeds[DECODE_INPUTS.promptKeys(0)]).toBe(memory);
    expect(after.sharings).toBe(before.sharings);
    expect(after.first).toEqual(Array.from({ length: 8 }, (_, row) => [row, row < 4 ? 3 : 2]));
  });

  it("that are shared by more rows than those before them are given fewer copies with more places", () => {
    const prompts = new SharedPrompts(config, 16);
    for (let row = 0; row < 16; row++) prompts.set(row, promptOf(row + 1, 40));
    expect(look(prompts, 16)).toMatchObject({ sharings: 16, members: 2 });
    const [one, two] = [promptOf(1, 40), promptOf(2, 40)];
    for (let row = 0; row < 16; row++) prompts.set(row, row < 8 ? one : two);
    const { sharings, members, first } = look(prompts, 16);
    expect({ sharings, members }).toEqual({ sharings: 2, members: 8 });
    expect(first).toEqual(Array.from({ length: 16 }, (_, row) => [row, row < 8 ? 1 : 2]));
  });

  it("longer than the copies, or much shorter, make them anew", () => {
    const prompts = new SharedPrompts(config, 8);
    prompts.set(0, promptOf(1, 60));
    expect(look(prompts, 1)).toMatchObject({ positions: 64, first: [[0, 1]] });
    prompts.set(1, promptOf(2, 500));
    expect(look(prompts, 2)).toMatchObject({
      positions: 512,
      first: [
        [0, 1],
        [1, 2],
      ],
    });
    prompts.set(1, undefined);
    expect(look(prompts, 1)).toMatchObject({ positions: 64, first: [[0, 1]] });
  });
});
