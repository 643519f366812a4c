// Where the embedded engine's time goes, by what its kernels took: a run of its own, so that observing slows no figure of
// the others. As many processes as there are threads work at once, each with one replica's share of the batch and of the
// optimizer's step; the first one's commands are shown.
import { Side } from "./side.mjs";

/** @typedef {import("./models.mjs").PreparedModel} PreparedModel */
/** @typedef {import("./side.mjs").Workload} Workload */
/** @typedef {import("../../dist/engine/embedded/kernels/addon.js").CommandTime} CommandTime */
/** @typedef {{ part: string, ms: number, flopsPerSecond?: number }} Part of one unit: a step, a batch scored, or all samples */
/** @typedef {{ workload: Workload, model: string, ms: number, parts: Part[] }} Profile */

/** Commands by what they are for. @type {Record<string, readonly string[]>} */
const PARTS = {
  products: ["gemm"],
  "weights packed for products": ["pack"],
  attention: ["attention"],
  "attention's gradient": ["attentionBackward"],
  "attention to the cache": ["decodeAttention"],
  "cache written": ["cacheWrite"],
  "norms and their gradient": ["rmsNorm", "rmsNormBackward"],
  "SwiGLU and its gradient": ["swiglu", "swigluBackward"],
  "rotary positions": ["rotate"],
  "cross entropy and its gradient": ["crossEntropy"],
  "tokens' probabilities": ["tokenProbabilities"],
  "rows: gather, scatter, fill, column sums": ["gatherRows", "scatterAddRows", "fill", "addColumnSums"],
  "gradients' sum and norm": ["addAndSquare", "square"],
  AdamW: ["adamw"],
};
const OTHER = "other commands";

/**
 * @param {Workload} workload
 * @param {PreparedModel} model
 * @param {{ spec: Record<string, unknown>, threads: number, seconds: number }} options
 * @returns {Promise<Profile>}
 */
export async function profileOf(workload, model, { spec, threads, seconds }) {
  const share = { rows: Math.ceil(model.rows / threads), samples: Math.ceil(model.samples / threads) };
  const given = { ...spec, ...share, way: /** @type {const} */ ("embedded"), workload, threads: 1, shareOf: threads };
  /** @type {Side[]} */
  const sides = [];
  const all = (/** @type {(side: Side) => Promise<any>} */ doIt) => Promise.all(sides.map(doIt));
  try {
    while (sides.length < threads) sides.push((await Side.open(given, "")).side);
    // The first ones take memory.
    await all((side) => side.turn(0));
    await all((side) => side.turn(0));
    await all((side) => side.tell("mark"));
    await all((side) => side.turn(seconds));
    const [found] = await all((side) => side.tell("profile"));
    return { workload, model: model.name, ...partsOf(found) };
  } finally {
    for (const side of sides) await side.close();
  }
}

/**
 * Commands by part, then JavaScript, which is what they leave.
 * @param {{ units: number, ms: number, commands: CommandTime[] }} found
 */
function partsOf({ units, ms, commands }) {
  const known = Object.entries(PARTS);
  const partOf = (/** @type {string} */ command) => known.find(([, names]) => names.includes(command))?.[0] ?? OTHER;
  /** @type {Part[]} */
  const parts = [...known.map(([part]) => part), OTHER].flatMap((part) => {
    const own = commands.filter(({ command }) => partOf(command) === part);
    const seconds = own.reduce((sum, time) => sum + time.seconds, 0);
    const flops = own.reduce((sum, time) => sum + time.flops, 0);
    if (seconds === 0) return [];
    return [{ part, ms: (1000 * seconds) / units, ...(flops > 0 && { flopsPerSecond: flops / seconds }) }];
  });
  const inCommands = parts.reduce((sum, part) => sum + part.ms, 0);
  parts.push({ part: "JavaScript: programs written, tokens chosen", ms: ms / units - inCommands });
  return { ms: ms / units, parts };
}
