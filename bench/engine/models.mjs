// The models of the engine bench, their checkpoints with random weights, and the data that both sides are given.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createEmbeddedModel } from "../../dist/engine/embedded/embedded-model.js";
import { trainTokenizer } from "../../dist/engine/tokenizer-training.js";
import { createRandom } from "../../dist/random.js";

/** @typedef {import("../../dist/engine/embedded/llama-parameters.js").LlamaConfig} LlamaConfig */
/**
 * @typedef {object} BenchModel
 * @property {string} name
 * @property {LlamaConfig} config
 * @property {number} rows sequences of a batch
 * @property {number} length tokens of a sequence that are predicted
 * @property {number} samples
 * @property {number} promptTokens
 * @property {number} newTokens
 * @property {{ goal: number, least: number }} training factors over PyTorch
 * @property {number} [shareOfPeak] that training is to reach
 */
/** @typedef {BenchModel & { directory: string, data: string, parameterCount: number }} PreparedModel */

const SAMPLING = { samples: 64, promptTokens: 100, newTokens: 128 };

/** @type {readonly BenchModel[]} */
export const MODELS = [
  {
    name: "0.92M",
    config: shape({ hiddenSize: 128, layerCount: 4, headCount: 4, intermediateSize: 344 }),
    rows: 16,
    length: 256,
    ...SAMPLING,
    training: { goal: 1.8, least: 1.25 },
  },
  {
    name: "5M",
    config: shape({ hiddenSize: 256, layerCount: 6, headCount: 4, intermediateSize: 688 }),
    rows: 8,
    length: 256,
    ...SAMPLING,
    training: { goal: 1.8, least: 1.15 },
  },
  {
    name: "20M",
    config: shape({ hiddenSize: 512, layerCount: 6, headCount: 8, intermediateSize: 1376 }),
    rows: 8,
    length: 256,
    ...SAMPLING,
    training: { goal: 1.8, least: 1.15 },
    shareOfPeak: 0.75,
  },
];

/** A model that shows in a moment that the bench itself works; its figures mean nothing. @type {BenchModel} */
export const TINY_MODEL = {
  name: "tiny",
  config: shape({ hiddenSize: 64, layerCount: 2, headCount: 4, intermediateSize: 96, keyValueHeadCount: 2 }),
  rows: 4,
  length: 64,
  samples: 8,
  promptTokens: 20,
  newTokens: 16,
  training: { goal: 1.8, least: 1.25 },
};

/** @type {import("../../dist/engine/engine.js").AdamWOptions} */
export const ADAMW = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradientNorm: 1,
};

/** @param {Pick<LlamaConfig, "hiddenSize" | "layerCount" | "headCount" | "intermediateSize"> & { keyValueHeadCount?: number }} sizes */
function shape(sizes) {
  return {
    vocabularySize: 1024,
    keyValueHeadCount: sizes.headCount,
    ...sizes,
    contextLength: 512,
    tieEmbeddings: true,
    ropeTheta: 10_000,
    rmsNormEpsilon: 1e-5,
  };
}

/**
 * Writes a checkpoint and the data of a model into a directory of its own below `directory`.
 * @param {BenchModel} model
 * @param {string} directory
 * @returns {Promise<PreparedModel>}
 */
export async function prepareModel(model, directory) {
  const { config, rows, length, promptTokens } = model;
  const place = join(directory, model.name);
  await mkdir(place, { recursive: true });
  const opened = await createEmbeddedModel({ config, tokenizer: makeTokenizer(config.vocabularySize), seed: 1 });
  const { parameterCount } = opened;
  await opened.save(place);
  await opened.close();
  const random = createRandom(1, "tokens");
  const draw = (/** @type {number} */ count) =>
    Array.from({ length: count }, () => Math.floor(random() * config.vocabularySize));
  const batch = Array.from({ length: rows }, () => draw(length + 1));
  const data = join(place, "data.json");
  await writeFile(data, JSON.stringify({ batch, prompt: draw(promptTokens) }));
  return { ...model, directory: place, data, parameterCount };
}

/** Of made-up words, as many as fill the vocabulary. @param {number} vocabularySize */
function makeTokenizer(vocabularySize) {
  const random = createRandom(1, "words");
  const letter = () => String.fromCharCode(97 + Math.floor(random() * 26));
  const words = Array.from({ length: 2 * vocabularySize }, () => ` ${letter()}${letter()}${letter()}${letter()}`);
  const text = words.join("");
  return trainTokenizer({ texts: [text, text, text], phrases: [], vocabularySize });
}

/**
 * @typedef {object} Product left · right, of which either may lie transposed in memory.
 * @property {string} name
 * @property {number} rows
 * @property {number} inner
 * @property {number} columns
 * @property {boolean} transposeLeft
 * @property {boolean} transposeRight
 */

/** Different left matrices per product, so that none of them stays in a cache that training would not have it in. */
export const PRODUCT_COPIES = 4;

/**
 * Square products, and those of each model's gate: forward, to its input's gradient, and to its own.
 * @param {readonly BenchModel[]} models
 * @param {readonly number[]} squares
 * @returns {Product[]}
 */
export function productsOf(models, squares) {
  const plain = { transposeLeft: false, transposeRight: false };
  const square = squares.map((n) => ({ name: `square ${n}`, rows: n, inner: n, columns: n, ...plain }));
  const gates = models.flatMap(({ name, rows, length, config: { hiddenSize: width, intermediateSize: wide } }) => {
    const tokens = rows * length;
    return [
      { name: `${name}: x·wᵀ`, rows: tokens, inner: width, columns: wide, ...plain, transposeRight: true },
      { name: `${name}: g·w`, rows: tokens, inner: wide, columns: width, ...plain },
      { name: `${name}: gᵀ·x`, rows: wide, inner: tokens, columns: width, ...plain, transposeLeft: true },
    ];
  });
  return [...square, ...gates];
}
