import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loopTurnsDuring } from "../../../test/until.ts";
import { createRandom } from "../../random.ts";
import type { SampledToken, SampleRequest, TrainableModel } from "../engine.ts";
import { createEmbeddedModel } from "./embedded-model.ts";
import { allKernels } from "./kernels/addon.ts";
import type { LlamaConfig } from "./llama-parameters.ts";
import { trainTokenizer } from "../tokenizer-training.ts";

const tokenizerFiles = trainTokenizer({
  texts: ["def add(xs):\n    return sum(xs)\n"],
  phrases: [],
  vocabularySize: 300,
});

// The widths of the default model, so that the products have the shapes that matter for rounding.
const config: LlamaConfig = {
  vocabularySize: 900,
  hiddenSize: 128,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 352,
  contextLength: 400,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};

const prompt = (length: number, seed = 0): Int32Array => {
  const random = createRandom("prompt", length, seed);
  return Int32Array.from({ length }, () => 4 + Math.floor(random() * 890));
};

const request = (changes: Partial<SampleRequest>): SampleRequest => ({
  tokens: prompt(5),
  seeds: [1],
  temperature: 1,
  maxTokens: 20,
  ...changes,
});

describe.each([...allKernels().map(({ name }) => name), "onnxruntime"])("with %s,", (kernels) => {
  let model: TrainableModel;
  beforeAll(async () => {
    vi.stubEnv("MUCODE_KERNELS", kernels);
    model = await createEmbeddedModel({ config, tokenizer: tokenizerFiles, seed: 3, threads: 2 });
    vi.unstubAllEnvs();
  });
  afterAll(() => model.close());

  describe("a sample", () => {
    it("is the same in every bit alone and among 200 others of all lengths and temperatures", async () => {
      const lengths = [1, 2, 40, 64, 65, 129, 260];
      const wanted = lengths.map((length) => request({ tokens: prompt(length), seeds: [7], maxTokens: 90 }));
      const alone = [];
      for (const one of wanted) alone.push((await model.sample(one))[0]);
      const others = Array.from({ length: 100 }, (_, i) =>
        model.sample(
          request({
            tokens: prompt(1 + ((i * 37) % 300), i),
            seeds: [i, i + 1],
            temperature: (i % 4) / 2,
            maxTokens: 1 + ((i * 11) % 40),
          }),
        ),
      );
      const together = await Promise.all(wanted.map((one) => model.sample({ ...one, seeds: [3, 7, 8] })));
      await Promise.all(others);
      expect(together.map((samples) => samples[1])).toEqual(alone);
    });

    it("has the log-probabilities that scoring gives, also at other temperatures", async () => {
      for (const temperature of [0, 0.5, 1]) {
        const tokens = prompt(30);
        const samples = await model.sample(request({ tokens, seeds: [1, 2, 3], temperature, maxTokens: 60 }));
        const data = samples.map((sample) => {
          const end = sample.stopReason === "end" ? [model.tokenizer.endToken] : [];
          const all = Int32Array.of(...tokens, ...sample.tokens, ...end);
          return { tokens: all, weights: new Float32Array(all.length).fill(1, tokens.length) };
        });
        const scored = await model.forward(data);
        samples.forEach(({ logprobs }, i) => {
          expect(logprobs.length).toBe(data[i]!.tokens.length - tokens.length);
          logprobs.forEach((logprob, t) =>
            expect(Math.abs(logprob - scored[i]![tokens.length + t]!)).toBeLessThan(1e-4),
          );
        });
      }
    });

    it("is cut at maxTokens and where the context ends", async () => {
      const [short] = await model.sample(request({ maxTokens: 1, temperature: 0 }));
      expect(short).toMatchObject({ stopReason: "length" });
      expect(short!.tokens.length).toBe(1);
      const [long] = await model.sample(request({ tokens: prompt(395), maxTokens: 100, temperature: 0 }));
      expect(long!.tokens.length).toBe(5);
      expect(long!.stopReason).toBe("length");
    });

    it("ends with the end token, which it does not contain", async () => {
      const seeds = Array.from({ length: 64 }, (_, i) => i);
      // At a high temperature every token, the end token too, comes about as often.
      const samples = await model.sample(request({ seeds, temperature: 1000, maxTokens: 80 }));
      const ended = samples.filter(({ stopReason }) => stopReason === "end");
      expect(ended.length).toBeGreaterThan(0);
      for (const { tokens, logprobs } of ended) expect(logprobs.length).toBe(tokens.length + 1);
      for (const { tokens } of samples) expect(tokens).not.toContain(model.tokenizer.endToken);
    });

    it("is drawn in proportion to the probabilities", async () => {
      const seeds = Array.from({ length: 2000 }, (_, i) => i);
      const samples = await model.sample(request({ seeds, temperature: 0.25, maxTokens: 1 }));
      // By log-probability, which tells tokens apart.
      const counts = new Map<number, number>();
      for (const { logprobs } of samples) counts.set(logprobs[0]!, (counts.get(logprobs[0]!) ?? 0) + 1);
      const weightOf = (logprob: number): number => Math.exp(logprob / 0.25);
      const total = [...counts.keys()].reduce((sum, logprob) => sum + weightOf(logprob), 0);
      expect(counts.size).toBeGreaterThan(10);
      for (const [logprob, count] of counts) {
        const expected = (2000 * weightOf(logprob)) / total;
        expect(Math.abs(count - expected)).toBeLessThan(6 * Math.sqrt(expected) + 6);
      }
    });
  });

  describe("tokens told as they are sampled", () => {
    it("are those of the samples, with the likeliest ones, and change nothing", async () => {
      const plain = request({ seeds: [1, 2, 3], temperature: 0.7, maxTokens: 15 });
      const told: SampledToken[] = [];
      const samples = await model.sample({ ...plain, topLogprobs: 3, onToken: (token) => void told.push(token) });
      expect(samples).toEqual(await model.sample(plain));
      for (const [sampleIndex, sample] of samples.entries()) {
        const own = told.filter((token) => token.sampleIndex === sampleIndex);
        expect(own.map(({ logprob }) => logprob)).toEqual([...sample.logprobs]);
        expect(own.slice(0, sample.tokens.length).map(({ token }) => token)).toEqual([...sample.tokens]);
        expect(own.map(({ stopReason }) => stopReason).filter((reason) => reason !== undefined)).toEqual([
          sample.stopReason,
        ]);
        for (const { top } of own) {
          const logprobs = top!.map(({ logprob }) => logprob);
          expect(logprobs).toEqual(logprobs.toSorted((a, b) => b - a));
          expect(logprobs).toHaveLength(3);
        }
      }
      const [greedy] = told.map(({ top }) => top![0]!.token);
      const [first] = await model.sample({ ...plain, seeds: [1], temperature: 0 });
      expect(first!.tokens[0]).toBe(greedy);
    });

    it("may end a sample, and the others go on as they would", async () => {
      const plain = request({ seeds: [1, 2, 3], maxTokens: 15 });
      const whole = await model.sample(plain);
      let left = 4;
      const samples = await model.sample({
        ...plain,
        onToken: ({ sampleIndex }) => (sampleIndex === 1 && --left === 0 ? "stop" : undefined),
      });
      expect(samples[1]).toEqual({
        tokens: whole[1]!.tokens.slice(0, 4),
        logprobs: whole[1]!.logprobs.slice(0, 4),
        stopReason: "length",
      });
      expect([samples[0], samples[2]]).toEqual([whole[0], whole[2]]);
    });

    it("that cannot be taken reject their request alone", async () => {
      const other = model.sample(request({ seeds: [4] }));
      const failing = model.sample(
        request({
          onToken: () => {
            throw new Error("full");
          },
        }),
      );
      await expect(failing).rejects.toThrow("full");
      expect(await other).toEqual(await model.sample(request({ seeds: [4] })));
    });
  });

  describe("a sample from the likeliest tokens alone", () => {
    it("takes the smallest set of them that reaches topP, in proportion", async () => {
      const seeds = Array.from({ length: 1500 }, (_, i) => i);
      const temperature = 0.25;
      let top: SampledToken["top"];
      const onToken = (sampled: SampledToken): void => void (top = sampled.top);
      await model.sample(request({ temperature, maxTokens: 1, topLogprobs: 900, onToken }));
      const weights = top!.map(({ logprob }) => Math.exp(logprob / temperature));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      let mass = 0;
      const nucleus = new Map(
        top!.flatMap(({ token }, i) => {
          const inside = mass < 0.3 * total;
          mass += inside ? weights[i]! : 0;
          return inside ? [[token, weights[i]!] as const] : [];
        }),
      );
      const samples = await model.sample(request({ seeds, temperature, maxTokens: 1, topP: 0.3 }));
      const counts = new Map<number, number>();
      for (const { tokens } of samples) for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
      expect(nucleus.size).toBeGreaterThan(5);
      expect([...counts.keys()].filter((token) => !nucleus.has(token))).toEqual([]);
      for (const [token, weight] of nucleus) {
        const expected = (1500 * weight) / mass;
        expect(Math.abs((counts.get(token) ?? 0) - expected)).toBeLessThan(6 * Math.sqrt(expected) + 6);
      }
    });

    it("takes topK of them, of which topP keeps its share of their mass", async () => {
      const temperature = 0.25;
      let top: SampledToken["top"];
      const onToken = (sampled: SampledToken): void => void (top = sampled.top);
      await model.sample(request({ temperature, maxTokens: 1, topLogprobs: 6, onToken }));
      const weights = top!.map(({ logprob }) => Math.exp(logprob / temperature));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      let mass = 0;
      const kept = weights.filter((weight) => (mass += weight) - weight < 0.5 * total);
      expect(kept.length).toBeLessThan(6);
      const seeds = Array.from({ length: 400 }, (_, i) => i);
      for (const [topP, count] of [
        [undefined, 6],
        [0.5, kept.length],
      ] as const) {
        const samples = await model.sample(
          request({ seeds, temperature, maxTokens: 1, topK: 6, ...(topP !== undefined && { topP }) }),
        );
        const drawn = new Set(samples.flatMap(({ tokens }) => [...tokens]));
        expect([...drawn].toSorted()).toEqual(
          top!
            .slice(0, count)
            .map(({ token }) => token)
            .toSorted(),
        );
      }
      const [one] = await model.sample(request({ topK: 1, maxTokens: 8 }));
      const [greedy] = await model.sample(request({ temperature: 0, maxTokens: 8 }));
      expect(one!.tokens).toEqual(greedy!.tokens);
      expect(await model.sample(request({ topK: 5000 }))).toHaveLength(1);
    });

    it("is the greedy one when one token reaches it, and any when all are allowed", async () => {
      const [narrow] = await model.sample(request({ topP: 1e-9 }));
      const [greedy] = await model.sample(request({ temperature: 0 }));
      expect(narrow!.tokens).toEqual(greedy!.tokens);
      expect(await model.sample(request({ topP: 1 }))).toEqual(await model.sample(request({})));
    });
  });

  describe("a request", () => {
    it("that is aborted is rejected with the reason, and the others go on", async () => {
      const controller = new AbortController();
      const other = model.sample(request({ seeds: [1, 2], maxTokens: 50 }));
      const onToken = (): void => controller.abort(new Error("enough"));
      const aborted = model.sample(request({ seeds: [5, 6, 7], maxTokens: 300, onToken }), controller.signal);
      await expect(aborted).rejects.toThrow("enough");
      expect((await other).length).toBe(2);
      const [again] = await model.sample(request({ seeds: [1], maxTokens: 50 }));
      expect(again).toEqual((await other)[0]);
    });

    it("that cannot be sampled is refused", async () => {
      await expect(model.sample(request({ tokens: prompt(400) }))).rejects.toThrow(/400 tokens; expected 1 to 399/);
      await expect(model.sample(request({ tokens: new Int32Array() }))).rejects.toThrow(/0 tokens/);
      await expect(model.sample(request({ temperature: -1 }))).rejects.toThrow(/temperature is -1/);
      await expect(model.sample(request({ maxTokens: 0 }))).rejects.toThrow(/maxTokens is 0/);
      await expect(model.sample(request({ topP: 0 }))).rejects.toThrow(/topP is 0/);
      await expect(model.sample(request({ topK: 0.5 }))).rejects.toThrow(/topK is 0.5/);
      await expect(model.sample(request({ topLogprobs: -1 }))).rejects.toThrow(/topLogprobs is -1/);
      expect(await model.sample(request({ seeds: [] }))).toEqual([]);
    });

    it("leaves the event loop free between steps", async () => {
      const seeds = Array.from({ length: 64 }, (_, i) => i);
      const sample = () => model.sample(request({ tokens: prompt(20), seeds, maxTokens: 300 }));
      expect(await loopTurnsDuring(sample)).toBe(true);
    });
  });
});
