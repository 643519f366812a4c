import { describe, expect, it } from "vitest";
import { Decoder, type StepResult } from "./decoder.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import { initializeParameters, layoutParameters, type LlamaConfig } from "./llama-parameters.ts";
import { ParameterStore } from "./parameter-store.ts";

const config: LlamaConfig = {
  architecture: "qwen2",
  vocabularySize: 300,
  hiddenSize: 64,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 96,
  contextLength: 64,
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
    cache.append([0, 1, 2, 3, 4, 5, 6, 7]);
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
