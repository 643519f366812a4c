/** What holds of the default architecture's models holds of all of them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../../random.ts";
import type { Datum, TrainableModel } from "../engine.ts";
import { trainTokenizer } from "../tokenizer-training.ts";
import { createEmbeddedModel, loadEmbeddedModel } from "./embedded-model.ts";
import type { LlamaConfig } from "./llama-parameters.ts";

const base: LlamaConfig = {
  vocabularySize: 300,
  hiddenSize: 32,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 48,
  contextLength: 128,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};
const ropeScaling = { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 64 };
const variants: Record<string, Partial<LlamaConfig>> = {
  "Llama with all biases": { attentionBias: true, feedForwardBias: true },
  "Llama 3.1": { ropeTheta: 500, ropeScaling, tieEmbeddings: false, headSize: 12 },
  Mistral: { architecture: "mistral" },
  Qwen2: { architecture: "qwen2" },
  Qwen3: { architecture: "qwen3", headSize: 10 },
  "Qwen3 with biases": { architecture: "qwen3", attentionBias: true, tieEmbeddings: false },
};

const tokenizer = trainTokenizer({ texts: ["def add(xs):\n    return sum(xs)\n"], phrases: [], vocabularySize: 300 });
const adamW = { learningRate: 0.02, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.01, maxGradientNorm: 1 };

function randomData(seed: number): Datum[] {
  const random = createRandom("data", seed);
  return [12, 30, 7].map((length) => ({
    tokens: Int32Array.from({ length }, () => Math.floor(random() * 300)),
    weights: Float32Array.from({ length }, (_, t) => (t < 2 ? 0 : 1 / length)),
  }));
}

async function train(model: TrainableModel, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) {
    await model.forwardBackward(randomData(step));
    await model.optimizerStep(adamW);
  }
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-architectures-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** A model whose biases and norms are not what they began with. */
async function trained(name: string): Promise<TrainableModel> {
  const model = await createEmbeddedModel({ config: { ...base, ...variants[name] }, tokenizer, seed: 4, threads: 1 });
  await train(model, 0, 3);
  return model;
}

describe.each(Object.keys(variants))("a model of the kind of %s", (name) => {
  it("samples with the log-probabilities that scoring gives, in every bit as it would alone", async () => {
    const model = await trained(name);
    const prompts = [1, 40, 70].map((length) => Int32Array.from({ length }, (_, t) => 4 + ((t * 37) % 290)));
    const request = (tokens: Int32Array, seeds: number[]) => ({ tokens, seeds, temperature: 1, maxTokens: 20 });
    const alone = [];
    for (const prompt of prompts) alone.push((await model.sample(request(prompt, [7])))[0]!);
    const others = Array.from({ length: 6 }, (_, i) => i + 10);
    const together = await Promise.all(prompts.map((prompt) => model.sample(request(prompt, [...others, 7]))));
    expect(together.map((samples) => samples.at(-1))).toEqual(alone);
    for (const [i, { tokens, logprobs }] of alone.entries()) {
      const all = Int32Array.of(...prompts[i]!, ...tokens);
      const weights = new Float32Array(all.length).fill(1, prompts[i]!.length);
      const [scored] = await model.forward([{ tokens: all, weights }]);
      const errors = Array.from(tokens, (_, t) => Math.abs(scored![prompts[i]!.length + t]! - logprobs[t]!));
      expect(Math.max(0, ...errors)).toBeLessThan(1e-4);
    }
    await model.close();
  });

  it("is saved and opened as itself, and 2 steps, saved and loaded, and 2 more equal 4 in every bit", async () => {
    const [model, straight] = [await trained(name), await trained(name)];
    const [place, state] = [join(directory, name), join(directory, `${name}.state`)];
    await train(model, 3, 5);
    await model.save(place);
    await model.saveTrainingState(state);
    const loaded = await loadEmbeddedModel({ directory: place, threads: 1 });
    expect(loaded.parameterCount).toBe(model.parameterCount);
    expect(await loaded.forward(randomData(1))).toEqual(await model.forward(randomData(1)));
    await loaded.loadTrainingState(state);
    await train(loaded, 5, 7);
    await train(straight, 3, 7);
    expect(await loaded.forward(randomData(2))).toEqual(await straight.forward(randomData(2)));

    const scores = join(directory, `${name} scores`);
    const scoring = await loadEmbeddedModel({ directory: place, threads: 1, output: "score" });
    await train(scoring, 5, 6);
    await scoring.save(scores);
    const again = await loadEmbeddedModel({ directory: scores, threads: 1 });
    expect(await again.forward(randomData(5))).toEqual(await scoring.forward(randomData(5)));
    const [ours, theirs] = await Promise.all(
      [place, scores].map(async (each) => JSON.parse(await readFile(join(each, "config.json"), "utf8"))),
    );
    expect(ours.model_type).toBe(variants[name]!.architecture ?? "llama");
    expect(theirs.architectures[0]).toMatch(/^(Llama|Mistral|Qwen2|Qwen3)ForSequenceClassification$/);
    await Promise.all([model, straight, loaded, scoring, again].map((each) => each.close()));
  });
});

describe("a configuration of transformers", () => {
  const open = async (name: string, changes: Record<string, unknown>) => {
    const place = join(directory, `changed ${name}`);
    const model = await trained(name);
    await model.save(place);
    const file = join(place, "config.json");
    const json = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...json, ...changes }));
    const loaded = await loadEmbeddedModel({ directory: place, threads: 1 });
    const values = [await model.forward(randomData(2)), await loaded.forward(randomData(2))];
    await Promise.all([model.close(), loaded.close()]);
    return values;
  };

  it("of version 5 has all of rotary positions in rope_parameters", async () => {
    const rope_parameters = {
      rope_type: "llama3",
      rope_theta: 500,
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    const [before, after] = await open("Llama 3.1", { rope_parameters, rope_scaling: null, rope_theta: undefined });
    expect(after).toEqual(before);
  });

  it("may leave out the width of heads and say nothing of a window that no sequence reaches", async () => {
    const [before, after] = await open("Mistral", { head_dim: null, sliding_window: 4096, rope_scaling: null });
    expect(after).toEqual(before);
  });

  it("names every token that ends a text", async () => {
    const place = join(directory, "ends");
    const model = await trained("Qwen2");
    await model.save(place);
    const request = { tokens: Int32Array.of(9, 20), seeds: [1, 2, 3, 4], temperature: 1, maxTokens: 30 };
    const drawn = (await model.sample(request)).map(({ tokens }) => tokens);
    const other = drawn[0]![3]!;
    await writeFile(join(place, "generation_config.json"), JSON.stringify({ eos_token_id: [1, other] }));
    const loaded = await loadEmbeddedModel({ directory: place, threads: 1 });
    const [sample] = await loaded.sample(request);
    expect(sample!.stopReason).toBe("end");
    expect(sample!.tokens).toEqual(drawn[0]!.slice(0, drawn[0]!.indexOf(other)));
    await loaded.save(join(place, "again"));
    const again = await loadEmbeddedModel({ directory: join(place, "again"), threads: 1 });
    expect(await again.sample(request)).toEqual(await loaded.sample(request));
    await Promise.all([model, loaded, again].map((each) => each.close()));
  });
});
