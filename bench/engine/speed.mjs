// The embedded engine beside PyTorch, eager and compiled, in one run: training, scoring and sampling on the same
// weights, data and number of threads, with matrix products alone (`--work products` for nothing else) and a profile of
// where the time goes.
//
//   npm run --silent bench:engine -- --python PATH [--models 0.92M,5M,20M] [--work training,scoring,sampling]
//                                    [--ways eager,compiled[,transformers,onnxruntime,avx512,…]] [--threads CORES] [--rounds 5] [--seconds 3]
//                                    [--no-profile] [--quick] [--json]
//
// Every side is a process of its own and they take turns; before that their losses, log-probabilities and decoded tokens'
// log-probabilities must agree, or the bench ends with an error. Targets are marked, reached or not.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { allKernels, findKernels } from "../../dist/engine/embedded/kernels/addon.js";
import { compare, compareProducts, Disagreement } from "./comparison.mjs";
import { ADAMW, MODELS, prepareModel, PRODUCT_COPIES, productsOf, TINY_MODEL } from "./models.mjs";
import { profileOf } from "./profile.mjs";
import { BFLOAT16_KERNELS, peaksOf, renderResult, rowsOf, verdictsOf } from "./report.mjs";
import { isOwn, OTHER_OWN_WAYS, SideError } from "./side.mjs";

/** @typedef {import("./side.mjs").Way} Way */
/** @typedef {import("./side.mjs").Workload} Workload */

const { values: flags } = parseArgs({
  options: {
    python: { type: "string" },
    models: { type: "string", default: MODELS.map(({ name }) => name).join() },
    work: { type: "string", default: "training,scoring,sampling" },
    ways: { type: "string", default: "eager,compiled" },
    threads: { type: "string", default: String(availableParallelism()) },
    rounds: { type: "string" },
    seconds: { type: "string" },
    "no-profile": { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
/** Of what else runs on the machine. PyTorch suffers more from it: its threads wait for each other at every operator. */
const MOST_BUSY_CORES = 0.2;
const threads = positive("threads", flags.threads);
const pace = {
  rounds: positive("rounds", flags.rounds ?? (flags.quick ? "2" : "5")),
  seconds: positive("seconds", flags.seconds ?? (flags.quick ? "0.2" : "3")),
};
const chosen = flags.quick ? [TINY_MODEL] : listed("models", flags.models, MODELS, ({ name }) => name);
const work = listed(
  "work",
  flags.work,
  /** @type {Workload[]} */ (["training", "scoring", "sampling", "products"]),
  String,
);
/** @type {Way[]} */
const otherOwnWays = OTHER_OWN_WAYS.filter(
  (way) => way === "onnxruntime" || allKernels().some(({ name }) => name === way),
);
const others = listed(
  "ways",
  flags.ways,
  /** @type {Way[]} */ (["eager", "compiled", "transformers", ...otherOwnWays]),
  String,
);
const { python = "" } = flags;
/** @type {Way[]} */
const ways = ["embedded", ...others.filter((way) => isOwn(way) || python !== "")];
/** What the engine computes with. */
const kernels = findKernels()?.name ?? "onnxruntime";
const HOW_TO_GET_PYTORCH = [
  "To compare, make a Python with PyTorch and name it with --python:",
  "  python3 -m venv torch-python && torch-python/bin/pip install torch",
  "  npm run --silent bench:engine -- --python torch-python/bin/python",
].join("\n");
if (python === "") note(`Without PyTorch: the embedded engine alone. ${HOW_TO_GET_PYTORCH}`);
else {
  const { error, status } = spawnSync(python, ["-c", "import torch"]);
  if (error !== undefined || status !== 0) {
    note(`--python: ${python} ${error === undefined ? "has no PyTorch" : "cannot be run"}. ${HOW_TO_GET_PYTORCH}`);
    process.exit(2);
  }
}

const directory = await mkdtemp(join(tmpdir(), "mucode-bench-engine-"));
try {
  await bench();
} catch (error) {
  if (!(error instanceof Disagreement || error instanceof SideError)) throw error;
  note(error.message);
  process.exitCode = 1;
} finally {
  await rm(directory, { recursive: true });
}

async function bench() {
  const models = [];
  for (const model of chosen) models.push(await prepareModel(model, directory));

  let busyCores = await coresBusy();
  const products = await compareProducts({
    ways: waysOfProducts(),
    spec: { workload: "products", threads, copies: PRODUCT_COPIES },
    products: productsOf(models, flags.quick ? [128] : [1024, 2048]),
    python,
    pace: { rounds: pace.rounds, seconds: Math.min(1, pace.seconds) },
    note,
  });
  const { peak, peaks } = peaksOf(products, kernels);

  const rows = [];
  const verdicts = [];
  const left = [];
  const profiles = [];
  /** @type {Record<string, string>} */
  const versions = {};
  const isProfiled = !flags["no-profile"] && kernels !== "onnxruntime";
  if (!flags["no-profile"] && !isProfiled)
    note("Without a profile: it is of the engine's own kernels, and ONNX Runtime computes.");
  for (const workload of work.filter((name) => name !== "products")) {
    for (const model of models) {
      note(`${workload}, ${model.name}`);
      busyCores = Math.max(busyCores, await coresBusy());
      const { directory: place, data, samples, newTokens } = model;
      const spec = { directory: place, data, samples, newTokens, adamw: ADAMW };
      // LlamaForCausalLM has no step over a static cache that would be comparable.
      const able = ways.filter((way) => way !== "transformers" || workload !== "sampling");
      const found = await compare({ ways: able, spec: { ...spec, workload, threads }, python, pace, note });
      const own = rowsOf(workload, model, found.measured, { peak, threads });
      rows.push(...own);
      verdicts.push(...verdictsOf(workload, model, found.measured, own));
      left.push(...found.failed.map((failure) => ({ workload, model: model.name, ...failure })));
      Object.assign(versions, found.versions);
      if (isProfiled) profiles.push(await profileOf(workload, model, { spec, threads, seconds: pace.seconds }));
    }
  }

  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    threads,
    kernels,
    busyCores,
    ...versions,
  };
  if (flags.json)
    return console.log(
      JSON.stringify({ machine, pace, peak, peaks, products, rows, verdicts, left, profiles }, null, 2),
    );
  const { node = process.version, torch } = versions;
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${threads} threads, kernels ${kernels}, Node ${node}, ${torch === undefined ? "no PyTorch" : `PyTorch ${torch}`}; ` +
      `medians of ${pace.rounds} turns of ${pace.seconds} s\n`,
  );
  if (busyCores > MOST_BUSY_CORES)
    console.log(`Other processes kept up to ${busyCores.toFixed(1)} cores busy: figures and factors mean little.\n`);
  console.log(renderResult({ kernels, threads, products, peak, peaks, rows, verdicts, profiles }));
  for (const { workload, model, reason } of left) console.log(`\nleft out: ${workload}, ${model}: ${reason}`);
}

/** Where the engine's kernels multiply in other arithmetic than float32, its fastest that do are measured beside them. */
function waysOfProducts() {
  const inFloat32 = otherOwnWays.filter((way) => way !== BFLOAT16_KERNELS && way !== "onnxruntime").slice(0, 1);
  /** @type {Way[]} */
  const able = [...ways.filter(isOwn), ...(kernels === BFLOAT16_KERNELS ? inFloat32 : [])];
  if (python !== "") able.push("eager");
  return [...new Set(able)];
}

/** Cores that others keep busy, seen while no side works. */
async function coresBusy() {
  const busyMs = () => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  const [busyBefore, started] = [busyMs(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 500));
  return (busyMs() - busyBefore) / (performance.now() - started);
}

/** @param {string} name @param {string} text */
function positive(name, text) {
  const value = Number(text);
  const whole = name === "seconds" || Number.isSafeInteger(value);
  if (!(value > 0 && Number.isFinite(value) && whole))
    throw new RangeError(`--${name} must be a ${name === "seconds" ? "" : "whole "}number above 0, not ${text}`);
  return value;
}

/**
 * @template T
 * @param {string} flag @param {string} text @param {readonly T[]} known @param {(item: T) => string} nameOf
 * @returns {T[]}
 */
function listed(flag, text, known, nameOf) {
  return text.split(",").map((name) => {
    const item = known.find((candidate) => nameOf(candidate) === name);
    if (item === undefined) throw new RangeError(`--${flag}: ${name} is none of ${known.map(nameOf).join(", ")}`);
    return item;
  });
}

/** @param {string} text */
function note(text) {
  console.error(text);
}
