/** Low-rank adapters: gradients, training, PEFT's files, merging. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { createRandom } from "../../random.ts";
import type { Datum, TrainableModel } from "../engine.ts";
import { trainTokenizer } from "../tokenizer-training.ts";
import {
  createEmbeddedModel,
  loadEmbeddedModel,
  LORA_TARGETS,
  mergeAdapter,
  type LoraOptions,
} from "./embedded-model.ts";
import { allKernels, findKernels, type Kernels } from "./kernels/addon.ts";
import { initializeParameters, layoutParameters, type LlamaConfig } from "./llama-parameters.ts";
import { createAdapter, mergeInto, type LoadedAdapter } from "./low-rank-adapter.ts";
import { openMicroBatches } from "./micro-batches.ts";
import { ParameterStore } from "./parameter-store.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
import { Trainer } from "./trainer.ts";

const small: LlamaConfig = {
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
const allTargets = { rank: 3, alpha: 6, targets: LORA_TARGETS };

function randomData(vocabularySize: number, lengths: readonly number[], seed: number | string = 0): Datum[] {
  const random = createRandom("data", seed);
  return lengths.map((length) => ({
    tokens: Int32Array.from({ length }, () => Math.floor(random() * vocabularySize)),
    weights: Float32Array.from({ length }, (_, t) => (t === 0 || random() < 0.3 ? 0 : random() - 0.3)),
  }));
}

const lossOf = (data: readonly Datum[], values: readonly Float32Array[]): number =>
  -data.reduce((sum, { weights }, i) => sum + weights.reduce((s, w, t) => s + w * values[i]![t]!, 0), 0);

interface TrainerOptions {
  readonly adapter?: LoadedAdapter;
  readonly kernels: Kernels | undefined;
}

const openTrainer = (config: LlamaConfig, store: ParameterStore, { adapter, kernels }: TrainerOptions): Trainer =>
  new Trainer(config, adapter?.store ?? store, openMicroBatches(config, store, { threads: 1, adapter, kernels }));

/** A base with norms and biases that are not what they began with, and an adapter whose B is not 0. */
function openSmall(changes: Partial<LlamaConfig>, kernels: Kernels | undefined) {
  const config = { ...small, ...changes };
  const layout = layoutParameters(config);
  const random = createRandom("base", JSON.stringify(changes));
  const base = new ParameterStore(layout, { frozen: true });
  initializeParameters(layout, base.weights, 1);
  for (const { name, shape } of layout.parameters) {
    const values = base.view(base.weights, name);
    if (shape.length === 1) values.forEach((_, i) => (values[i] = 0.5 + random()));
  }
  const adapter = createAdapter(base, { settings: allTargets, directory: "base", seed: 2 });
  const fresh = adapter.store.weights.slice();
  for (const { name } of adapter.store.layout.parameters) {
    const values = adapter.store.view(adapter.store.weights, name);
    if (name.endsWith("lora_B")) values.forEach((_, i) => (values[i] = 0.3 * (random() - 0.5)));
  }
  return { config, base, adapter, fresh, trainer: openTrainer(config, base, { adapter, kernels }) };
}

const variants: Record<string, Partial<LlamaConfig>> = {
  "grouped-query, tied": {},
  "multi-head, untied": { keyValueHeadCount: 4, tieEmbeddings: false },
  "multi-query with a score head": { keyValueHeadCount: 1, output: "score" },
  "Llama with all biases": { attentionBias: true, feedForwardBias: true },
  Qwen2: { architecture: "qwen2" },
  "Qwen3 with wide heads": { architecture: "qwen3", headSize: 10 },
};

describe.each([undefined, ...allKernels()].map((kernels) => ({ by: kernels?.name ?? "onnxruntime", kernels })))(
  "of an adapter, computed by $by,",
  ({ kernels }) => {
    for (const [name, changes] of Object.entries(variants)) {
      it(`the gradient agrees with finite differences in every matrix: ${name}`, async () => {
        const { config, base, adapter, trainer } = openSmall(changes, kernels);
        const { store } = adapter;
        const random = createRandom("direction", name);
        const data = randomData(config.vocabularySize, [5, 17, 30, 9]);
        const before = base.weights.slice();
        const { loss, logprobs } = await trainer.forwardBackward(data);
        expect(loss).toBeCloseTo(lossOf(data, logprobs), 4);
        const heads = config.output === "score" ? 1 : 0;
        expect(store.layout.parameters).toHaveLength(2 * 2 * 7 + heads);
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
          const h = 2e-2;
          const near = (await lossAt(h)) - (await lossAt(-h));
          const far = (await lossAt(2 * h)) - (await lossAt(-2 * h));
          weights.set(saved);
          const slope = (8 * near - far) / (12 * h);
          const expected = raw.reduce((sum, x, i) => sum + (x * gradient[i]!) / norm, 0);
          const error = Math.abs(slope - expected) / (Math.abs(slope) + Math.abs(expected) + 0.05);
          expect({ parameter, error: error < 2e-2 ? 0 : error }).toEqual({ parameter, error: 0 });
        }
        expect(base.weights).toEqual(before);
        expect(base.gradient).toHaveLength(0);
        await trainer.close();
      });

      it(`the values are those of the merged model: ${name}`, async () => {
        const { config, base, adapter, trainer } = openSmall(changes, kernels);
        const data = randomData(config.vocabularySize, [5, 17, 30, 9]);
        const values = await trainer.forward(data);
        const merged = new ParameterStore(base.layout);
        merged.weights.set(base.weights);
        mergeInto(merged.weights, base.layout, adapter);
        const plain = openTrainer(config, merged, { kernels });
        const expected = await plain.forward(data);
        values.forEach((row, i) => row.forEach((value, t) => expect(value).toBeCloseTo(expected[i]![t]!, 4)));
        await Promise.all([trainer.close(), plain.close()]);
      });
    }

    it("B = 0 leaves every bit of the base as it is, merged or not", async () => {
      const { base, config, adapter, fresh, trainer } = openSmall({}, kernels);
      adapter.store.weights.set(fresh);
      const merged = base.weights.slice();
      mergeInto(merged, base.layout, adapter);
      expect(merged).toEqual(base.weights);
      const data = randomData(config.vocabularySize, [5, 17, 30, 9]);
      const values = await trainer.forward(data);
      // With other matrices adapted the frozen parts of the graph are the same, so equal bits mean that nothing was added.
      for (const targets of [["q_proj"], ["down_proj", "k_proj"]] as const) {
        const other = createAdapter(base, { settings: { rank: 1, alpha: 1, targets }, directory: "", seed: 5 });
        const trainerOfOther = openTrainer(config, base, { adapter: other, kernels });
        expect(await trainerOfOther.forward(data)).toEqual(values);
        await trainerOfOther.close();
      }
      await trainer.close();
    });

    it("A is drawn as PEFT draws it, evenly up to 1 / √inputs, and only what is asked for is trained", () => {
      const layout = layoutParameters({ ...small, hiddenSize: 64, intermediateSize: 100 });
      const base = new ParameterStore(layout, { frozen: true });
      const settings = { rank: 32, alpha: 32, targets: ["v_proj", "down_proj"] } as const;
      const { store } = createAdapter(base, { settings, directory: "", seed: 1 });
      expect(store.layout.parameters.map(({ name, shape }) => `${name} ${shape.join()}`).slice(0, 4)).toEqual([
        "model.layers.0.self_attn.v_proj.lora_A 32,64",
        "model.layers.0.self_attn.v_proj.lora_B 32,32",
        "model.layers.0.mlp.down_proj.lora_A 32,100",
        "model.layers.0.mlp.down_proj.lora_B 64,32",
      ]);
      expect(store.layout.parameters).toHaveLength(8);
      const a = store.view(store.weights, "model.layers.0.mlp.down_proj.lora_A");
      const most = a.reduce((best, x) => Math.max(best, Math.abs(x)), 0);
      expect(most).toBeLessThanOrEqual(0.1);
      expect(most).toBeGreaterThan(0.098);
      expect(Math.abs(a.reduce((sum, x) => sum + x * x, 0) / a.length - 0.01 / 3)).toBeLessThan(2e-4);
      expect(store.view(store.weights, "model.layers.1.mlp.down_proj.lora_B").every((x) => x === 0)).toBe(true);
    });
  },
);

const tokenizer = trainTokenizer({ texts: ["def add(xs):\n    return sum(xs)\n"], phrases: [], vocabularySize: 300 });
const config: LlamaConfig = { ...small, vocabularySize: 300, hiddenSize: 32, intermediateSize: 48, contextLength: 128 };
const lora: LoraOptions = { rank: 4, alpha: 8, targets: ["q_proj", "v_proj", "up_proj"], seed: 3 };
const adamW = { learningRate: 0.02, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.01, maxGradientNorm: 1 };
const batch = (seed: number): Datum[] =>
  randomData(300, [12, 30, 7], seed).map(({ tokens }) => ({
    tokens,
    weights: Float32Array.from(tokens, (_, t) => (t < 2 ? 0 : 1 / tokens.length)),
  }));

async function train(model: TrainableModel, from: number, to: number, seed = (step: number) => step % 3) {
  let last = 0;
  for (let step = from; step < to; step++) {
    last = (await model.forwardBackward(batch(seed(step)))).loss;
    await model.optimizerStep(adamW);
  }
  return last;
}

describe("a model that is trained through an adapter", () => {
  let root: string;
  let base: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "mucode-lora-"));
    base = join(root, "base");
    const model = await createEmbeddedModel({ config, tokenizer, seed: 4, threads: 1 });
    await train(model, 0, 2);
    await model.save(base);
    await model.close();
    // A model that is sure of something: the frozen embedding of so small a one could not be.
    const file = join(base, "model.safetensors");
    const { metadata, tensors } = decodeSafetensors(await readFile(file), file);
    tensors.get("model.norm.weight")!.data.forEach((weight, i, norm) => (norm[i] = 10 * weight));
    await writeFile(file, encodeSafetensors({ metadata, tensors }));
  });
  afterAll(() => rm(root, { recursive: true }));
  const open = (directory: string, options: object = {}) => loadEmbeddedModel({ directory, threads: 1, ...options });
  const readTensors = async (directory: string) => {
    const file = join(directory, "adapter_model.safetensors");
    return decodeSafetensors(await readFile(file), file).tensors;
  };

  it("overfits a batch, recites it, and does so after it was saved and opened again", async () => {
    const targets = LORA_TARGETS;
    const model = await open(base, { lora: { ...lora, rank: 8, alpha: 16, targets } });
    const loss = await train(model, 0, 240, () => 7);
    expect(loss).toBeLessThan(0.05);
    const data = batch(7);
    const prompt = data[1]!.tokens.slice(0, 4);
    const request = { tokens: prompt, seeds: [0], temperature: 0, maxTokens: 20 };
    const [sample] = await model.sample(request);
    expect(sample!.tokens).toEqual(data[1]!.tokens.slice(4, 24));
    const values = await model.forward(data);
    const directory = join(root, "overfitted");
    await model.save(directory);
    await model.close();

    const merged = join(root, "merged");
    await mergeAdapter(directory, merged);
    for (const place of [directory, merged]) {
      const opened = await open(place);
      const found = await opened.forward(data);
      found.forEach((row, i) => row.forEach((value, t) => expect(value).toBeCloseTo(values[i]![t]!, 3)));
      expect((await opened.sample(request))[0]!.tokens).toEqual(sample!.tokens);
      await opened.close();
    }
    await expect(mergeAdapter(directory, directory)).rejects.toThrow(/holds an adapter; choose another directory/);
    await expect(mergeAdapter(merged, join(root, "twice"))).rejects.toThrow(/is no adapter/);
  });

  it("trained 100 steps equals 50, saved, loaded, and 50 more; the adapter alone goes on as well", async () => {
    const model = await open(base, { lora });
    await train(model, 0, 50);
    const [state, half, whole] = ["state", "half", "whole"].map((name) => join(root, name));
    await model.saveTrainingState(state!);
    await model.save(half!);
    await train(model, 50, 100);
    await model.save(whole!);
    const resumed = await open(base, { lora: { ...lora, seed: 9 } });
    await resumed.loadTrainingState(state!);
    await train(resumed, 50, 100);
    await resumed.save(join(root, "resumed"));
    expect(await readTensors(join(root, "resumed"))).toEqual(await readTensors(whole!));
    await resumed.close();

    const continued = await open(half!, { lora });
    await continued.save(join(root, "copy"));
    expect(await readTensors(join(root, "copy"))).toEqual(await readTensors(half!));
    await continued.close();
    await expect(open(half!, { lora: { ...lora, rank: 2 } })).rejects.toThrow(
      /is an adapter of rank 4, alpha 8, q_proj up_proj v_proj; expected rank 2/,
    );
    const other = await open(base);
    await expect(other.loadTrainingState(state!)).rejects.toThrow(ConfigError);
    await other.close();
    await model.close();
  });

  it("is saved in PEFT's format", async () => {
    const model = await open(base, { lora });
    const directory = join(root, "format");
    await model.save(directory);
    await model.close();
    const json = JSON.parse(await readFile(join(directory, "adapter_config.json"), "utf8")) as object;
    expect(json).toMatchObject({
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      base_model_name_or_path: base,
      r: 4,
      lora_alpha: 8,
      target_modules: ["q_proj", "v_proj", "up_proj"],
      modules_to_save: null,
      bias: "none",
    });
    const shapes = [...(await readTensors(directory))].map(([name, { shape }]) => `${name} ${shape.join("×")}`);
    expect(shapes).toHaveLength(12);
    const layer = "base_model.model.model.layers.1";
    expect(shapes).toContain(`${layer}.self_attn.v_proj.lora_A.weight 4×32`);
    expect(shapes).toContain(`${layer}.self_attn.v_proj.lora_B.weight 16×4`);
    expect(shapes).toContain(`${layer}.mlp.up_proj.lora_B.weight 48×4`);
    const before = await open(base);
    const after = await open(directory);
    expect(await after.forward(batch(1))).toEqual(await before.forward(batch(1)));
    await Promise.all([before.close(), after.close()]);
  });

  it("can have a score head, which is trained whole and saved with the adapter", async () => {
    const model = await open(base, { lora, output: "score" });
    const data = batch(2).map(({ tokens }, i) => ({
      tokens,
      weights: Float32Array.from(tokens, (_, t) => (t === tokens.length - 1 ? (i === 0 ? 1 : -1) : 0)),
    }));
    const before = await model.forward(data);
    for (let step = 0; step < 5; step++) {
      await model.forwardBackward(data);
      await model.optimizerStep(adamW);
    }
    const after = await model.forward(data);
    expect(after[0]!.at(-1)).toBeGreaterThan(before[0]!.at(-1)!);
    expect(after[1]!.at(-1)).toBeLessThan(before[1]!.at(-1)!);
    const directory = join(root, "score");
    await model.save(directory);
    await model.close();
    const json = JSON.parse(await readFile(join(directory, "adapter_config.json"), "utf8")) as object;
    expect(json).toMatchObject({ task_type: "SEQ_CLS", modules_to_save: ["score"] });
    expect([...(await readTensors(directory)).keys()]).toContain("base_model.model.score.weight");
    const opened = await open(directory);
    const found = await opened.forward(data);
    found.forEach((row, i) => expect(row.at(-1)).toBeCloseTo(after[i]!.at(-1)!, 4));
    await opened.close();
    await expect(open(directory, { output: "tokens" })).rejects.toThrow(/is a model of scores/);
  });

  it("is read from files as PEFT writes them, and other kinds of adapters are refused by name", async () => {
    const directory = join(root, "theirs");
    const model = await open(base, { lora });
    await model.save(directory);
    await model.close();
    const name = "base_model.model.model.layers.1.mlp.down_proj";
    const random = createRandom("theirs");
    const matrix = (shape: number[]) => ({
      shape,
      data: Float32Array.from({ length: shape[0]! * shape[1]! }, () => random() - 0.5),
    });
    const tensors = new Map([
      [`${name}.lora_A.weight`, matrix([2, 48])],
      [`${name}.lora_B.weight`, matrix([32, 2])],
    ]);
    const metadata = { format: "pt" };
    await writeFile(join(directory, "adapter_model.safetensors"), encodeSafetensors({ metadata, tensors }));
    // What PEFT writes, with a base beside the adapter.
    const json = {
      alpha_pattern: {},
      auto_mapping: null,
      base_model_name_or_path: "../base",
      bias: "none",
      fan_in_fan_out: false,
      inference_mode: true,
      init_lora_weights: true,
      layer_replication: null,
      layers_to_transform: [1],
      loftq_config: {},
      lora_alpha: 3,
      lora_dropout: 0.05,
      modules_to_save: null,
      peft_type: "LORA",
      r: 2,
      rank_pattern: {},
      target_modules: ["down_proj"],
      task_type: "CAUSAL_LM",
      use_dora: false,
      use_rslora: true,
    };
    const write = (changes: object) =>
      writeFile(join(directory, "adapter_config.json"), JSON.stringify({ ...json, ...changes }));
    await write({});
    const store = new ParameterStore(layoutParameters(config));
    const file = join(base, "model.safetensors");
    const weights = decodeSafetensors(await readFile(file), file).tensors;
    for (const parameter of store.layout.parameters) {
      let offset = parameter.offset;
      for (const tensor of parameter.tensors) {
        const { data } = weights.get(tensor.name)!;
        store.weights.set(data, offset);
        offset += data.length;
      }
    }
    const down = store.view(store.weights, "layers.1.down");
    const [a, b] = [...tensors.values()].map(({ data }) => data);
    for (let i = 0; i < 32; i++) {
      for (let j = 0; j < 48; j++) {
        const product = b![2 * i]! * a![j]! + b![2 * i + 1]! * a![48 + j]!;
        down[48 * i + j]! += (3 / Math.sqrt(2)) * product;
      }
    }
    const byHand = openTrainer(config, store, { kernels: findKernels() });
    const expected = await byHand.forward(batch(1));
    const opened = await open(directory);
    const found = await opened.forward(batch(1));
    found.forEach((row, i) => row.forEach((value, t) => expect(value).toBeCloseTo(expected[i]![t]!, 4)));
    await Promise.all([opened.close(), byHand.close()]);

    const refusals: [object, RegExp][] = [
      [{ peft_type: "IA3" }, /peft_type is "IA3"; expected "LORA"/],
      [{ use_dora: true }, /use_dora is true; expected null, false or/],
      [{ bias: "all" }, /bias is "all"; expected "none"/],
      [{ rank_pattern: { q_proj: 8 } }, /rank_pattern is .*q_proj.*; expected null, false or/],
      [{ modules_to_save: ["lm_head"] }, /modules_to_save is \["lm_head"\]; expected null or \["score"\]/],
      [{ r: 0 }, /r is 0; expected a positive integer/],
      [{ lora_alpha: null }, /lora_alpha is null; expected a positive number/],
      [{ base_model_name_or_path: "some/where" }, /base_model_name_or_path is "some\/where"; expected a directory/],
      [{ base_model_name_or_path: "../theirs" }, /base_model_name_or_path is "\.\.\/theirs"; expected a directory/],
      [{ r: 3 }, /layers\.1\.mlp\.down_proj\.lora_A\.weight is \[2, 48\]; expected shape \[3, 48\]/],
    ];
    for (const [changes, message] of refusals) {
      await write(changes);
      await expect(open(directory)).rejects.toThrow(message);
    }
  });

  it("refuses settings that describe no adapter", async () => {
    const refusals: [Partial<LoraOptions>, RegExp][] = [
      [{ rank: 0 }, /lora\.rank is 0; expected an integer from 1/],
      [{ alpha: 0 }, /lora\.alpha is 0; expected a positive number/],
      [{ targets: [] }, /lora\.targets is empty; expected some of q_proj/],
      [{ targets: ["q_proj", "q_proj"] }, /lora\.targets is q_proj twice/],
    ];
    for (const [changes, message] of refusals) {
      await expect(open(base, { lora: { ...lora, ...changes } })).rejects.toThrow(message);
    }
  });
});
