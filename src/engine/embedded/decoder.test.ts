import { describe, expect, it } from "vitest";
import { MOST_SEQUENCES, type DecodedSequence, type Decoder, type PrefilledPrompt } from "./decoder.ts";
import { allKernels } from "./kernels/addon.ts";
import { KernelDecoder } from "./kernels/kernel-decoder.ts";
import { initializeParameters, layoutParameters, type LlamaConfig } from "./llama-parameters.ts";
import { OnnxDecoder } from "./onnx-decoder.ts";
import { ParameterStore } from "./parameter-store.ts";

const base: LlamaConfig = {
  vocabularySize: 300,
  hiddenSize: 64,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 96,
  contextLength: 256,
  tieEmbeddings: false,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};
const qwen2: LlamaConfig = { ...base, architecture: "qwen2" };

type Open = (config: LlamaConfig, store: ParameterStore, options?: { mostPackedBytes?: number }) => Decoder;
const openOnnx: Open = (config, store, options) => new OnnxDecoder(config, store, options);
const kernelWays = allKernels().map((kernels): readonly [string, Open] => [
  `the ${kernels.name} kernels`,
  (config, store, options) => new KernelDecoder(config, store, { kernels, ...options }),
]);
const ways: readonly (readonly [string, Open])[] = [["ONNX Runtime", openOnnx], ...kernelWays];

/** Random weights, those of norms and biases, too. */
function storeOf(config: LlamaConfig, seed: number): ParameterStore {
  const store = new ParameterStore(layoutParameters(config));
  initializeParameters(store.layout, store.weights, seed);
  const { decayedLength } = store.layout;
  for (let i = decayedLength; i < store.weights.length; i++) store.weights[i]! += 0.3 * Math.sin(7 * i + seed);
  return store;
}

const tokensOf = (length: number): Int32Array => Int32Array.from({ length }, (_, t) => (31 * t + length) % 300);

async function prefillAll(decoder: Decoder, lengths: readonly number[]): Promise<PrefilledPrompt[]> {
  const waiting = [...lengths.entries()];
  const prompts: PrefilledPrompt[] = [];
  while (waiting.length > 0) {
    const found = await decoder.prefill(waiting.map(([, length]) => tokensOf(length)));
    const left = waiting.filter(([place], i) => {
      if (found[i]) prompts[place] = found[i];
      return found[i] === undefined;
    });
    waiting.splice(0, waiting.length, ...left);
  }
  return prompts;
}

/** What steps give to two samples of each prompt, one after the other: log-probabilities and probabilities. */
async function decode(decoder: Decoder, steps: number): Promise<number[]> {
  const prompts = await prefillAll(decoder, [3, 20, 0, 7, 64, 33]);
  const sequences = prompts.flatMap((prompt, i) =>
    [1, 0.5].map((inverseTemperature) => prompt.start({ token: 10 * i, inverseTemperature })),
  );
  const seen: number[] = [];
  for (let step = 0; step < steps; step++) {
    const result = await decoder.step();
    for (const [i, sequence] of sequences.entries()) {
      for (const values of [result.logProbabilities, result.probabilities]) {
        seen.push(...values[sequence.row]!);
      }
      sequence.token = (17 * step + 5 * i) % 300;
    }
  }
  return seen;
}

function greatestDifference(a: readonly number[], b: readonly number[]): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe.skipIf(kernelWays.length === 0).each(kernelWays)("decoding with %s", (_, open) => {
  it.each<[string, Partial<LlamaConfig>]>([
    ["llama", {}],
    ["tied embeddings, all heads on one key and value", { tieEmbeddings: true, keyValueHeadCount: 1 }],
    [
      "biases everywhere, as many keys as queries",
      { attentionBias: true, feedForwardBias: true, keyValueHeadCount: 4 },
    ],
    ["widths that are multiples of nothing", { hiddenSize: 18, headSize: 10, intermediateSize: 51, headCount: 6 }],
    ["biases of gate and up apart", { intermediateSize: 51, attentionBias: true, feedForwardBias: true }],
    ["qwen2", { architecture: "qwen2" }],
    ["qwen3 with wide heads", { architecture: "qwen3", headSize: 40 }],
    ["mistral with one layer", { architecture: "mistral", layerCount: 1 }],
  ])("gives what ONNX Runtime does: %s", async (_name, changes) => {
    const config = { ...base, ...changes };
    const store = storeOf(config, 3);
    const [decoder, reference] = [open(config, store), openOnnx(config, store)];
    const seen = await decode(decoder, 40);
    expect(greatestDifference(seen, await decode(reference, 40))).toBeLessThan(2e-5);
    await Promise.all([decoder.close(), reference.close()]);
  });
});

describe.each(ways)("decoding with %s", (_, open) => {
  it("gives the same with weights in place, also after they have changed", async () => {
    const store = storeOf(qwen2, 1);
    const [packed, inPlace] = [open(qwen2, store), open(qwen2, store, { mostPackedBytes: 0 })];
    const seen: number[][] = [];
    for (const seed of [1, 2]) {
      store.weights.set(storeOf(qwen2, seed).weights);
      store.version++;
      for (const decoder of [packed, inPlace]) decoder.reset();
      seen.push(await decode(packed, 3));
      expect(greatestDifference(seen.at(-1)!, await decode(inPlace, 3))).toBeLessThan(2e-5);
    }
    expect(greatestDifference(seen[0]!, seen[1]!)).toBeGreaterThan(0.1);
    await Promise.all([packed.close(), inPlace.close()]);
  });

  it("gives a sequence the same in every bit whoever shares its prompt, and whatever else is under way", async () => {
    const decoder = open(qwen2, storeOf(qwen2, 5));
    const alone = await decodeBeside(decoder, { before: [], after: [] });
    const others = Array.from({ length: 20 }, (_unused, i) => [100, 0, 30][i % 3]!);
    for (const [before, after] of [
      [[], [30]],
      [
        [30, 30, 30],
        [30, 30],
      ],
      [[0], [100, 7]],
      [others, others],
      [
        [...others, ...others, ...others],
        [30, ...others, ...others],
      ],
    ] as const) {
      expect(await decodeBeside(decoder, { before, after })).toEqual(alone);
    }
    await decoder.close();
  });

  it("has room for as many sequences as there may be, each with a prompt of its own", async () => {
    const decoder = open(qwen2, storeOf(qwen2, 5));
    const prompts = await prefillAll(
      decoder,
      Array.from({ length: MOST_SEQUENCES }, (_unused, i) => i),
    );
    const sequences = prompts.map((prompt) => prompt.start({ token: 1, inverseTemperature: 1 }));
    await decoder.step();
    const { probabilities } = await decoder.step();
    const rows = sequences.map(({ row }) => row).toSorted((a, b) => a - b);
    expect(rows).toEqual([...rows.keys()]);
    for (const row of rows) {
      const sum = probabilities[row]!.reduce((total, p) => total + p, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
    await decoder.close();
  });
});

/** What a sequence after a prompt of 30 tokens is given in 80 steps, others starting before and after it and ending. */
async function decodeBeside(
  decoder: Decoder,
  { before, after }: { readonly before: readonly number[]; readonly after: readonly number[] },
): Promise<number[]> {
  const byLength = new Map<number, PrefilledPrompt>();
  for (const length of new Set([30, ...before, ...after])) {
    byLength.set(length, (await prefillAll(decoder, [length]))[0]!);
  }
  const start = (length: number): DecodedSequence =>
    byLength.get(length)!.start({ token: length, inverseTemperature: 1 / (1 + length) });
  const others = before.map(start);
  const watched = byLength.get(30)!.start({ token: 40, inverseTemperature: 1 });
  const seen: number[] = [];
  for (let step = 0; step < 80; step++) {
    if (step === 3) others.push(...after.map(start));
    if (step === 20) for (const other of others.splice(0, Math.ceil(others.length / 2))) other.end();
    const { logProbabilities } = await decoder.step();
    seen.push(...logProbabilities[watched.row]!);
    watched.token = 40 + step;
    for (const [i, other] of others.entries()) other.token = i + step;
  }
  for (const sequence of [watched, ...others]) sequence.end();
  for (const prompt of byLength.values()) prompt.release();
  return seen;
}
