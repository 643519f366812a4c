/** What both sweeps need: rollouts on validation tasks, and means with their intervals. */
import { readFile } from "node:fs/promises";
import { estimateMean } from "../../dist/evaluation/statistics.js";
import { collectTrajectories } from "../../dist/index.js";

/**
 * @param {NonNullable<import("../../dist/index.js").CollectOptions["configuration"]>} configuration
 * @returns {Promise<import("../../dist/rollout/graded-trajectory.js").GradedTrajectory[]>}
 */
export async function rollOut(configuration) {
  const { trajectories } = await collectTrajectories({ configuration });
  return readLines(trajectories);
}

/** @param {string} file */
export async function readLines(file) {
  const text = await readFile(file, "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** In percent, with its 95 % interval over tasks. @param {readonly (number | undefined)[]} shares */
export function showMean(shares) {
  const { mean, low, high } = estimateMean(shares);
  return `${(100 * mean).toFixed(1)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}
