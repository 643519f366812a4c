/**
 * Checks that checkpoints go both ways between the embedded engine and Hugging Face `transformers`: random models of
 * every supported kind, written by `transformers`, are opened here, compared (log-probabilities or scores, tokens, chat
 * template, greedy decoding), trained by one step, written, opened there and compared again (with the gradient too, which
 * is the size of that step). Adapters written by PEFT likewise: opened here merged, gone on with for one step, saved as an
 * adapter and merged, opened there. `npm run check:transformers` builds and runs it.
 *
 * Needs a Python with `torch`, `transformers` and `peft`: the one named by PYTHON, else one made here with `pip`.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createEmbeddedModel, loadEmbeddedModel, mergeAdapter } from "../../dist/engine/embedded/embedded-model.js";
import { trainTokenizer } from "../../dist/engine/tokenizer-training.js";

const TOLERANCE = 1e-4;
/** Relative to the greatest value of each tensor's gradient. */
const GRADIENT_TOLERANCE = 2e-3;
/** With an epsilon so great a first step of AdamW is learningRate / epsilon · gradient: what is compared. */
const STEP = { learningRate: 100, epsilon: 1000, beta1: 0.9, beta2: 0.95, weightDecay: 0, maxGradientNorm: 1e9 };

/** @typedef {{ name: string, score: boolean, files: string[], texts: [string, number[]][], conversation: import("../../dist/engine/engine.js").ChatMessage[], chat: number[], tokens: number[], values: number[], greedy?: number[] }} Peer */
/** @typedef {{ name: string, here: string, values: number, greedy: string, texts: boolean, chat: boolean }} Row */

const python = findPython();
const peer = fileURLToPath(new URL("transformers_peer.py", import.meta.url));
const directory = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "mucode-transformers-")));
/** @param {string} command */
const runPeer = (command) => execFileSync(python, [peer, command, directory], { stdio: "inherit" });
/** @param {string} file @returns {Promise<any>} */
const readJson = async (file) => JSON.parse(await readFile(join(directory, file), "utf8"));

runPeer("write");
/** @type {string[]} */
const cases = await readJson("cases.json");
/** Names of what must be refused, and the message, or why there is none. @type {Map<string, { found: string, good: boolean }>} */
const refusals = new Map();
/** @type {Map<string, Row>} */
const rows = new Map();
for (const name of cases) if (!(await isRefused(name))) rows.set(name, await openTheirs(name));
rows.set("own", await makeOwn());
await writeFile(join(directory, "written.json"), JSON.stringify([...rows.keys()]));
/** @type {Map<string, { name: string, values: number }>} */
const adapters = new Map();
for (const name of await readJson("adapters.json")) {
  if (!(await isRefused(name))) adapters.set(name, await openAdapter(name));
}
await writeFile(join(directory, "written-adapters.json"), JSON.stringify([...adapters.keys()]));
runPeer("check");
const checked = await readJson("checked.json");

let failures = 0;
/** @param {boolean} good @param {string} text */
const mark = (good, text) => {
  if (!good) failures++;
  return good ? text : `${text} !`;
};
const yes = (/** @type {boolean} */ good) => mark(good, good ? "same" : "differ");
console.log(
  "| model | written by transformers, opened here | greedy | texts, chat | written here, opened there | as | texts, chat | gradient |",
);
console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
for (const [name, row] of rows) {
  const there = checked[name];
  const gradient = there.gradients;
  const cells = [
    row.name,
    Number.isNaN(row.values) ? "" : mark(row.values < TOLERANCE, row.values.toExponential(1)),
    mark(!row.greedy.includes("differ"), row.greedy),
    yes(row.texts && row.chat),
    mark(there.values < TOLERANCE, there.values.toExponential(1)),
    there.class,
    yes(there.texts && there.chat),
    gradient === undefined ? "" : mark(gradient < GRADIENT_TOLERANCE, gradient.toExponential(1)),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
console.log(
  "\n| adapter | written by PEFT, opened here | gone on with here, opened there | as | merged here, opened there | tensors trained | gradient |",
);
console.log("| --- | --- | --- | --- | --- | --- | --- |");
for (const [name, row] of adapters) {
  const there = checked[name];
  const value = (/** @type {number} */ worst) => mark(worst < TOLERANCE, worst.toExponential(1));
  const gradient = mark(there.gradients < GRADIENT_TOLERANCE, there.gradients.toExponential(1));
  const cells = [row.name, value(row.values), value(there.values), there.class, value(there.merged), there.trained];
  console.log(`| ${cells.join(" | ")} | ${gradient} |`);
}
console.log("\n| not read | refused with |");
console.log("| --- | --- |");
for (const [name, { found, good }] of refusals) console.log(`| ${name} | ${mark(good, found)} |`);
console.log(
  failures === 0
    ? `${rows.size} models, ${adapters.size} adapters: all agree, ${refusals.size} refused (values within ${TOLERANCE}, gradients within ${GRADIENT_TOLERANCE} of their greatest)`
    : `${failures} differences (marked with !); files are in ${directory}`,
);
if (failures === 0 && process.argv[2] === undefined) await rm(directory, { recursive: true });
process.exitCode = failures === 0 ? 0 : 1;

/** Opens what must be refused, if it is one of those. @param {string} name @returns {Promise<boolean>} */
async function isRefused(name) {
  /** @type {{ name: string, refused?: string }} */
  const given = await readJson(join(name, "peer.json"));
  if (given.refused === undefined) return false;
  const { refused } = given;
  try {
    const model = await loadEmbeddedModel({ directory: join(directory, name), threads: 1 });
    await model.close();
    refusals.set(given.name, { found: "opened", good: false });
  } catch (error) {
    const { name: kind, message } = /** @type {Error} */ (error);
    const good = kind === "ConfigError" && message.includes(refused);
    refusals.set(given.name, { found: message.replaceAll(`${directory}/`, "").replaceAll("|", "\\|"), good });
  }
  return true;
}

/** @param {string} name @returns {Promise<Row>} */
async function openTheirs(name) {
  /** @type {Peer} */
  const given = await readJson(join(name, "peer.json"));
  const model = await loadEmbeddedModel({ directory: join(directory, name), threads: 1 });
  const { tokenizer } = model;
  const values = await valuesOf(model, given.tokens, given.score);
  const worst = Math.max(...values.map((value, i) => Math.abs(value - given.values[i])));
  const texts = given.texts.every(([text, ids]) => [...tokenizer.encode(text)].join() === ids.join());
  const chat = tokenizer.encodeChat(given.conversation, { addGenerationPrompt: true });
  const greedy = given.greedy === undefined ? "" : await compareGreedy(model, chat, given.greedy);

  const count = given.values.length;
  const weights = weightsOf(given.tokens, given.score).map((weight) => weight / count);
  await model.forwardBackward([{ tokens: Int32Array.from(given.tokens), weights }]);
  await model.optimizerStep(STEP);
  await saveOurs(name, model, { ...given, texts: given.texts.map(([text]) => text), chat: [...chat] });
  await model.close();
  return { name: given.name, here: "", values: worst, greedy, texts, chat: [...chat].join() === given.chat.join() };
}

/** @param {string} name @returns {Promise<{ name: string, values: number }>} */
async function openAdapter(name) {
  const given = await readJson(join(name, "peer.json"));
  const { tokens, score, lora } = given;
  const opened = await loadEmbeddedModel({ directory: join(directory, name), threads: 1 });
  const values = await valuesOf(opened, tokens, score);
  await opened.close();
  const worst = Math.max(...values.map((value, i) => Math.abs(value - given.values[i])));

  const model = await loadEmbeddedModel({ directory: join(directory, name), threads: 1, lora });
  const weights = weightsOf(tokens, score).map((weight) => weight / given.values.length);
  await model.forwardBackward([{ tokens: Int32Array.from(tokens), weights }]);
  await model.optimizerStep(STEP);
  const place = join(directory, `${name}-engine`);
  await model.save(place);
  const after = await valuesOf(model, tokens, score);
  await model.close();
  await mergeAdapter(place, join(directory, `${name}-merged`));
  const { learningRate, epsilon } = STEP;
  const written = { ...given, values: after, learningRate, epsilon };
  await writeFile(join(place, "engine.json"), JSON.stringify(written));
  return { name: given.name, values: worst };
}

/** A model made here, with a tokenizer trained here, that is then opened there. @returns {Promise<Row>} */
async function makeOwn() {
  const phrases = ["Write a function to", "\n    return ", "(xs):\n    "];
  const words = ["add", "count", "sort", "reverse"];
  const program = (/** @type {number} */ i) => `def ${words[i % 4]}_${i}(xs):\n    return [x + ${i} for x in xs]\n`;
  const texts = Array.from({ length: 200 }, (_, i) => `Write a function to ${words[i % 4]} numbers.\n${program(i)}`);
  const tokenizer = trainTokenizer({ texts, phrases, vocabularySize: 400 });
  const config = {
    vocabularySize: 400,
    hiddenSize: 64,
    layerCount: 3,
    headCount: 4,
    keyValueHeadCount: 2,
    intermediateSize: 96,
    contextLength: 256,
    tieEmbeddings: true,
    ropeTheta: 10_000,
    rmsNormEpsilon: 1e-5,
  };
  const model = await createEmbeddedModel({ config, tokenizer, seed: 1 });
  const conversation = [
    { role: "user", content: `${texts[3]}` },
    { role: "assistant", content: program(7) },
    { role: "user", content: "failed: assert sort_7([]) == [], got None" },
  ];
  const odd = ["héllo ☃ 😀", "\t\r\n  \n\n", "a_b __x \uFEFF\u0085", "# '\"{}[]()*+?|\\^$.", ""];
  const chat = [...model.tokenizer.encodeChat(conversation, { addGenerationPrompt: true })];
  await saveOurs("own", model, { score: false, conversation, chat, tokens: chat, texts: [...texts, ...odd] });
  await model.close();
  return { name: "made here", here: "", values: Number.NaN, greedy: "", texts: true, chat: true };
}

/**
 * @param {string} name
 * @param {import("../../dist/engine/engine.js").TrainableModel} model
 * @param {{ score: boolean, conversation: unknown, chat: number[], tokens: number[], texts: string[] }} sample
 */
async function saveOurs(name, model, sample) {
  const place = join(directory, `${name}-engine`);
  await model.save(place);
  const texts = sample.texts.map((text) => {
    const tokens = [...model.tokenizer.encode(text)];
    return [text, tokens, model.tokenizer.decode(tokens)];
  });
  const values = await valuesOf(model, sample.tokens, sample.score);
  const { learningRate, epsilon } = STEP;
  await writeFile(join(place, "engine.json"), JSON.stringify({ ...sample, texts, values, learningRate, epsilon }));
}

/** @param {import("../../dist/engine/engine.js").TrainableModel} model @param {number[]} tokens @param {boolean} score */
async function valuesOf(model, tokens, score) {
  const weights = weightsOf(tokens, score);
  const [values] = await model.forward([{ tokens: Int32Array.from(tokens), weights }]);
  return Array.from(values.filter((_, t) => weights[t] !== 0));
}

/** Of every token but the first; of a score that of the last. @param {number[]} tokens @param {boolean} score */
function weightsOf(tokens, score) {
  return Float32Array.from(tokens, (_, t) => ((score ? t === tokens.length - 1 : t > 0) ? 1 : 0));
}

/**
 * @param {import("../../dist/engine/engine.js").TrainableModel} model
 * @param {Int32Array} prompt
 * @param {number[]} theirs with the end token
 */
async function compareGreedy(model, prompt, theirs) {
  const [ours] = await model.sample({ tokens: prompt, seeds: [0], temperature: 0, maxTokens: 40 });
  const { tokens, stopReason } = ours;
  const same = tokens.join() === theirs.slice(0, tokens.length).join();
  const ended = theirs.length === tokens.length + (stopReason === "end" ? 1 : 0);
  return same && ended ? `${theirs.length} same, ${stopReason}` : "differs";
}

/** @returns {string} */
function findPython() {
  const given = process.env["PYTHON"];
  if (given !== undefined) return given;
  const place = fileURLToPath(new URL("../../node_modules/.cache/transformers-python", import.meta.url));
  const made = join(place, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  if (!existsSync(made)) {
    console.error(`making a Python with torch, transformers and peft in ${place}; name another with PYTHON=…`);
    execFileSync("python3", ["-m", "venv", place], { stdio: "inherit" });
    execFileSync(made, ["-m", "pip", "install", "--quiet", "torch", "transformers", "peft"], { stdio: "inherit" });
  }
  return made;
}
