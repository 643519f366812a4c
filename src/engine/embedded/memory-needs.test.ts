import { describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { layoutParameters, type LlamaConfig } from "./llama-parameters.ts";
import { activationBytesPerToken, microBatchTokens } from "./micro-batch-size.ts";
import { describeNeeds, estimateMemory, memoryLimitBytes, refuseTooLarge } from "./memory-needs.ts";

/** The shape of Qwen3-0.6B. */
const config: LlamaConfig = {
  architecture: "qwen3",
  vocabularySize: 151_936,
  hiddenSize: 1024,
  layerCount: 28,
  headCount: 16,
  keyValueHeadCount: 8,
  headSize: 128,
  intermediateSize: 3072,
  contextLength: 40_960,
  tieEmbeddings: true,
  ropeTheta: 1e6,
  rmsNormEpsilon: 1e-6,
};

describe("the memory a model takes", () => {
  it("is four bytes per parameter to load, the cache to sample a large one, and training only up to a size", () => {
    const layout = layoutParameters(config);
    expect(layout.parameterCount).toBe(596_049_920);
    const alone = { replicas: 1, byKernels: false };
    const needs = estimateMemory(config, layout, alone);
    expect(needs.weightsBytes).toBe(4 * 596_049_920);
    expect(needs.samplingBytes).toBe(4 * 64 * 1024 * 28 * 2 * 8 * 128);
    expect(needs.trainingBytes).toBeNull();
    expect(describeNeeds(needs, layout, "qwen")).toMatch(
      /^loading qwen: 596 M parameters, 2\.38 GB; about 15 GB more to sample .*, it is too large to be trained whole \(at most 268 M parameters\), 2\.1\d GB to train a low-rank adapter; /,
    );
    const small = { ...config, layerCount: 4, vocabularySize: 20_000 };
    const smaller = estimateMemory(small, layoutParameters(small), alone);
    expect(smaller.trainingBytes).toBeGreaterThan(4 * smaller.weightsBytes);
    // Two replicas: two copies of the weights, gradients and activations; the moments once; and what is exchanged.
    const twice = estimateMemory(small, layoutParameters(small), { replicas: 2, byKernels: false });
    expect(twice.weightsBytes).toBe(2 * smaller.weightsBytes);
    expect(twice.trainingBytes).toBe(2 * smaller.trainingBytes! - smaller.weightsBytes);
    // With kernels they share weights and moments; each has a gradient and activations, and fewer of them.
    const [one, two] = [1, 2].map((replicas) => {
      return estimateMemory(small, layoutParameters(small), { replicas, byKernels: true });
    }) as [typeof needs, typeof needs];
    expect(one.weightsBytes).toBe(smaller.weightsBytes);
    expect(two.weightsBytes).toBe(one.weightsBytes);
    expect(two.trainingBytes! - one.trainingBytes!).toBe(one.trainingBytes! - 2 * one.weightsBytes);
    expect(one.trainingBytes).toBeLessThan(smaller.trainingBytes!);
  });

  it("of activations bounds how much is computed at once, which a small model never meets", () => {
    const ways = [true, false].flatMap((withGradients) =>
      [true, false].map((byKernels) => ({ withGradients, byKernels })),
    );
    for (const way of ways) {
      const tokens = microBatchTokens(config, way);
      expect(tokens).toBeLessThanOrEqual(4096);
      expect(tokens * activationBytesPerToken(config, way)).toBeLessThanOrEqual(2 ** 31);
      const small = { ...config, vocabularySize: 900, hiddenSize: 128, layerCount: 6, headCount: 4, headSize: 32 };
      expect(microBatchTokens({ ...small, intermediateSize: 352, contextLength: 1024 }, way)).toBe(
        way.byKernels ? 2048 : 4096,
      );
    }
  });

  it("is refused where the weights alone are more than there is", () => {
    const needs = estimateMemory(config, layoutParameters(config), { replicas: 1, byKernels: true });
    expect(() => refuseTooLarge(needs, "qwen", 2e9)).toThrow(ConfigError);
    expect(() => refuseTooLarge(needs, "qwen", 2e9)).toThrow(/qwen: its weights take 2\.38 GB .* 2\.00 GB of memory/);
    expect(() => refuseTooLarge(needs, "qwen", 3e9)).not.toThrow();
    expect(memoryLimitBytes()).toBeGreaterThan(1e8);
  });
});
