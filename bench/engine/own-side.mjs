// The embedded engine's side: one workload of one model in this process, told what to do by lines of JSON (side.mjs).
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { loadEmbeddedModel } from "../../dist/engine/embedded/embedded-model.js";
import { Replica } from "../../dist/engine/embedded/replica.js";
import { OnnxGraph } from "../../dist/engine/embedded/onnx-writer.js";
import { floatTensor, openSession, runSession } from "../../dist/engine/embedded/session.js";
import { createRandom } from "../../dist/random.js";
import { observeSessions } from "./observed-sessions.mjs";

/** @typedef {Pick<import("../../dist/engine/engine.js").TrainableModel, "sample" | "forward" | "forwardBackward" | "optimizerStep">} Model */
/**
 * @typedef {object} Work
 * @property {(request: any) => Promise<object>} [check]
 * @property {(item?: number) => Promise<number>} unit does one unit; what it amounts to, in tokens or operations
 */

const spec = JSON.parse(process.argv[2] ?? "{}");
if (spec.data !== undefined) Object.assign(spec, JSON.parse(await readFile(spec.data, "utf8")));
if (spec.rows !== undefined) spec.batch = spec.batch.slice(0, spec.rows);

// Before the first session is opened.
const observed = spec.profile === undefined ? undefined : observeSessions(spec.profile);
/** What a timer of 10 ms was late by at most while the engine worked. */
let latestMs = 0;
/** Milliseconds per phase of a unit, summed. @type {Record<string, number>} */
const phases = {};
let units = 0;

const workloads = { training, scoring, sampling, products };
const work = await workloads[/** @type {keyof typeof workloads} */ (spec.workload)]();
say({ ready: true, version: process.version });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.do === "check") say((await work.check?.(request)) ?? {});
  else if (request.do === "turn") say(await turn(request));
  else if (request.do === "burden") say({ peakBytes: await peakBytes(), latestMs });
  else if (request.do === "mark") {
    observed?.mark();
    for (const phase of Object.keys(phases)) phases[phase] = 0;
    units = 0;
    say({});
  } else if (request.do === "profile") say({ units, phases, ...(await observed?.finish()) });
}
process.exit(0);

/** @param {{ seconds: number, item?: number }} request */
async function turn({ seconds: least, item }) {
  const started = performance.now();
  const timer = watchTimer();
  try {
    for (let amount = 0; ;) {
      amount += await work.unit(item);
      units++;
      const seconds = (performance.now() - started) / 1000;
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

/** @template T @param {string} phase @param {() => Promise<T>} doIt */
async function timed(phase, doIt) {
  const started = performance.now();
  const result = await doIt();
  phases[phase] = (phases[phase] ?? 0) + performance.now() - started;
  return result;
}

/** While it is observed, one of the model's replicas, here: nothing can be observed in its thread. @returns {Promise<Model>} */
async function load() {
  const { directory, threads } = spec;
  if (observed === undefined) return loadEmbeddedModel({ directory, threads });
  const replica = await Replica.open({ directory }, { threads });
  return {
    sample: (request) => replica.sample(request),
    forward: (batch) => replica.forward(batch),
    forwardBackward: (batch) => replica.forwardBackward(batch),
    optimizerStep: async (adamw) => replica.step(adamw),
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
    const { loss } = await timed("forward and backward", () => model.forwardBackward(data));
    await timed("AdamW", () => model.optimizerStep(spec.adamw));
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
  const forward = () => timed("forward", () => model.forward(data));
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
      const samples = await timed("sample", () => sample(seeds, 1));
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

/** Products of inputs, as in the training graph; of each result one row is given out. @returns {Promise<Work>} */
async function products() {
  let open = { item: -1, run: async () => {}, close: async () => {} };
  return {
    async unit(item = 0) {
      if (open.item !== item) {
        await open.close();
        open = { item, ...(await openProduct(spec.products[item])) };
      }
      await open.run();
      const { rows, inner, columns } = spec.products[item];
      return 2 * rows * inner * columns * spec.copies;
    },
  };
}

/** @param {import("./models.mjs").Product} product */
async function openProduct({ rows, inner, columns, transposeLeft, transposeRight }) {
  const graph = new OnnxGraph();
  const random = createRandom(1, "products");
  /** @type {import("../../dist/engine/embedded/session.js").Feeds} */
  const feeds = {};
  const matrix = (/** @type {string} */ name, /** @type {number[]} */ shape) => {
    const [height, width] = /** @type {[number, number]} */ (shape);
    feeds[name] = floatTensor(
      Float32Array.from({ length: height * width }, () => random() - 0.5),
      shape,
    );
    return graph.input(name, "float32", shape);
  };
  const right = matrix("right", transposeRight ? [columns, inner] : [inner, columns]);
  const outputs = Array.from({ length: spec.copies }, (_, i) => {
    const left = matrix(`left${i}`, transposeLeft ? [inner, rows] : [rows, inner]);
    const attributes = { transA: transposeLeft ? 1 : 0, transB: transposeRight ? 1 : 0 };
    const result = graph.node("Gemm", [left, right], attributes);
    const row = graph.node("Slice", [result, graph.integers(0), graph.integers(1), graph.integers(0)]);
    graph.output(row, "float32", [1, columns]);
    return row;
  });
  const session = await openSession(graph.encode(), { threads: spec.threads });
  return {
    run: async () => void (await runSession(session, feeds, outputs)),
    close: () => session.release(),
  };
}

/**
 * Linux counts what the parent had resident when it forked as this process's own, but not in its high-water mark.
 */
async function peakBytes() {
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const mark = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return 1024 * (mark === undefined ? process.resourceUsage().maxRSS : Number(mark));
}

/** @param {object} answer */
function say(answer) {
  console.log(JSON.stringify(answer));
}
