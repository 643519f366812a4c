import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, EngineError } from "../../errors.ts";
import { createRandom } from "../../random.ts";
import type { Datum, TrainableModel } from "../engine.ts";
import { createEmbeddedModel, loadEmbeddedModel } from "./embedded-model.ts";
import type { LlamaConfig } from "./llama-parameters.ts";
import { trainTokenizer } from "../tokenizer-training.ts";

const verbs = ["add", "sum", "count", "sort"];

const tokenizerFiles = trainTokenizer({
  texts: Array.from({ length: 40 }, (_, i) => `Write a function.\ndef ${verbs[i % 4]}(xs):\n    return xs + ${i}\n`),
  phrases: ["Write a function", "\n    return "],
  vocabularySize: 300,
});

const tinyConfig: LlamaConfig = {
  vocabularySize: 300,
  hiddenSize: 32,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 48,
  contextLength: 192,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};

const adamW = {
  learningRate: 3e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradientNorm: 1,
};
const create = (seed = 1, changes = {}): Promise<TrainableModel> =>
  createEmbeddedModel({ config: { ...tinyConfig, ...changes }, tokenizer: tokenizerFiles, seed, threads: 1 });

function randomData(seed: number, count = 6): Datum[] {
  const random = createRandom("data", seed);
  return Array.from({ length: count }, () => {
    const length = 6 + Math.floor(random() * 20);
    const tokens = Int32Array.from({ length }, () => Math.floor(random() * tinyConfig.vocabularySize));
    return { tokens, weights: Float32Array.from({ length }, (_, t) => (t < 3 ? 0 : 1 / (length * count))) };
  });
}

async function train(model: TrainableModel, from: number, to: number): Promise<number> {
  let last = 0;
  for (let step = from; step < to; step++) {
    last = (await model.forwardBackward(randomData(step % 3))).loss;
    await model.optimizerStep(adamW);
  }
  return last;
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-engine-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

const greedy = async (model: TrainableModel, prompt: Int32Array) =>
  (await model.sample({ tokens: prompt, seeds: [0], temperature: 0, maxTokens: 20 }))[0]!;

describe("training", () => {
  it("tells as the sequences of a batch are done, each once, before it answers", async () => {
    const model = await create();
    const data = randomData(4, 7);
    for (const name of ["forward", "forwardBackward"] as const) {
      const told: number[] = [];
      await model[name](data, undefined, (count) => told.push(count));
      expect(told.reduce((sum, count) => sum + count, 0)).toBe(data.length);
    }
    await model.close();
  });

  it("drives the loss of one batch to almost nothing, and greedy sampling then recites it", async () => {
    const model = await create();
    const data = randomData(9, 3);
    for (let step = 0; step < 160; step++) {
      await model.forwardBackward(data);
      await model.optimizerStep(adamW);
    }
    expect((await model.forwardBackward(data)).loss).toBeLessThan(0.02);
    for (const { tokens } of data) {
      const sample = await greedy(model, tokens.slice(0, 3));
      expect(sample.tokens.slice(0, tokens.length - 3)).toEqual(tokens.slice(3, 23));
    }
    await model.close();
  });

  it("of 50 steps, saved, loaded into another model and continued for 50 equals 100 steps in every bit", async () => {
    const file = join(directory, "state.safetensors");
    const straight = await create();
    const interrupted = await create();
    await train(straight, 0, 100);
    await train(interrupted, 0, 50);
    await interrupted.saveTrainingState(file);
    const resumed = await create(77);
    await resumed.loadTrainingState(file);
    await train(resumed, 50, 100);
    const [a, b] = [join(directory, "straight"), join(directory, "resumed")];
    await straight.save(a);
    await resumed.save(b);
    const weights = await Promise.all([a, b].map((d) => readFile(join(d, "model.safetensors"))));
    expect(weights[0]!.equals(weights[1]!)).toBe(true);
    await Promise.all([straight, interrupted, resumed].map((model) => model.close()));
  });

  it("refuses a training state of another model", async () => {
    const file = join(directory, "other.safetensors");
    const [model, other] = await Promise.all([create(), create(1, { layerCount: 1 })]);
    await other.saveTrainingState(file);
    await expect(model.loadTrainingState(file)).rejects.toThrow(
      /config is .*"layerCount":1.*; expected .*"layerCount":2/,
    );
    await Promise.all([model.close(), other.close()]);
  });

  it("refuses data that cannot be a sequence of the model", async () => {
    const model = await create();
    const bad: [Datum, RegExp][] = [
      [{ tokens: Int32Array.of(1), weights: Float32Array.of(0) }, /1 tokens; expected 2 to 192/],
      [{ tokens: Int32Array.of(1, 300), weights: Float32Array.of(0, 1) }, /token 300 is not below/],
      [{ tokens: Int32Array.of(1, 2), weights: Float32Array.of(0) }, /1 weights for 2 tokens/],
      [{ tokens: Int32Array.of(1, 2), weights: Float32Array.of(1, 1) }, /weights\[0\] must be 0/],
    ];
    for (const [datum, message] of bad) {
      await expect(model.forward([datum])).rejects.toThrow(EngineError);
      await expect(model.forwardBackward([datum])).rejects.toThrow(message);
    }
    await model.close();
  });
});

describe("calls that overlap", () => {
  it("take effect in the order made", async () => {
    const [model, twin] = await Promise.all([create(), create()]);
    const prompt = Int32Array.of(20, 30, 40);
    const request = { tokens: prompt, seeds: [1, 2], temperature: 1, maxTokens: 30 };
    const overlapping = await Promise.all([
      model.sample(request),
      model.forwardBackward(randomData(1)),
      model.optimizerStep({ ...adamW, learningRate: 0.1 }),
      model.sample(request),
      model.sample(request),
    ]);
    const before = await twin.sample(request);
    await twin.forwardBackward(randomData(1));
    await twin.optimizerStep({ ...adamW, learningRate: 0.1 });
    const after = await twin.sample(request);
    expect(overlapping[0]).toEqual(before);
    expect(overlapping[3]).toEqual(after);
    expect(overlapping[4]).toEqual(after);
    expect(before).not.toEqual(after);
    await Promise.all([model.close(), twin.close()]);
  });

  it("after closing are refused", async () => {
    const model = await create();
    await model.close();
    await model.close();
    await expect(model.forward(randomData(1))).rejects.toThrow("the model is closed");
    await expect(greedy(model, Int32Array.of(5))).rejects.toThrow("the model is closed");
  });
});

describe("a checkpoint", () => {
  it("opens as the same model", async () => {
    for (const tieEmbeddings of [true, false]) {
      const model = await create(5, { tieEmbeddings });
      const place = join(directory, `round-trip-${tieEmbeddings}`);
      await model.save(place);
      const loaded = await loadEmbeddedModel({ directory: place, threads: 1 });
      expect(loaded.parameterCount).toBe(model.parameterCount);
      expect(loaded.contextLength).toBe(192);
      expect(await loaded.forward(randomData(2))).toEqual(await model.forward(randomData(2)));
      const text = "def add(xs):\n    return é <|end|>";
      expect(loaded.tokenizer.encode(text)).toEqual(model.tokenizer.encode(text));
      await Promise.all([model.close(), loaded.close()]);
    }
  });

  it("of tokens opens as a model of scores with a fresh head, which is saved and read again", async () => {
    const model = await create(5);
    const tokens = join(directory, "tokens");
    const scores = join(directory, "scores");
    await model.save(tokens);
    const scoring = await loadEmbeddedModel({ directory: tokens, threads: 1, output: "score" });
    const data = randomData(2);
    expect(scoring.parameterCount).toBe(model.parameterCount + 32);
    await scoring.forwardBackward(data);
    await scoring.optimizerStep(adamW);
    await scoring.save(scores);
    const again = await loadEmbeddedModel({ directory: scores, threads: 1 });
    expect(await again.forward(data)).toEqual(await scoring.forward(data));
    await expect(greedy(again, Int32Array.of(5))).rejects.toThrow("a model of scores cannot write text");
    await expect(loadEmbeddedModel({ directory: scores, output: "tokens" })).rejects.toThrow(/is a model of scores/);
    await Promise.all([model.close(), scoring.close(), again.close()]);
  });

  it("of scores reads the last token as well, and nothing that comes after a token changes its score", async () => {
    const model = await create(5);
    const place = join(directory, "last");
    await model.save(place);
    const scoring = await loadEmbeddedModel({ directory: place, threads: 1, output: "score" });
    const tokens = Int32Array.from({ length: 20 }, (_, t) => (7 * t) % 300);
    const at = (length: number) => {
      const weights = new Float32Array(length);
      weights[9] = 1;
      return { tokens: tokens.slice(0, length), weights };
    };
    const [short, long] = await scoring.forward([at(10), at(20)]);
    expect(short?.[9]).not.toBe(0);
    expect(long?.[9]).toBeCloseTo(short![9]!, 6);
    await Promise.all([model.close(), scoring.close()]);
  });

  describe("is refused, naming file, key, what was found and expected,", () => {
    let place: string;
    beforeAll(async () => {
      place = join(directory, "good");
      const model = await create();
      await model.save(place);
      await model.close();
    });
    const editJson = async (file: string, edit: (json: Record<string, unknown>) => void): Promise<void> => {
      const json = JSON.parse(await readFile(join(place, file), "utf8"));
      edit(json);
      await writeFile(join(place, file), JSON.stringify(json));
    };
    const cases: Record<string, [() => Promise<void>, RegExp]> = {
      "of another architecture": [
        () => editJson("config.json", (json) => (json["model_type"] = "gpt2")),
        /config\.json: model_type is "gpt2"; expected one of "llama", "mistral", "qwen2", "qwen3"/,
      ],
      "with another head": [
        () => editJson("config.json", (json) => (json["architectures"] = ["LlamaForTokenClassification"])),
        /config\.json: architectures is "LlamaForTokenClassification"; expected LlamaForCausalLM or/,
      ],
      "with more than one label": [
        () =>
          editJson("config.json", (json) => {
            json["architectures"] = ["LlamaForSequenceClassification"];
            json["id2label"] = { 0: "a", 1: "b" };
          }),
        /config\.json: num_labels is 2; expected 1/,
      ],
      "with weights of fewer bits": [
        () => editJson("config.json", (json) => (json["quantization_config"] = { bits: 4 })),
        /config\.json: quantization_config is \{"bits":4\}; expected none/,
      ],
      "with layers that look back a little way": [
        () => editJson("config.json", (json) => (json["layer_types"] = ["full_attention", "sliding_attention"])),
        /config\.json: layer_types is .*; expected "full_attention" in every layer/,
      ],
      "of Mistral's kind with a window": [
        () =>
          editJson("config.json", (json) => {
            Object.assign(json, { model_type: "mistral", architectures: ["MistralForCausalLM"], sliding_window: 100 });
          }),
        /config\.json: sliding_window is 100; expected null, or at least max_position_embeddings/,
      ],
      "with heads that turn in part": [
        () => editJson("config.json", (json) => (json["rope_parameters"] = { partial_rotary_factor: 0.5 })),
        /config\.json: partial_rotary_factor is 0.5; expected 1/,
      ],
      "with more layers than any model": [
        () => editJson("config.json", (json) => (json["num_hidden_layers"] = 1e9)),
        /config\.json: layerCount is 1000000000; expected a positive integer up to 1024/,
      ],
      "with widths that no file fills": [
        () =>
          editJson("config.json", (json) => {
            Object.assign(json, { hidden_size: 1 << 24, intermediate_size: 1 << 24, head_dim: 1 << 22 });
          }),
        /model\.safetensors: model\.embed_tokens\.weight is \[300, 32\]; expected shape \[300, 16777216\]/,
      ],
      "with an end token beyond the vocabulary": [
        () => editJson("config.json", (json) => (json["eos_token_id"] = [1, 300])),
        /config\.json: eos_token_id is \[1,300\]; expected tokens below vocab_size \(300\)/,
      ],
      "with scaled rotary positions": [
        () => editJson("config.json", (json) => (json["rope_scaling"] = { rope_type: "yarn" })),
        /config\.json: rope_scaling is \{"rope_type":"yarn"\}; expected null/,
      ],
      "without a size": [
        () => editJson("config.json", (json) => delete json["hidden_size"]),
        /config\.json: hidden_size is missing; expected a number/,
      ],
      "with an impossible size": [
        () => editJson("config.json", (json) => (json["num_key_value_heads"] = 3)),
        /config\.json: keyValueHeadCount is 3; expected a divisor of headCount \(4\)/,
      ],
      "whose weights do not fit": [
        () => editJson("config.json", (json) => (json["intermediate_size"] = 50)),
        /model\.safetensors: model\.layers\.0\.mlp\.gate_proj\.weight is \[48, 32\]; expected shape \[50, 32\]/,
      ],
      "with too few layers": [
        () => editJson("config.json", (json) => (json["num_hidden_layers"] = 1)),
        /model\.safetensors: model\.layers\.1\.\S+ is not a tensor of the model/,
      ],
      "with too many layers": [
        () => editJson("config.json", (json) => (json["num_hidden_layers"] = 3)),
        /model\.safetensors: model\.layers\.2\.\S+ is missing; expected shape/,
      ],
      "whose weights are cut off": [
        async () => {
          const bytes = await readFile(join(place, "model.safetensors"));
          await writeFile(join(place, "model.safetensors"), bytes.subarray(0, bytes.length - 100));
        },
        /model\.safetensors: \S+\.data_offsets is \[\d+,\d+\]; expected offsets within/,
      ],
      "whose config is no JSON": [() => writeFile(join(place, "config.json"), "{oops"), /config\.json: not JSON/],
      "without weights": [() => rm(join(place, "model.safetensors")), /model\.safetensors: cannot be read/],
      "with another tokenizer": [
        () => editJson("tokenizer.json", (json) => (json["model"] = { type: "Unigram" })),
        /model\.type is "Unigram"; expected "BPE"/,
      ],
      "without a chat template": [
        () => editJson("tokenizer_config.json", (json) => delete json["chat_template"]),
        /tokenizer_config\.json: chat_template is missing/,
      ],
      "without an end token": [
        () => editJson("tokenizer_config.json", (json) => (json["eos_token"] = "</s>")),
        /tokenizer_config\.json: eos_token is "<\/s>"; expected one of added_tokens/,
      ],
    };
    const names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    for (const [name, [damage, message]] of Object.entries(cases)) {
      it(`${name}`, async () => {
        const saved = await Promise.all(names.map((file) => readFile(join(place, file))));
        try {
          await damage();
          const opened = loadEmbeddedModel({ directory: place });
          await expect(opened).rejects.toThrow(message);
          await expect(opened).rejects.toThrow(ConfigError);
        } finally {
          await Promise.all(names.map((file, i) => writeFile(join(place, file), saved[i]!)));
        }
      });
    }
  });

  it("cannot be created for a vocabulary smaller than the tokenizer's", async () => {
    await expect(create(1, { vocabularySize: 100 })).rejects.toThrow(/vocabularySize is 100; expected at least/);
  });
});
