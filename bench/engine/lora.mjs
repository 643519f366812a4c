/**
 * A random model tuned through a low-rank adapter, here and by PyTorch with PEFT (`bench/peers/lora_peer.py`): tokens per
 * second and peak memory of training steps, of scoring and of sampling with what was trained. Every figure is of a
 * process of its own; the two sides take turns, and the median of the rounds is shown.
 *
 *     npm run bench:lora -- [--size tiny|135m|360m] [--rounds 3] [--threads 2] [--targets q_proj,v_proj] [--no-peer] [--json]
 *
 * The peer needs a Python with `torch`, `transformers` and `peft`: `pip install torch transformers peft`, and its path in
 * PYTHON. Without PYTHON this side alone is measured.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createEmbeddedModel, LORA_TARGETS, loadEmbeddedModel } from "../../dist/engine/embedded/embedded-model.js";
import { findKernels } from "../../dist/engine/embedded/kernels/addon.js";
import { trainTokenizer } from "../../dist/engine/tokenizer-training.js";
import { createRandom } from "../../dist/random.js";
import { peakBytes } from "./peak-memory.mjs";

const llama = { tieEmbeddings: true, ropeTheta: 10_000, rmsNormEpsilon: 1e-5, contextLength: 2048 };
/** Shapes of SmolLM2; `tiny` is to try the script. */
const SIZES = {
  tiny: {
    vocabularySize: 400,
    hiddenSize: 64,
    layerCount: 2,
    headCount: 4,
    keyValueHeadCount: 2,
    intermediateSize: 96,
  },
  "135m": {
    vocabularySize: 49_152,
    hiddenSize: 576,
    layerCount: 30,
    headCount: 9,
    keyValueHeadCount: 3,
    intermediateSize: 1536,
  },
  "360m": {
    vocabularySize: 49_152,
    hiddenSize: 960,
    layerCount: 32,
    headCount: 15,
    keyValueHeadCount: 5,
    intermediateSize: 2560,
  },
};
const PARTS = /** @type {const} */ (["train", "score", "sample"]);
/** Sequences of 256 tokens, 64 of them a prompt without weight; 16 samples of 64 tokens after a prompt of 100. */
const WORK = { sequences: 8, length: 256, prompt: 64, samples: 16, samplePrompt: 100, newTokens: 64 };
const RANK = 16;
const ALPHA = 32;
const STEP = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.01, maxGradientNorm: 1 };
const REPEATS = 3;

const { values: flags } = parseArgs({
  options: {
    size: { type: "string", default: "135m" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    targets: { type: "string", default: "q_proj,v_proj" },
    directory: { type: "string" },
    part: { type: "string" },
    "no-peer": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const size = /** @type {keyof typeof SIZES} */ (flags.size);
if (!(size in SIZES)) throw new Error(`--size is ${size}; expected one of ${Object.keys(SIZES).join(", ")}`);
const threads = Number(flags.threads);
const asked = flags.targets.split(",");
const targets = LORA_TARGETS.filter((/** @type {string} */ name) => asked.includes(name));
/** What this side computes with. */
const kernels = findKernels()?.name ?? "onnxruntime";
const cache = fileURLToPath(new URL("../../node_modules/.cache/bench-lora", import.meta.url));
const directory = flags.directory ?? join(cache, size);
const base = join(directory, "base");
const adapter = join(directory, "adapter");

if (flags.part !== undefined) console.log(JSON.stringify(await measure(flags.part)));
else await compare();

/** @typedef {{ tokensPerSecond: number, peakBytes: number }} Measured */

async function compare() {
  await prepare();
  const python = flags["no-peer"] ? undefined : process.env["PYTHON"];
  if (python === undefined) {
    console.error("this side alone: for the other, pip install torch transformers peft and name its PYTHON=…");
  }
  const settings = { threads, rank: RANK, alpha: ALPHA, targets, base, repeats: REPEATS, ...WORK, ...STEP };
  const peer = fileURLToPath(new URL("../peers/lora_peer.py", import.meta.url));
  /** @type {Record<"here" | "peer", (part: string) => Measured>} */
  const sides = {
    here: (part) => run(process.execPath, [...process.execArgv, ...process.argv.slice(1), "--part", part]),
    peer: (part) => run(/** @type {string} */ (python), [peer, part, JSON.stringify(settings)]),
  };
  /** @type {("here" | "peer")[]} */
  const names = python === undefined ? ["here"] : ["here", "peer"];
  const results = [];
  for (const part of PARTS) {
    /** @type {Record<string, Measured[]>} */
    const rounds = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round < Number(flags.rounds); round++) {
      // Whoever comes first in one round comes second in the next.
      for (const name of round % 2 === 0 ? names : names.toReversed()) rounds[name]?.push(sides[name](part));
    }
    const peerRounds = rounds["peer"];
    results.push({ part, here: medians(rounds["here"] ?? []), peer: peerRounds && medians(peerRounds) });
  }
  if (flags.json) console.log(JSON.stringify({ size, threads, kernels, rank: RANK, targets, work: WORK, results }));
  else printTable(results);
}

/** @param {string} program @param {string[]} args @returns {Measured} */
function run(program, args) {
  const text = execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(text.trim().split("\n").at(-1) ?? "");
}

/** @param {Measured[]} all @returns {Measured} */
function medians(all) {
  return {
    tokensPerSecond: median(all.map((one) => one.tokensPerSecond)),
    peakBytes: median(all.map((one) => one.peakBytes)),
  };
}

/** @param {number[]} numbers */
function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}

/** @param {{ part: string, here: Measured, peer: Measured | undefined }[]} results */
function printTable(results) {
  console.log(
    `| ${size}, rank ${RANK} on ${targets.join(" ")}, ${threads} threads | here, kernels ${kernels} | PyTorch with PEFT | ratio |`,
  );
  console.log("| --- | --- | --- | --- |");
  const memory = (/** @type {Measured | undefined} */ one) => (one ? `${(one.peakBytes / 1e9).toFixed(2)} GB` : "");
  const rate = (/** @type {Measured | undefined} */ one) => (one ? one.tokensPerSecond.toFixed(0) : "");
  for (const { part, here, peer } of results) {
    const faster = peer ? (here.tokensPerSecond / peer.tokensPerSecond).toFixed(2) : "";
    const smaller = peer ? (here.peakBytes / peer.peakBytes).toFixed(2) : "";
    console.log(`| ${part}, tokens/s | ${rate(here)} | ${rate(peer)} | ${faster} |`);
    console.log(`| ${part}, peak memory | ${memory(here)} | ${memory(peer)} | ${smaller} |`);
  }
}

/** Base and adapter, which both sides open; kept for the next time. */
async function prepare() {
  if (existsSync(join(adapter, "adapter_model.safetensors"))) return;
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const tokenizer = trainTokenizer({ texts: ["def add(xs):\n    return sum(xs)\n"], phrases: [], vocabularySize: 300 });
  const model = await createEmbeddedModel({ config: { ...llama, ...SIZES[size] }, tokenizer, seed: 1, threads });
  await model.save(base);
  await model.close();
  const trained = await openAdapter();
  await trained.forwardBackward(sequences(1));
  await trained.optimizerStep(STEP);
  await trained.save(adapter);
  await trained.close();
}

function openAdapter() {
  return loadEmbeddedModel({ directory: base, threads, lora: { rank: RANK, alpha: ALPHA, targets, seed: 1 } });
}

/** @param {string} part @returns {Promise<Measured>} */
async function measure(part) {
  const model = part === "train" ? await openAdapter() : await loadEmbeddedModel({ directory: adapter, threads });
  const data = sequences(WORK.sequences);
  const prompt = data[0]?.tokens.slice(0, WORK.samplePrompt) ?? new Int32Array();
  const seeds = Array.from({ length: WORK.samples }, (_, i) => i);
  const work = async () => {
    if (part === "sample") {
      const samples = await model.sample({ tokens: prompt, seeds, temperature: 1, maxTokens: WORK.newTokens });
      return samples.reduce((sum, { logprobs }) => sum + logprobs.length, 0);
    }
    if (part === "score") await model.forward(data);
    else {
      await model.forwardBackward(data);
      await model.optimizerStep(STEP);
    }
    return data.length * WORK.length;
  };
  await work();
  const rates = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = performance.now();
    rates.push((1000 * (await work())) / (performance.now() - started));
  }
  await model.close();
  return { tokensPerSecond: median(rates), peakBytes: await peakBytes() };
}

/** @param {number} count */
function sequences(count) {
  const random = createRandom("sequences");
  const { vocabularySize } = SIZES[size];
  return Array.from({ length: count }, () => ({
    tokens: Int32Array.from({ length: WORK.length }, () => Math.floor(random() * vocabularySize)),
    weights: new Float32Array(WORK.length).fill(1 / (count * (WORK.length - WORK.prompt)), WORK.prompt),
  }));
}
