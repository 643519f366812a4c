import { describe, expect, it } from "vitest";
import { Decoder, type StepResult } from "./decoder.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import { initializeParameters, layoutParameters, type LlamaConfig } from "./llama-parameters.ts";
import { ParameterStore } from "./parameter-store.ts";
import type { Prompt } from "./shared-prompts.ts";

const config: LlamaConfig = {
  architecture: "qwen2",
  vocabularySize: 300,
  hiddenSize: 64,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 96,
  contextLength: 128,
  tieEmbeddings: false,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};

/** Three steps of eight rows after prompts of different lengths. */
async function decode(store: ParameterStore, options: { mostPackedBytes?: number }): Promise<StepResult> {
  const decoder = new Decoder(config, store, options);
  const prompts = [3, 20, 7].map((length) => Int32Array.from({ length }, (_, t) => (31 * t + length) % 300));
  const caches = await decoder.prefill(prompts);
  const cache = new KeyValueCache(config, { rows: 8, capacity: 32 });
  prompts.forEach((prompt, row) => cache.start(row, { caches, row, length: prompt.length }));
  const inverseTemperatures = new Float32Array(8).fill(1);
  let result: StepResult | undefined;
  for (let step = 0; step < 3; step++) {
    const tokens = BigInt64Array.from({ length: 8 }, (_, row) => BigInt(10 * row + step));
    result = await decoder.step(cache, { tokens, inverseTemperatures });
    cache.advance([0, 1, 2, 3, 4, 5, 6, 7]);
  }
  await decoder.close();
  return result!;
}

describe("a model too large for its weights to be packed into the graphs", () => {
  it("decodes what it would with packed weights, also after the weights have changed", async () => {
    const store = new ParameterStore(layoutParameters(config));
    for (const seed of [1, 2]) {
      initializeParameters(store.layout, store.weights, seed);
      store.version++;
      const packed = await decode(store, {});
      const unpacked = await decode(store, { mostPackedBytes: 0 });
      const differences = packed.logProbabilities.map((value, i) => Math.abs(value - unpacked.logProbabilities[i]!));
      expect(Math.max(...differences)).toBeLessThan(1e-5);
    }
  });
});

/** What the row of `prompts[0]` decodes in six steps, beside rows of the other prompts. */
async function decodeBeside(
  decoder: Decoder,
  options: { rows: number; place: number; capacity: number; prompts: readonly Prompt[] },
): Promise<number[]> {
  const { rows, place, prompts } = options;
  const cache = new KeyValueCache(config, { rows, capacity: options.capacity });
  prompts.forEach((prompt, i) => cache.start((place + i) % rows, prompt));
  const all = Array.from({ length: rows }, (_, row) => row);
  const decoded: number[] = [];
  for (let step = 0; step < 6; step++) {
    // Midway the cache becomes larger, or smaller again, and a neighbour is replaced.
    if (step === 2) cache.resize(options.capacity === 16 ? 48 : 16);
    if (step === 4 && prompts.length > 2) cache.start((place + 1) % rows, prompts.at(-1));
    const tokens = BigInt64Array.from(all, (row) => BigInt(row === place ? 40 + step : row + step));
    const result = await decoder.step(cache, { tokens, inverseTemperatures: new Float32Array(rows).fill(1) });
    decoded.push(...result.logProbabilities.subarray(300 * place, 300 * (place + 1)));
    cache.advance(all);
  }
  return decoded;
}

describe("what a row decodes", () => {
  it("is the same in every bit whoever shares its prompt, and whatever lies in the other rows", async () => {
    const store = new ParameterStore(layoutParameters(config));
    initializeParameters(store.layout, store.weights, 5);
    const decoder = new Decoder(config, store);
    const prompt = async (length: number): Promise<Prompt> => {
      const tokens = Int32Array.from({ length }, (_, t) => (17 * t + length) % 300);
      return { caches: await decoder.prefill([tokens]), row: 0, length };
    };
    const [own, short, long] = [await prompt(30), await prompt(0), await prompt(100)];
    const alone = await decodeBeside(decoder, { rows: 8, place: 0, capacity: 16, prompts: [own] });
    const others = Array.from({ length: 20 }, (_, i) => [long, short, own][i % 3]!);
    for (const [rows, place, capacity, prompts] of [
      [8, 3, 48, [own]],
      [8, 7, 16, [own, own, own, own, own, own, own, own]],
      [8, 0, 48, [own, long, short]],
      [32, 30, 16, [own, ...others]],
      [64, 9, 96, [own, ...others, ...others, own]],
    ] as const) {
      expect(await decodeBeside(decoder, { rows, place, capacity, prompts })).toEqual(alone);
    }
    await decoder.close();
  });
});
