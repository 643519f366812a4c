import { describe, expect, it } from "vitest";
import { createRandom } from "../../random.ts";
import { allKernels } from "./kernels/addon.ts";
import { initializeParameters, layoutParameters } from "./llama-parameters.ts";
import { MOST_TRAINED_PARAMETERS, ParameterStore } from "./parameter-store.ts";

const layout = layoutParameters({
  vocabularySize: 7,
  hiddenSize: 6,
  layerCount: 1,
  headCount: 1,
  keyValueHeadCount: 1,
  intermediateSize: 5,
  contextLength: 8,
  tieEmbeddings: false,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
});
const options = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-6,
  weightDecay: 0.1,
  maxGradientNorm: 1,
};

describe.each([undefined, ...allKernels()].map((kernels) => ({ by: kernels?.name ?? "WebAssembly", kernels })))(
  "an AdamW step by $by",
  ({ kernels }) => {
    it("moves every weight as the formula says, with clipping, and decays matrices only", () => {
      const store = new ParameterStore(layout, { kernels });
      initializeParameters(layout, store.weights, 3);
      const random = createRandom("gradient");
      const reference = new Map(
        layout.parameters.map(({ name, length }) => [
          name,
          {
            w: [...store.view(store.weights, name)],
            m: Array.from({ length }, () => 0),
            v: Array.from({ length }, () => 0),
          },
        ]),
      );
      for (let step = 1; step <= 3; step++) {
        // The second gradient is short enough not to be clipped.
        const size = step === 2 ? 1e-3 : 1;
        store.settleGradient();
        for (const { name } of layout.parameters) {
          const gradient = store.view(store.gradient, name);
          gradient.forEach((_, i) => (gradient[i] = size * (random() - 0.5)));
        }
        const norm = Math.hypot(...store.gradient);
        const scale = Math.min(1, 1 / norm);
        for (const { name, shape } of layout.parameters) {
          const { w, m, v } = reference.get(name)!;
          const decay = shape.length === 2 ? 0.1 : 0;
          store.view(store.gradient, name).forEach((gradient, i) => {
            const g = gradient * scale;
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.99 * v[i] + 0.01 * g * g;
            const update = m[i] / (1 - 0.9 ** step) / (Math.sqrt(v[i] / (1 - 0.99 ** step)) + 1e-6);
            w[i] = w[i]! - 0.01 * (decay * w[i]! + update);
          });
        }
        expect(store.step(options).gradientNorm).toBeCloseTo(norm, 6);
        for (const { name } of layout.parameters) {
          store.view(store.weights, name).forEach((w, i) => expect(w).toBeCloseTo(reference.get(name)!.w[i]!, 5));
        }
        expect(store.gradientIsClear).toBe(true);
      }
    });

    it("worked out by hand for one weight", () => {
      const store = new ParameterStore(layout, { kernels });
      const weight = store.view(store.weights, "embedding");
      weight[0] = 2;
      store.settleGradient();
      store.view(store.gradient, "embedding")[0] = 3;
      expect(store.step(options).gradientNorm).toBe(3);
      // Clipped to 1: m̂ = 1, v̂ = 1, so w = 2 − 0.01·(0.1·2 + 1/(1 + 1e-6)).
      expect(weight[0]).toBeCloseTo(2 - 0.01 * 1.2, 6);
    });

    it("with a gradient that is not finite changes nothing but the gradient", () => {
      const store = new ParameterStore(layout, { kernels });
      initializeParameters(layout, store.weights, 3);
      const before = store.weights.slice();
      store.settleGradient();
      store.gradient[5] = Number.NaN;
      expect(store.step(options).gradientNorm).toBeNaN();
      expect(store.weights).toEqual(before);
      expect(store.stepCount).toBe(0);
      expect(store.gradientIsClear).toBe(true);
    });
  },
);

describe("fresh weights", () => {
  it("have the deviations that training relies on and depend on the seed alone", () => {
    const wide = layoutParameters({
      vocabularySize: 400,
      hiddenSize: 64,
      layerCount: 1,
      headCount: 4,
      keyValueHeadCount: 2,
      intermediateSize: 256,
      contextLength: 8,
      tieEmbeddings: true,
      ropeTheta: 10_000,
      rmsNormEpsilon: 1e-5,
    });
    const draw = (seed: number) => {
      const store = new ParameterStore(wide);
      initializeParameters(wide, store.weights, seed);
      return store;
    };
    const store = draw(1);
    const deviation = (name: string): number => {
      const values = store.view(store.weights, name);
      return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    };
    expect(deviation("embedding")).toBeCloseTo(0.05, 2);
    expect(deviation("layers.0.queryKeyValue")).toBeCloseTo(1 / 8, 2);
    expect(deviation("layers.0.attentionOutput")).toBeCloseTo(0.5 / 8, 2);
    expect(deviation("layers.0.down")).toBeCloseTo(0.5 / 16, 2);
    expect(store.view(store.weights, "finalNorm").every((w) => w === 1)).toBe(true);
    const differs = (other: ParameterStore): boolean => other.weights.some((w, i) => w !== store.weights[i]);
    expect([differs(draw(1)), differs(draw(2))]).toEqual([false, true]);
  });
});

describe("a model of more parameters than can be trained", () => {
  it("has its weights alone, and refuses to step", () => {
    // Memory that is never touched is never taken.
    const totalLength = MOST_TRAINED_PARAMETERS + 4;
    const store = new ParameterStore({ ...layout, totalLength, parameterCount: totalLength });
    expect(store.weights).toHaveLength(totalLength);
    expect(store.gradient).toHaveLength(0);
    expect(() => store.step(options)).toThrow(/can be sampled and scored, not trained; at most 268435456/);
  });
});
