/**
 * Whether a number of TRL's fit agrees with that of the embedded engine's fits of the same data, which differ among
 * themselves by seed (order of the batches, initial head). The 95 % interval of the difference has both parts: a
 * bootstrap over held-out tasks, paired, and Student's t for one fit against the mean of some.
 */
import { auc } from "../../dist/evaluation/ranking.js";
import { averagePerTask, estimateDifference, quantile } from "../../dist/evaluation/statistics.js";
import { createRandom, randomInteger } from "../../dist/random.js";

/** @typedef {import("../../dist/evaluation/statistics.js").PerTask} PerTask */
/** @typedef {{ name: string, unit: string, trl: number, embedded: number, bySeed: readonly number[], difference: number, low: number, high: number, agrees: boolean }} Row */
/** @typedef {readonly (readonly { score: number, outcome: boolean }[])[]} Scored */

/** 0.975 quantiles of Student's t by degrees of freedom, from 1. */
const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365];
const RESAMPLES = 2000;

/** @param {string} name @param {string} unit @param {PerTask} trl @param {readonly PerTask[]} embedded one per seed @returns {Row} */
export function compareByTask(name, unit, trl, embedded) {
  const before = averagePerTask(embedded);
  const { mean: difference, low, high } = estimateDifference({ before, after: trl });
  return row(name, unit, { trl: meanOf(trl), embedded: embedded.map(meanOf), difference, low, high });
}

/** Numbers of whole fits, such as losses: only the seeds make them differ. @param {string} name @param {string} unit @param {number} trl @param {readonly number[]} embedded @returns {Row} */
export function compareNumbers(name, unit, trl, embedded) {
  const difference = trl - meanOf(embedded);
  return row(name, unit, { trl, embedded, difference, low: difference, high: difference });
}

/** Over all programs of all tasks; tasks are resampled whole. @param {string} name @param {Scored} trl @param {readonly Scored[]} embedded @returns {Row} */
export function compareAuc(name, trl, embedded) {
  const all = trl.map((_, task) => task);
  /** @param {Scored} scored @param {readonly number[]} tasks */
  const aucOf = (scored, tasks) => auc(tasks.flatMap((task) => scored[task] ?? [])) ?? 0.5;
  /** @param {readonly number[]} tasks */
  const differenceOf = (tasks) => aucOf(trl, tasks) - meanOf(embedded.map((scored) => aucOf(scored, tasks)));
  const random = createRandom("auc");
  const draws = Float64Array.from({ length: RESAMPLES }, () =>
    differenceOf(all.map(() => randomInteger(random, all.length))),
  ).toSorted();
  return row(name, "", {
    trl: aucOf(trl, all),
    embedded: embedded.map((scored) => aucOf(scored, all)),
    difference: differenceOf(all),
    low: quantile(draws, 0.025),
    high: quantile(draws, 0.975),
  });
}

/**
 * @param {string} name @param {string} unit
 * @param {{ trl: number, embedded: readonly number[], difference: number, low: number, high: number }} found without the seeds' part
 * @returns {Row}
 */
function row(name, unit, { trl, embedded, difference, low, high }) {
  const mean = meanOf(embedded);
  const seeds = embedded.length;
  const variance = embedded.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (seeds - 1);
  const t = STUDENT[seeds - 2];
  if (t === undefined) throw new RangeError(`${seeds} seeds: take 2 to ${STUDENT.length + 1}`);
  const margin = t * Math.sqrt(variance * (1 + 1 / seeds));
  const bounds = {
    low: difference - Math.hypot(difference - low, margin),
    high: difference + Math.hypot(high - difference, margin),
  };
  return {
    name,
    unit,
    trl,
    embedded: mean,
    bySeed: embedded,
    difference,
    ...bounds,
    agrees: bounds.low <= 0 && bounds.high >= 0,
  };
}

/** @param {PerTask} values */
function meanOf(values) {
  const known = values.filter((value) => value !== undefined);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}
