// Where the embedded engine's time goes: a run of its own, observed, so that observing slows no figure of the others. It is
// one replica of the model that is observed, on one thread with its share of the work.
import { PROMPT_GRANULARITY } from "../../dist/engine/embedded/decode-graph.js";
import { KINDS } from "./operator-kinds.mjs";
import { Side } from "./side.mjs";

/** @typedef {import("./models.mjs").PreparedModel} PreparedModel */
/** @typedef {import("./side.mjs").Workload} Workload */
/** @typedef {{ part: string, ms: number, flopsPerSecond?: number }} Part of one unit: a step, a batch scored, or all samples */
/** @typedef {{ workload: Workload, model: string, ms: number, parts: Part[] }} Profile */

/**
 * @param {Workload} workload
 * @param {PreparedModel} model
 * @param {{ spec: Record<string, unknown>, threads: number, seconds: number }} options
 * @returns {Promise<Profile>}
 */
export async function profileOf(workload, model, { spec, threads, seconds }) {
  const { length, promptTokens, config } = model;
  const rows = Math.ceil(model.rows / threads);
  const samples = Math.ceil(model.samples / threads);
  // The prompt is computed apart from the samples, padded.
  const prefilled = Math.ceil((promptTokens - 1) / PROMPT_GRANULARITY) * PROMPT_GRANULARITY;
  const tokens = workload === "sampling" ? [samples, prefilled] : [rows * length];
  const { hiddenSize: width, intermediateSize: feedForward, vocabularySize: vocabulary } = config;
  const profile = { tokens, width, feedForward, vocabulary };
  const given = { ...spec, way: /** @type {const} */ ("embedded"), workload, threads: 1, rows, samples, profile };
  const { side } = await Side.open(given, "");
  try {
    // The first ones open sessions and take memory.
    await side.turn(0);
    await side.turn(0);
    await side.tell("mark");
    await side.turn(seconds);
    const { units, phases, msOfRuns, kinds } = await side.tell("profile");
    return { workload, model: model.name, ...partsOf({ units, phases, msOfRuns, kinds }) };
  } finally {
    await side.close();
  }
}

/**
 * Operators by kind, then what is not in them: within runs the outputs' copies and the runtime's own work between
 * operators, outside of runs JavaScript, by phase.
 * @param {{ units: number, phases: Record<string, number>, msOfRuns: number, kinds: Record<string, import("./observed-sessions.mjs").KindTime> }} found
 */
function partsOf({ units, phases, msOfRuns, kinds }) {
  const { AdamW: adamw = 0, ...computing } = phases;
  const all = Object.values(phases).reduce((sum, ms) => sum + ms, 0);
  const inOperators = Object.values(kinds).reduce((sum, { ms }) => sum + ms, 0);
  const outsideRuns = Object.values(computing).reduce((sum, ms) => sum + ms, 0) - msOfRuns;
  /** @type {Part[]} */
  const parts = Object.values(KINDS).flatMap((kind) => {
    const found = kinds[kind];
    if (found === undefined) return [];
    const rate = found.flops > 0 ? { flopsPerSecond: found.flops / (found.ms / 1000) } : {};
    return [{ part: kind, ms: found.ms / units, ...rate }];
  });
  parts.push({ part: "runtime: outputs' copies, between operators", ms: (msOfRuns - inOperators) / units });
  parts.push({ part: "JavaScript: feeds, gradient's sum, choice of tokens", ms: outsideRuns / units });
  if (adamw > 0) parts.push({ part: "AdamW with the gradient's norm", ms: adamw / units });
  return { ms: all / units, parts };
}
