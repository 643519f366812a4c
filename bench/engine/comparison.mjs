// A workload of one model on all sides: the same answers first, then turns.
import { isOwn, Side, SideError } from "./side.mjs";

/** @typedef {import("./side.mjs").Way} Way */
/** @typedef {import("./side.mjs").Task} Task what every side is given */
/**
 * @typedef {object} Pace
 * @property {number} rounds
 * @property {number} seconds of one turn
 */
/**
 * @typedef {object} Measured
 * @property {Way} way
 * @property {number[]} rates units per second of each turn
 * @property {number} median
 * @property {number} peakBytes
 * @property {number} [latestMs] what a timer of 10 ms in the same process was late by at most
 * @property {number} [difference] greatest difference of its answers from the embedded engine's
 */

/** @typedef {{ values: number[], tokens?: number[] }} Answers tokens where the side chose them itself */

/** Two sides do not compute the same: their speeds are not to be compared. */
export class Disagreement extends Error {}

/** Most that two sides' answers (losses, log-probabilities in nats) may differ. */
export const TOLERANCE = 1e-3;
/** Optimizer steps whose losses are compared. */
const CHECKED_STEPS = 4;

/**
 * Opens a side per way, compares what they answer, and lets them take turns: A B C, A B C, … A way that cannot run (no
 * compiler for `torch.compile`, no such kernels) is left out and told in `failed`, but not the first.
 * @param {object} options
 * @param {readonly Way[]} options.ways the embedded engine's first
 * @param {Task} options.spec
 * @param {string} options.python
 * @param {Pace} options.pace
 * @param {(text: string) => void} options.note
 * @returns {Promise<{ measured: Measured[], failed: { way: Way, reason: string }[], versions: Record<string, string> }>}
 * @throws {Disagreement} when the answers differ
 */
export async function compare({ ways, spec, python, pace, note }) {
  /** @type {{ side: Side, rates: number[], difference?: number }[]} */
  const opened = [];
  /** @type {{ way: Way, reason: string }[]} */
  const failed = [];
  /** @type {Record<string, string>} */
  const versions = {};
  try {
    /** @type {Answers | undefined} */
    let expected;
    for (const way of ways) {
      try {
        note(`${spec.workload}: ${way} gets ready`);
        const { side, version } = await Side.open({ ...spec, way }, python);
        const entry = { side, rates: [] };
        opened.push(entry);
        versions[isOwn(way) ? "node" : "torch"] = version;
        const given = { steps: CHECKED_STEPS, tokens: expected?.tokens };
        const answers = await side.check(given);
        if (expected === undefined) expected = answers;
        else {
          const count = comparable(answers, expected);
          const difference = agreed(way, answers.values.slice(0, count), expected.values.slice(0, count));
          Object.assign(entry, { difference });
        }
        await side.turn(0);
      } catch (error) {
        if (way === "embedded" || !(error instanceof SideError)) throw error;
        failed.push({ way, reason: error.message });
        note(`left out: ${error.message}`);
        const broken = opened.findIndex(({ side }) => side.way === way);
        if (broken >= 0) await opened.splice(broken, 1)[0]?.side.close();
      }
    }
    for (let round = 0; round < pace.rounds; round++) {
      for (const { side, rates } of opened) rates.push(await side.turn(pace.seconds));
    }
    /** @type {Measured[]} */
    const measured = [];
    for (const { side, rates, difference } of opened) {
      const known = difference === undefined ? {} : { difference };
      measured.push({ way: side.way, rates, median: median(rates), ...(await side.burden()), ...known });
    }
    return { measured, failed, versions };
  } finally {
    for (const { side } of opened) await side.close();
  }
}

/**
 * How many values are to be the same: two ways of the engine each decode the likeliest tokens, and where two are equally
 * likely, up to rounding, they may go on differently.
 * @param {Answers} answers @param {Answers} expected
 */
function comparable({ tokens, values }, expected) {
  const parting = tokens?.findIndex((token, i) => token !== expected.tokens?.[i]) ?? -1;
  return parting < 0 ? Math.max(values.length, expected.values.length) : parting + 1;
}

/**
 * The greatest difference. @throws {Disagreement} when it is too great, or the answers are not as many
 * @param {string} way @param {readonly number[]} values @param {readonly number[]} expected
 */
export function agreed(way, values, expected) {
  if (values.length === 0 || values.length !== expected.length)
    throw new Disagreement(`${way} answers ${values.length} values, the embedded engine ${expected.length}`);
  const difference = values.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(expected[i]))), 0);
  if (!(difference <= TOLERANCE)) {
    const apart = `${difference} apart, at most ${TOLERANCE} expected`;
    throw new Disagreement(`${way} and the embedded engine do not compute the same: ${apart}`);
  }
  return difference;
}

/**
 * Every product on every side, turn by turn.
 * @param {object} options
 * @param {readonly Way[]} options.ways
 * @param {Task} options.spec
 * @param {readonly import("./models.mjs").Product[]} options.products
 * @param {string} options.python
 * @param {Pace} options.pace
 * @param {(text: string) => void} options.note
 * @returns {Promise<{ name: string, rates: Partial<Record<Way, number>> }[]>} floating-point operations per second, medians
 */
export async function compareProducts({ ways, spec, products, python, pace, note }) {
  /** @type {Side[]} */
  const sides = [];
  try {
    for (const way of ways) sides.push((await Side.open({ ...spec, products, way }, python)).side);
    const rows = [];
    for (const [item, { name }] of products.entries()) {
      note(`products: ${name}`);
      /** @type {Map<Way, number[]>} */
      const rates = new Map();
      for (const side of sides) {
        await side.turn(0, item);
        rates.set(side.way, []);
      }
      for (let round = 0; round < pace.rounds; round++) {
        for (const side of sides) rates.get(side.way)?.push(await side.turn(pace.seconds, item));
      }
      rows.push({ name, rates: Object.fromEntries([...rates].map(([way, list]) => [way, median(list)])) });
    }
    return rows;
  } finally {
    for (const side of sides) await side.close();
  }
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return ((sorted[middle] ?? Number.NaN) + (sorted[sorted.length - 1 - middle] ?? Number.NaN)) / 2;
}
