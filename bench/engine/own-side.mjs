// The embedded engine's side: one workload of one model in this process, told what to do by lines of JSON (side.mjs).
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { loadEmbeddedModel } from "../../dist/engine/embedded/embedded-model.js";
import { commandTimes, profileKernels } from "../../dist/engine/embedded/kernels/addon.js";
import { Replica } from "../../dist/engine/embedded/replica.js";
import { openProduct } from "./own-products.mjs";
import { peakBytes } from "./peak-memory.mjs";

/** @typedef {Pick<import("../../dist/engine/engine.js").TrainableModel, "sample" | "forward" | "forwardBackward" | "optimizerStep">} Model */
/**
 * @typedef {object} Work
 * @property {(request: any) => Promise<object>} [check]
 * @property {(item?: number) => Promise<number>} unit does one unit; what it amounts to, in tokens or operations
 */

const spec = JSON.parse(process.argv[2] ?? "{}");
if (spec.data !== undefined) Object.assign(spec, JSON.parse(await readFile(spec.data, "utf8")));
if (spec.rows !== undefined) spec.batch = spec.batch.slice(0, spec.rows);

/** What a timer of 10 ms was late by at most while the engine worked. */
let latestMs = 0;
/** Since the mark: units, and what they took. */
let units = 0;
let ms = 0;

const workloads = { training, scoring, sampling, products };
const work = await workloads[/** @type {keyof typeof workloads} */ (spec.workload)]();
say({ ready: true, version: process.version });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.do === "check") say((await work.check?.(request)) ?? {});
  else if (request.do === "turn") say(await turn(request));
  else if (request.do === "burden") say({ peakBytes: await peakBytes(), latestMs });
  else if (request.do === "mark") {
    profileKernels();
    units = ms = 0;
    say({});
  } else if (request.do === "profile") say({ units, ms, commands: commandTimes() });
}
process.exit(0);

/** @param {{ seconds: number, item?: number }} request */
async function turn({ seconds: least, item }) {
  const started = performance.now();
  const timer = watchTimer();
  try {
    for (let amount = 0; ;) {
      const began = performance.now();
      amount += await work.unit(item);
      const now = performance.now();
      units++;
      ms += now - began;
      const seconds = (now - started) / 1000;
      if (seconds >= least) return { amount, seconds };
    }
  } finally {
    clearInterval(timer);
  }
}

function watchTimer() {
  const everyMs = 10;
  let last = performance.now();
  return setInterval(() => {
    const now = performance.now();
    latestMs = Math.max(latestMs, now - last - everyMs);
    last = now;
  }, everyMs);
}

/**
 * For a profile one of the `shareOf` replicas of the model, here: what kernels take is counted by thread.
 * @returns {Promise<Model>}
 */
async function load() {
  const { directory, threads, shareOf } = spec;
  if (shareOf === undefined) return loadEmbeddedModel({ directory, threads });
  const replica = await Replica.open({ directory }, { threads });
  const own = replica.gradient;
  const others = Array.from({ length: shareOf - 1 }, () => new Float32Array(own.length));
  replica.join({ index: 0, gradients: [own, ...others] });
  return {
    sample: (request) => replica.sample(request),
    forward: (batch) => replica.forward(batch),
    forwardBackward: (batch) => replica.forwardBackward(batch),
    async optimizerStep(adamW) {
      if (shareOf === 1) return replica.step(adamW);
      const exchange = replica.sharedExchange;
      exchange.settle();
      const gradientNorm = Math.sqrt(exchange.sum());
      exchange.update({ adamW, gradientNorm });
      return { gradientNorm };
    },
  };
}

/** The data with the same weight on every token that is predicted. @param {number} weight */
function dataOf(weight) {
  return spec.batch.map((/** @type {number[]} */ tokens) => ({
    tokens: Int32Array.from(tokens),
    weights: Float32Array.from(tokens, (_, t) => (t === 0 ? 0 : weight)),
  }));
}

/** @returns {Promise<Work>} */
async function training() {
  const model = await load();
  const tokens = spec.batch.length * (spec.batch[0].length - 1);
  const data = dataOf(1 / tokens);
  const step = async () => {
    const { loss } = await model.forwardBackward(data);
    await model.optimizerStep(spec.adamw);
    return loss;
  };
  return {
    async check({ steps }) {
      const values = [];
      for (let i = 0; i < steps; i++) values.push(await step());
      return { values };
    },
    async unit() {
      await step();
      return tokens;
    },
  };
}

/** @returns {Promise<Work>} */
async function scoring() {
  const model = await load();
  const data = dataOf(1);
  const forward = () => model.forward(data);
  return {
    async check() {
      return { values: (await forward()).flatMap((row) => [...row.subarray(1)]) };
    },
    async unit() {
      await forward();
      return data.length * (spec.batch[0].length - 1);
    },
  };
}

/** @returns {Promise<Work>} */
async function sampling() {
  const model = await load();
  const prompt = Int32Array.from(spec.prompt);
  /** @param {readonly number[]} seeds @param {number} temperature */
  const sample = (seeds, temperature) =>
    model.sample({ tokens: prompt, seeds, temperature, maxTokens: spec.newTokens });
  /** @type {number[]} */
  let seeds = [];
  return {
    async check() {
      const [{ tokens, logprobs }] = /** @type {[import("../../dist/engine/engine.js").Sample]} */ (
        await sample([0], 0)
      );
      return { tokens: [...tokens], values: [...logprobs.subarray(0, tokens.length)] };
    },
    async unit() {
      seeds = seeds.length > 0 ? seeds : await seedsOfFullSamples(sample);
      const samples = await sample(seeds, 1);
      const count = samples.reduce((sum, { tokens }) => sum + tokens.length, 0);
      if (count !== seeds.length * spec.newTokens) throw new Error(`sampled ${count} tokens, not the same as before`);
      return count;
    },
  };
}

/**
 * Seeds whose samples do not draw the end token, so that both sides decode equally many tokens: what a seed gives
 * depends on nothing else.
 * @param {(seeds: readonly number[], temperature: number) => Promise<import("../../dist/engine/engine.js").Sample[]>} sample
 */
async function seedsOfFullSamples(sample) {
  /** @type {number[]} */
  const found = [];
  for (let next = 0; found.length < spec.samples; next += spec.samples) {
    const seeds = Array.from({ length: spec.samples }, (_, i) => next + i);
    const samples = await sample(seeds, 1);
    found.push(...seeds.filter((_, i) => samples[i]?.tokens.length === spec.newTokens));
  }
  return found.slice(0, spec.samples);
}

/** @returns {Promise<Work>} */
async function products() {
  let open = { item: -1, run: async () => 0, close: async () => {} };
  return {
    async unit(item = 0) {
      if (open.item !== item) {
        await open.close();
        open = { item, ...(await openProduct(spec.products[item], spec)) };
      }
      return open.run();
    },
  };
}

/** @param {object} answer */
function say(answer) {
  console.log(JSON.stringify(answer));
}
