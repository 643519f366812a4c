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
    const needs = estimateMemory(config, layout);
    expect(needs.weightsBytes).toBe(4 * 596_049_920);
    expect(needs.samplingBytes).toBe(4 * 64 * 1024 * 28 * 2 * 8 * 128);
    expect(needs.trainingBytes).toBeNull();
    expect(describeNeeds(needs, layout, "qwen")).toMatch(
      /^loading qwen: 596 M parameters, 2\.38 GB; about 15 GB more to sample .*, it is too large to be trained whole \(at most 268 M parameters\), 2\.1\d GB to train a low-rank adapter; /,
    );
    const small = { ...config, layerCount: 4, vocabularySize: 20_000 };
    const smaller = estimateMemory(small, layoutParameters(small));
    expect(smaller.trainingBytes).toBeGreaterThan(4 * smaller.weightsBytes);
    // Two replicas: two copies of the weights, gradients and activations; the moments once; and what is exchanged.
    const twice = estimateMemory(small, layoutParameters(small), 2);
    expect(twice.weightsBytes).toBe(2 * smaller.weightsBytes);
    expect(twice.trainingBytes).toBe(2 * smaller.trainingBytes! - smaller.weightsBytes);
  });

  it("of activations bounds how much is computed at once, which a small model never meets", () => {
    for (const withGradients of [true, false]) {
      const tokens = microBatchTokens(config, { withGradients });
      expect(tokens).toBeLessThan(4096);
      expect(tokens * activationBytesPerToken(config, { withGradients })).toBeLessThanOrEqual(2 ** 31);
      const small = { ...config, vocabularySize: 900, hiddenSize: 128, layerCount: 6, headCount: 4, headSize: 32 };
      expect(microBatchTokens({ ...small, intermediateSize: 352, contextLength: 1024 }, { withGradients })).toBe(4096);
    }
  });

  it("is refused where the weights alone are more than there is", () => {
    const needs = estimateMemory(config, layoutParameters(config));
    expect(() => refuseTooLarge(needs, "qwen", 2e9)).toThrow(ConfigError);
    expect(() => refuseTooLarge(needs, "qwen", 2e9)).toThrow(/qwen: its weights take 2\.38 GB .* 2\.00 GB of memory/);
    expect(() => refuseTooLarge(needs, "qwen", 3e9)).not.toThrow();
    expect(memoryLimitBytes()).toBeGreaterThan(1e8);
  });
});
