/**
 * The method with the stack that people train real models with, on a CPU: `npm run check:trl` builds and runs it. One
 * whole iteration of `mucode train` from the shipped model, with rollouts from servers that the run starts and TRL's
 * `sft` and `reward` as trainers, once with one process and once with two under torchrun; then the embedded engine on
 * the same recorded data. Exit code 1 when a compared pair of numbers disagrees.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { resolveCheckpoint } from "../../dist/api/models.js";
import { withGrader } from "../../dist/api/run-parts.js";
import { exportRun, openSuite } from "../../dist/index.js";
import { readJsonl } from "../../dist/store/jsonl.js";
import { compareAuc, compareByTask, compareNumbers } from "./agreement.mjs";
import { inherit, loadDataSets, preparePython, pythonVersions, writeNewHeads } from "./environment.mjs";
import { fitGeneratorHere, fitGeneratorInStep, fitVerifierHere, fitVerifierInStep, readRunData } from "./fits.mjs";
import { heldOutPrograms, measureGenerator, measureVerifier, rankingPerTask } from "./held-out.mjs";
import { renderReport } from "./report.mjs";

/** @typedef {import("./fits.mjs").Fit} Fit */
/** @typedef {import("./agreement.mjs").Row} Row */
/** @typedef {import("./report.mjs").InStep} InStep */

const { values: flags } = parseArgs({
  options: {
    out: { type: "string", default: "runs/check-trl" },
    /** A Python that has what recipes/trl/requirements.txt pins; without it one is made. */
    python: { type: "string" },
    quick: { type: "boolean", default: false },
    "train-tasks": { type: "string" },
    "test-tasks": { type: "string" },
    /** Fits of the embedded engine, whose spread tells what a seed does. */
    seeds: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const sizes = {
  trainTasks: Number(flags["train-tasks"] ?? (flags.quick ? 32 : 128)),
  testTasks: Number(flags["test-tasks"] ?? (flags.quick ? 40 : 200)),
  seeds: Number(flags.seeds ?? (flags.quick ? 4 : 6)),
};
const PROCESSES = [1, 2];
/**
 * What rounding may do to a fit on the same batches: to the loss of a step, which TRL prints with four digits, and to a
 * log-probability or a score. A learning rate 2 % higher does 5e-4 to the loss.
 */
const LOSS_LIMIT = 2e-4;
const VALUE_LIMIT = 2e-4;
const out = resolve(flags.out);
const started = performance.now();
/** Seconds by what they were spent on. @type {Record<string, number>} */
const seconds = {};

await mkdir(out, { recursive: true });
const { python, seconds: installing } =
  flags.python === undefined ? await preparePython(join(out, "venv")) : { python: flags.python, seconds: null };
if (installing !== null) seconds["making the virtual environment"] = installing;
const versions = { node: process.version, ...(await pythonVersions(python)) };

const runs = await inTurn(PROCESSES, (processes) =>
  timed(`mucode train, ${count(processes)}`, () => runIteration(processes)),
);

const suite = openSuite({ name: "mubpp" });
const trainSet = await suite.load({ split: "train", limit: sizes.trainTasks, seed: 0 });
const testSet = await suite.load({ split: "test", limit: sizes.testTasks, seed: 0 });
const base = (await resolveCheckpoint("mubpp-base")).directory;
const data = await inTurn(runs, (run) => readRunData(run, base, trainSet.tasks));
const [first] = data;
const [firstRun] = runs;
if (first === undefined || firstRun === undefined) throw new Error("no runs");
const equalRollouts = await haveEqualRollouts();

const seedsOfFits = Array.from({ length: sizes.seeds }, (_, index) => index + 1);
const heads = seedsOfFits.map((seed) => join(out, "heads", String(seed)));
await makeHeads();
/** By run; the fits of one run serve the other where it learned from equal data. @type {Fit[][]} */
const generatorFits = [];
/** @type {Fit[][]} */
const verifierFits = [];
await timed("fits of the embedded engine", async () => {
  for (const [index, one] of data.entries()) {
    const same = index > 0;
    const place = (/** @type {boolean} */ equal) => join(out, "fits", equal ? "1" : `${PROCESSES[index]}`);
    const generatorPlace = place(same && JSON.stringify(one.examples) === JSON.stringify(first.examples));
    const verifierPlace = place(same && JSON.stringify(one.pairs) === JSON.stringify(first.pairs));
    generatorFits.push(
      await inTurn(seedsOfFits, (seed) => fitGeneratorHere(one, seed, join(generatorPlace, `generator-${seed}`))),
    );
    verifierFits.push(
      await inTurn(seedsOfFits, (seed) =>
        fitVerifierHere(one, seed, heads[seed - 1] ?? "", join(verifierPlace, `verifier-${seed}`)),
      ),
    );
  }
});
const inStep = await timed("fits on the same batches", async () => ({
  generator: await fitGeneratorInStep(first, join(out, "in-step/generator"), PROCESSES),
  verifier: await fitVerifierInStep(first, heads[0] ?? "", join(out, "in-step/verifier"), PROCESSES),
}));

const { rows, steps, servedEqual } = await timed("held-out tasks", () =>
  withGrader({ sandbox: first.configuration.sandbox }, (grader) => compare(grader)),
);
const exported = await timed("exports", checkExports);

const result = {
  sizes,
  versions,
  machine: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
  data: data.map(({ examples, pairs }) => ({ examples: examples.length, pairs: pairs.length })),
  equalRollouts,
  servedEqual,
  inStep: steps,
  rows,
  exported,
  seconds: { ...seconds, "in all": (performance.now() - started) / 1000 },
};
const problems = [
  ...(equalRollouts ? [] : ["the base model's rollouts differ between the two runs"]),
  ...servedEqual
    .filter(({ equal, of }) => equal !== of)
    .map(({ name }) => `${name}: served and in-process conversations differ`),
  ...steps.filter(({ agrees }) => !agrees).map(({ name }) => `${name}: more than rounding differs`),
  ...rows.filter(({ agrees }) => !agrees).map(({ name }) => `${name}: the interval of the difference leaves out 0`),
  ...exported.filter(({ problem }) => problem !== null).map(({ name, problem }) => `export ${name}: ${problem}`),
];
console.log(flags.json ? JSON.stringify({ ...result, problems }, null, 2) : renderReport(result, problems));
process.exitCode = problems.length === 0 ? 0 : 1;

/** One whole iteration, as one would run it; an interrupted one goes on. @param {number} processes */
async function runIteration(processes) {
  const run = join(out, `run-${processes}`);
  const settings = {
    "--config": fileURLToPath(new URL("iteration.toml", import.meta.url)),
    "--out": run,
    "--suite.train-tasks": sizes.trainTasks,
    "--suite.test-tasks": sizes.testTasks,
    "--trainer.python": python,
    "--trainer.processes": processes,
  };
  const words = Object.entries(settings).flatMap(([name, value]) => [name, `${value}`]);
  await inherit(process.execPath, [fileURLToPath(new URL("../../bin/mucode.js", import.meta.url)), "train", ...words]);
  return run;
}

/** Both runs rolled out the same model from the same seeds, on servers of their own. */
async function haveEqualRollouts() {
  const conversations = await inTurn(runs, async (run) => {
    /** @type {import("./held-out.mjs").GradedTrajectory[]} */
    const trajectories = await readJsonl(join(run, "base/trajectories.jsonl"));
    return trajectories
      .map(({ taskId, rolloutIndex, turns }) =>
        JSON.stringify([taskId, rolloutIndex, turns.map((turn) => turn.completion)]),
      )
      .toSorted()
      .join("\n");
  });
  return new Set(conversations).size === 1;
}

async function makeHeads() {
  if (!heads.every((place) => existsSync(join(place, "config.json")))) await writeNewHeads(python, base, heads);
  for (const place of heads) {
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) await cp(join(base, file), join(place, file));
  }
}

/** @param {import("../../dist/index.js").Grader} grader */
async function compare(grader) {
  const { evaluation, threads, verifier, seed } = first?.configuration ?? fail();
  const settings = { turns: evaluation.turns, maxTokens: evaluation.maxTokens, threads, seed };
  /** @type {Map<string, ReturnType<typeof measureGenerator>>} */
  const measured = new Map();
  /** @param {string} directory */
  const generator = (directory) => {
    const found = measured.get(directory) ?? measureGenerator(directory, testSet, grader, settings);
    measured.set(directory, found);
    return found;
  };
  /** @type {import("./held-out.mjs").TaskEvaluation[]} */
  const baseRecords = await readJsonl(join(firstRun ?? "", "evaluation/base.jsonl"));
  const programs = heldOutPrograms(testSet.tasks, baseRecords);
  /** @param {string} directory */
  const scores = (directory) =>
    measureVerifier(directory, programs, { threads, showPublicTests: verifier.showPublicTests });

  /** @type {Row[]} */
  const found = [];
  const served = [];
  for (const [index, run] of runs.entries()) {
    const name = count(PROCESSES[index] ?? 0);
    const report = JSON.parse(await readFile(join(run, "report.json"), "utf8"));
    const [iteration] = report.iterations.mucode;
    const fits = generatorFits[index] ?? [];
    const theirs = await generator(join(run, "mucode/iteration-1/generator"));
    const ours = await inTurn(fits, (fit) => generator(fit.directory));
    /** @param {number} turn */
    const solvedAt =
      (turn) =>
      (/** @type {Awaited<ReturnType<typeof generator>>} */ { trajectories }) =>
        trajectories.map(({ outcomes }) => Number(outcomes.at(turn)));
    const likelihoods = ours.map((one) => one.likelihoods);
    const losses = fits.map(({ lastLoss }) => lastLoss);
    found.push(
      compareNumbers(`${name}: generator, last training loss`, "nats/token", iteration.generatorFit.lastLoss, losses),
      compareByTask(`${name}: held-out gold programs`, "nats/token", theirs.likelihoods, likelihoods),
      compareByTask(`${name}: solved greedily, 1 turn`, "%", solvedAt(0)(theirs), ours.map(solvedAt(0))),
      compareByTask(
        `${name}: solved greedily, ${settings.turns} turns`,
        "%",
        solvedAt(-1)(theirs),
        ours.map(solvedAt(-1)),
      ),
    );
    const theirScores = await scores(join(run, "mucode/iteration-1/verifier"));
    const ourScores = await inTurn(verifierFits[index] ?? [], (fit) => scores(fit.directory));
    const verifierLosses = (verifierFits[index] ?? []).map(({ lastLoss }) => lastLoss);
    found.push(
      compareNumbers(`${name}: verifier, last training loss`, "nats", iteration.verifierFit.lastLoss, verifierLosses),
      compareByTask(`${name}: ranking accuracy`, "%", rankingPerTask(theirScores), ourScores.map(rankingPerTask)),
      compareAuc(`${name}: AUC`, theirScores, ourScores),
    );
    served.push({ name, ...(await compareServed(run, theirs.trajectories)) });
  }
  return { rows: found, steps: await compareInStep(generator, scores), servedEqual: served };
}

/**
 * Whether the run's own evaluation, through servers, had the conversations that the same checkpoint has in this process.
 * @param {string} run @param {readonly import("./held-out.mjs").GradedTrajectory[]} trajectories
 */
async function compareServed(run, trajectories) {
  /** @type {import("./held-out.mjs").TaskEvaluation[]} */
  const records = await readJsonl(join(run, "evaluation/µCode.jsonl"));
  const greedy = new Map(records.map((record) => [record.taskId, textOf(record.greedy)]));
  return {
    equal: trajectories.filter((one) => greedy.get(one.taskId) === textOf(one)).length,
    of: trajectories.length,
  };
}

/** @param {import("./held-out.mjs").GradedTrajectory} trajectory */
function textOf({ turns, outcomes }) {
  return JSON.stringify([turns.map(({ completion }) => completion), outcomes]);
}

/**
 * @param {(directory: string) => ReturnType<typeof measureGenerator>} generator
 * @param {(directory: string) => ReturnType<typeof measureVerifier>} scores
 * @returns {Promise<InStep[]>}
 */
async function compareInStep(generator, scores) {
  const compared = [];
  const ours = (await generator(inStep.generator.embedded.directory)).likelihoods;
  const ourScores = (await scores(inStep.verifier.embedded.directory)).flat().map(({ score }) => score);
  for (const [index, processes] of PROCESSES.entries()) {
    const [sft, reward] = [inStep.generator.trl[index] ?? fail(), inStep.verifier.trl[index] ?? fail()];
    const likelihoods = (await generator(sft.directory)).likelihoods;
    const theirScores = (await scores(reward.directory)).flat().map(({ score }) => score);
    compared.push(
      describeSteps(`generator, ${count(processes)}`, inStep.generator.embedded, sft, [ours, likelihoods]),
      describeSteps(`verifier, ${count(processes)}`, inStep.verifier.embedded, reward, [ourScores, theirScores]),
    );
  }
  return compared;
}

/** @param {string} name @param {Fit} ours @param {Fit} theirs @param {[readonly number[], readonly number[]]} values @returns {InStep} */
function describeSteps(name, ours, theirs, [own, other]) {
  const lossDifference = greatestDifference(ours.losses, theirs.losses);
  const valueDifference = greatestDifference(own, other);
  return {
    name,
    steps: ours.steps,
    firstLoss: ours.losses[0] ?? Number.NaN,
    lastLoss: ours.lastLoss,
    trlLastLoss: theirs.lastLoss,
    lossDifference,
    valueDifference,
    seconds: { embedded: ours.seconds, trl: theirs.seconds },
    agrees:
      ours.losses.length === theirs.losses.length && lossDifference <= LOSS_LIMIT && valueDifference <= VALUE_LIMIT,
  };
}

/** @param {readonly number[]} some @param {readonly number[]} others */
function greatestDifference(some, others) {
  return Math.max(...some.map((value, index) => Math.abs(value - (others[index] ?? Number.NaN))));
}

/** Every format as JSONL and Parquet, opened by `datasets`. */
async function checkExports() {
  const formats = /** @type {const} */ (["sft", "preference", "scored", "trajectories"]);
  const kinds = formats.flatMap((format) => /** @type {const} */ (["jsonl", "parquet"]).map((as) => ({ format, as })));
  const place = join(out, "exports");
  await rm(place, { recursive: true, force: true });
  const written = await inTurn(kinds, async ({ format, as }) => {
    const folder = join(place, `${format}-${as}`);
    const { records } = await exportRun({ configuration: { run: firstRun ?? "", format, as, out: folder } });
    return { name: `${format}, ${as}`, folder, records };
  });
  const loaded = await loadDataSets(
    python,
    join(place, "cache"),
    written.map(({ folder }) => folder),
  );
  return written.map(({ name, records }, index) => {
    const { rows: rowCount, columns } = loaded[index] ?? fail();
    const problem = rowCount === records ? null : `${records} records written, ${rowCount} opened`;
    return { name, rows: rowCount, columns, problem };
  });
}

/** @param {number} processes */
function count(processes) {
  return processes === 1 ? "1 process" : `${processes} processes`;
}

/** @template T @param {string} name @param {() => Promise<T>} work */
async function timed(name, work) {
  const from = performance.now();
  const value = await work();
  seconds[name] = (performance.now() - from) / 1000;
  return value;
}

/** One after the other. @template T, R @param {readonly T[]} items @param {(item: T) => Promise<R>} work */
async function inTurn(items, work) {
  /** @type {R[]} */
  const results = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** @returns {never} */
function fail() {
  throw new Error("something that was just made is missing");
}
