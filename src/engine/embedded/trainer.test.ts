import { describe, expect, it } from "vitest";
import { createRandom } from "../../random.ts";
import type { Datum } from "../engine.ts";
import { initializeParameters, layoutParameters, type LlamaConfig } from "./llama-parameters.ts";
import { allKernels } from "./kernels/addon.ts";
import { openMicroBatches } from "./micro-batches.ts";
import { ParameterStore } from "./parameter-store.ts";
import { Trainer } from "./trainer.ts";

const base: LlamaConfig = {
  vocabularySize: 11,
  hiddenSize: 16,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 20,
  contextLength: 64,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};

/** Everything that can compute here. */
const backends = [
  { name: "onnxruntime", kernels: undefined },
  ...allKernels().map((kernels) => ({ name: kernels.name, kernels })),
];

describe.each(backends)("with $name", ({ kernels }) => {
  function open(config: LlamaConfig, threads = 1) {
    const store = new ParameterStore(layoutParameters(config));
    initializeParameters(store.layout, store.weights, 1);
    return { store, trainer: new Trainer(config, store, openMicroBatches(config, store, { kernels, threads })) };
  }

  function randomData(config: LlamaConfig, lengths: readonly number[], seed = 0): Datum[] {
    const random = createRandom("data", seed);
    return lengths.map((length) => ({
      tokens: Int32Array.from({ length }, () => Math.floor(random() * config.vocabularySize)),
      weights: Float32Array.from({ length }, (_, t) => (t === 0 || random() < 0.3 ? 0 : random() - 0.3)),
    }));
  }

  const lossOf = (data: readonly Datum[], logprobs: readonly Float32Array[]): number =>
    -data.reduce((sum, { weights }, i) => sum + weights.reduce((s, w, t) => s + w * logprobs[i]![t]!, 0), 0);

  describe("the whole model's gradient agrees with finite differences", () => {
    const variants: Record<string, Partial<LlamaConfig>> = {
      "grouped-query, tied": {},
      "a long context, with more blocks of attention": { contextLength: 1024 },
      "multi-head, untied": { keyValueHeadCount: 4, tieEmbeddings: false },
      "multi-query, tied": { keyValueHeadCount: 1 },
      "a score head": { output: "score" },
      "Llama with all biases": { attentionBias: true, feedForwardBias: true },
      "Qwen2, untied": { architecture: "qwen2", tieEmbeddings: false },
      "Qwen3 with wide heads": { architecture: "qwen3", headSize: 10 },
      "Qwen3 with biases and a score head": { architecture: "qwen3", attentionBias: true, output: "score" },
      "Mistral with narrow heads": { architecture: "mistral", headSize: 2 },
      "Llama 3.1's stretched positions": {
        ropeTheta: 100,
        ropeScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 32 },
      },
    };
    for (const [name, changes] of Object.entries(variants)) {
      it(`${name}`, async () => {
        const config = { ...base, ...changes };
        const { store, trainer } = open(config);
        const random = createRandom("direction", name);
        for (const { name: parameter, shape } of store.layout.parameters) {
          if (shape.length > 1) continue;
          const norm = store.view(store.weights, parameter);
          norm.forEach((_, i) => (norm[i] = 0.5 + random()));
        }
        const data = randomData(config, [5, 17, 30, 9]);
        const { loss, logprobs } = await trainer.forwardBackward(data);
        expect(loss).toBeCloseTo(lossOf(data, logprobs), 4);
        for (const { name: parameter } of store.layout.parameters) {
          const weights = store.view(store.weights, parameter);
          const gradient = store.view(store.gradient, parameter);
          const saved = weights.slice();
          const raw = saved.map(() => random() - 0.5);
          const norm = Math.hypot(...raw);
          const lossAt = async (distance: number): Promise<number> => {
            weights.forEach((_, i) => (weights[i] = saved[i]! + (distance * raw[i]!) / norm));
            return lossOf(data, await trainer.forward(data));
          };
          const h = 1e-2;
          const near = (await lossAt(h)) - (await lossAt(-h));
          const far = (await lossAt(2 * h)) - (await lossAt(-2 * h));
          weights.set(saved);
          const slope = (8 * near - far) / (12 * h);
          const expected = gradient.reduce((sum, g, i) => sum + (g * raw[i]!) / norm, 0);
          const error = Math.abs(slope - expected) / (Math.abs(slope) + Math.abs(expected) + 1e-2);
          expect({ parameter, agrees: error < 1e-2 }).toEqual({ parameter, agrees: true });
        }
        await trainer.close();
      });
    }
  });

  describe("batches", () => {
    it("give a datum the same log-probabilities and gradient whatever stands beside it", async () => {
      const { store, trainer } = open(base);
      const data = randomData(base, [40, 3, 12, 64, 25, 7]);
      const together = await trainer.forwardBackward(data);
      const sum = store.gradient.slice();
      store.gradient.fill(0);
      for (const [i, datum] of data.entries()) {
        const alone = await trainer.forwardBackward([datum]);
        alone.logprobs[0]!.forEach((logprob, t) => expect(together.logprobs[i]![t]).toBeCloseTo(logprob, 5));
      }
      expect(sum.every((g, i) => Math.abs(g - store.gradient[i]!) < 1e-4)).toBe(true);
      await trainer.close();
    });

    it("larger than one micro-batch are cut, and gradients add up over calls", async () => {
      const { store, trainer } = open(base);
      const data = randomData(
        base,
        Array.from({ length: 120 }, (_, i) => 40 + (i % 24)),
      );
      await trainer.forwardBackward(data);
      const once = store.gradient.slice();
      await trainer.forwardBackward(data);
      const scale = Math.hypot(...once);
      expect(once.every((g, i) => Math.abs(2 * g - store.gradient[i]!) < 1e-5 * scale)).toBe(true);
      await trainer.close();
    });

    it("computed again give the same bits", async () => {
      const { store, trainer } = open(base, 2);
      const data = randomData(base, [60, 60, 33, 20, 64, 64, 64, 50]);
      const first = await trainer.forwardBackward(data);
      const gradient = store.gradient.slice();
      for (let repeat = 0; repeat < 5; repeat++) {
        store.gradient.fill(0);
        expect(await trainer.forwardBackward(data)).toEqual(first);
        expect(store.gradient).toEqual(gradient);
      }
      await trainer.close();
    });

    it("leave 0 where nothing is weighted, and need nothing weighted at all", async () => {
      const { store, trainer } = open(base);
      const tokens = Int32Array.of(1, 2, 3, 4);
      const empty = { tokens, weights: new Float32Array(4) };
      const some = { tokens, weights: Float32Array.of(0, 0, 1, 0) };
      expect(await trainer.forwardBackward([empty])).toEqual({ loss: 0, logprobs: [new Float32Array(4)] });
      expect(store.gradient.every((g) => g === 0)).toBe(true);
      const { logprobs } = await trainer.forwardBackward([empty, some]);
      expect(Array.from(logprobs[1]!, (logprob) => logprob !== 0)).toEqual([false, false, true, false]);
      await trainer.close();
    });

    it("aborted half-way leave the gradient as it was", async () => {
      const { store, trainer } = open(base);
      const data = randomData(base, [20, 30]);
      await trainer.forwardBackward(data);
      const before = store.gradient.slice();
      const controller = new AbortController();
      const many = randomData(
        base,
        Array.from({ length: 400 }, () => 60),
      );
      setImmediate(() => controller.abort());
      await expect(trainer.forwardBackward(many, { signal: controller.signal })).rejects.toThrow(/abort/i);
      expect(store.gradient).toEqual(before);
      await trainer.close();
    });
  });
});
