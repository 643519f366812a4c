// The bench's result as rows with targets, and as tables.
import { renderTable } from "../../dist/evaluation/table.js";
import { median } from "./comparison.mjs";
import { isOwn } from "./side.mjs";

/** @typedef {import("./models.mjs").PreparedModel} PreparedModel */
/** @typedef {import("./comparison.mjs").Measured} Measured */
/** @typedef {import("./side.mjs").Workload} Workload */
/**
 * @typedef {object} Row
 * @property {Workload} workload
 * @property {string} model
 * @property {string} way
 * @property {number} tokensPerSecond median
 * @property {number} least of the turns
 * @property {number} most
 * @property {number} tokensPerSecondPerCore
 * @property {number} shareOfPeak by 6·P (training) or 2·P operations per token
 * @property {number} peakBytes
 * @property {number} [latestMs]
 * @property {number} [difference]
 */
/**
 * @typedef {object} Verdict
 * @property {Workload} workload
 * @property {string} model
 * @property {string} what
 * @property {number} found
 * @property {number} [least] of a ratio, over the rounds
 * @property {number} [most]
 * @property {number} target
 * @property {boolean} reached
 */
/** @typedef {{ name: string, rates: Partial<Record<string, number>> }} ProductRow */

const OPERATIONS_PER_PARAMETER = { training: 6, scoring: 2, sampling: 2, products: 0 };
const SCORING_TARGET = 1.5;
const SAMPLING_TARGET = 2;
/** A timer of 10 ms in the engine's process. */
const MOST_LATE_MS = 50;

/** The kernels whose products of float32 matrices are sums of products in bfloat16: other arithmetic, with a peak of its own. */
export const BFLOAT16_KERNELS = "amx";

/**
 * Highest rates of any product: by way, and in float32 arithmetic on any side.
 * @param {readonly ProductRow[]} products
 * @param {string} kernels of the way "embedded"
 */
export function peaksOf(products, kernels) {
  /** @type {Record<string, number>} */
  const peaks = {};
  for (const { rates } of products)
    for (const [way, rate] of Object.entries(rates)) peaks[way] = Math.max(peaks[way] ?? 0, Number(rate));
  const inFloat32 = Object.entries(peaks).filter(([way]) => computesWith(way, kernels) !== BFLOAT16_KERNELS);
  return { peak: Math.max(...inFloat32.map(([, rate]) => rate)), peaks };
}

/** @param {string} way @param {string} kernels of the way "embedded" */
function computesWith(way, kernels) {
  return way === "embedded" ? kernels : way;
}

/**
 * @param {Workload} workload
 * @param {PreparedModel} model
 * @param {readonly Measured[]} measured
 * @param {{ peak: number, threads: number }} machine
 * @returns {Row[]}
 */
export function rowsOf(workload, model, measured, { peak, threads }) {
  const operations = OPERATIONS_PER_PARAMETER[workload] * model.parameterCount;
  return measured.map(({ way, rates, median: rate, peakBytes, latestMs, difference }) => ({
    workload,
    model: model.name,
    way,
    tokensPerSecond: rate,
    least: Math.min(...rates),
    most: Math.max(...rates),
    tokensPerSecondPerCore: rate / threads,
    shareOfPeak: (rate * operations) / peak,
    peakBytes,
    ...(latestMs !== undefined && { latestMs }),
    ...(difference !== undefined && { difference }),
  }));
}

/**
 * What is asked of a workload beside what was found.
 * @param {Workload} workload
 * @param {PreparedModel} model
 * @param {readonly Measured[]} measured
 * @param {readonly Row[]} rows
 * @returns {Verdict[]}
 */
export function verdictsOf(workload, model, measured, rows) {
  const [own, ...others] = measured;
  const peers = others.filter(({ way }) => !isOwn(way));
  const share = rows[0]?.shareOfPeak ?? 0;
  /** @type {Verdict[]} */
  const verdicts = [];
  const add = (/** @type {Omit<Verdict, "workload" | "model" | "reached">} */ verdict) =>
    verdicts.push({ workload, model: model.name, ...verdict, reached: verdict.found >= verdict.target });
  const peer = peers.toSorted((a, b) => b.median - a.median)[0];
  if (own !== undefined && peer !== undefined) {
    // Rounds are compared one by one: what slows the machine for a while slows both.
    const ratios = own.rates.map((rate, round) => rate / Number(peer.rates[round]));
    const ratio = { found: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
    const what = `× PyTorch ${peer.way}`;
    if (workload === "training") {
      add({ what, ...ratio, target: model.training.least });
      // At the peak itself the factor would be 1 / the peer's share of it: no more room than that.
      const room = (share / ratio.found) * model.training.goal <= 1;
      if (room) add({ what: `${what}, which leaves the room`, ...ratio, target: model.training.goal });
    } else add({ what, ...ratio, target: workload === "scoring" ? SCORING_TARGET : SAMPLING_TARGET });
  }
  if (own?.latestMs !== undefined) {
    const found = own.latestMs;
    verdicts.push({
      workload,
      model: model.name,
      what: "ms that a timer is late",
      found,
      target: MOST_LATE_MS,
      reached: found <= MOST_LATE_MS,
    });
  }
  if (workload === "training" && model.shareOfPeak !== undefined)
    add({ what: "share of the peak", found: share, target: model.shareOfPeak });
  return verdicts;
}

/** @param {{ kernels: string, threads: number, products: ProductRow[], peak: number, peaks: Record<string, number>, rows: Row[], verdicts: Verdict[], profiles: import("./profile.mjs").Profile[] }} result */
export function renderResult({ kernels, threads, products, peak, peaks, rows, verdicts, profiles }) {
  const ways = Object.keys(peaks);
  const lines = [
    "Matrix products in float32, GFLOP/s",
    renderTable({
      columns: ["product", ...ways.map((way) => productsBy(computesWith(way, kernels)))],
      rows: [
        ...products.map(({ name, rates }) => [name, ...ways.map((way) => giga(Number(rates[way])))]),
        ["highest", ...ways.map((way) => giga(Number(peaks[way])))],
      ],
    }),
    ...noteOnPeak({ ways, kernels, peak }),
    "",
    ...(rows.length === 0 ? [] : [renderRows(rows), ""]),
    ...(verdicts.length === 0 ? [] : [renderVerdicts(verdicts), ""]),
    ...profiles.map((profile) => `${renderProfile(profile, peak / threads)}\n`),
  ];
  return lines.join("\n").trimEnd();
}

/** @param {string} kernels or PyTorch's way */
function productsBy(kernels) {
  if (kernels === "onnxruntime") return "ONNX Runtime";
  return isOwn(kernels) ? `own, ${kernels}` : "PyTorch";
}

/** @param {{ ways: readonly string[], kernels: string, peak: number }} options */
function noteOnPeak({ ways, kernels, peak }) {
  const lines = [`The peak is the highest of them in float32 arithmetic: ${giga(peak)} GFLOP/s.`];
  if (ways.some((way) => computesWith(way, kernels) === BFLOAT16_KERNELS))
    lines.push(
      `The kernels ${BFLOAT16_KERNELS} multiply float32 matrices as sums of bfloat16 products, which are no part of the peak:`,
      "what is computed with them may take more than 100 % of it.",
    );
  return lines;
}

/** @param {readonly Row[]} rows */
function renderRows(rows) {
  return renderTable({
    columns: [
      "work",
      "model",
      "way",
      "tokens/s",
      "range",
      "per core",
      "of the peak",
      "memory, MB",
      "late, ms",
      "apart by",
    ],
    rows: rows.map((row) => [
      row.workload,
      row.model,
      row.way,
      Math.round(row.tokensPerSecond),
      `${Math.round(row.least)}–${Math.round(row.most)}`,
      Math.round(row.tokensPerSecondPerCore),
      percent(row.shareOfPeak),
      Math.round(row.peakBytes / 1e6),
      row.latestMs === undefined ? undefined : Math.round(row.latestMs),
      row.difference?.toExponential(0),
    ]),
  });
}

/** @param {readonly Verdict[]} verdicts */
function renderVerdicts(verdicts) {
  return renderTable({
    columns: ["work", "model", "what", "found", "range", "target", ""],
    rows: verdicts.map(({ workload, model, what, found, least, most, target, reached }) => [
      workload,
      model,
      what,
      found.toFixed(2),
      least === undefined ? undefined : `${least.toFixed(2)}–${Number(most).toFixed(2)}`,
      target,
      reached ? "reached" : "not reached",
    ]),
  });
}

/** @param {import("./profile.mjs").Profile} profile @param {number} peak of one thread */
function renderProfile({ workload, model, ms, parts }, peak) {
  const table = renderTable({
    columns: ["part", "ms", "share", "GFLOP/s", "of a thread's peak"],
    rows: parts.map(({ part, ms: own, flopsPerSecond }) => [
      part,
      own.toFixed(2),
      percent(own / ms),
      flopsPerSecond === undefined ? undefined : giga(flopsPerSecond),
      flopsPerSecond === undefined ? undefined : percent(flopsPerSecond / peak),
    ]),
  });
  return `Where the time goes: ${workload}, ${model}, ${ms.toFixed(1)} ms in each of its threads\n${table}`;
}

/** @param {number} value */
function giga(value) {
  return (value / 1e9).toFixed(1);
}

/** @param {number} share */
function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
