/** How a verifier ranks the first-turn candidates of validation tasks. */
import { loadEmbeddedModel } from "../../dist/engine/embedded/embedded-model.js";
import { auc, bestOfK, lexicographicScores } from "../../dist/evaluation/ranking.js";
import { createEngineVerifier } from "../../dist/index.js";
import { readVerifierSettings } from "../../dist/verifier/verifier-files.js";
import { showMean } from "./parts.mjs";

/**
 * @typedef {object} Candidate
 * @property {import("../../dist/index.js").Task} task
 * @property {string | null} program
 * @property {boolean} passes the public tests
 * @property {boolean} outcome
 * @property {number} score
 */

/**
 * `[taskIndex][candidateIndex]`, without scores yet.
 * @param {readonly import("../../dist/index.js").Task[]} tasks
 * @param {readonly import("../../dist/rollout/graded-trajectory.js").GradedTrajectory[]} trajectories of one turn
 * @returns {Candidate[][]}
 */
export function candidatesOf(tasks, trajectories) {
  return tasks.map((task) =>
    trajectories
      .filter(({ taskId }) => taskId === task.id)
      .map(({ turns, outcomes }) => ({
        task,
        program: turns[0]?.program ?? null,
        passes: turns[0]?.verdict === "passed",
        outcome: outcomes[0] === true,
        score: 0,
      })),
  );
}

/**
 * @param {readonly (readonly Candidate[])[]} candidates
 * @param {string} directory of the verifier's checkpoint
 */
export async function score(candidates, directory) {
  const settings = await readVerifierSettings(directory);
  const output = settings.form === "head" ? "score" : "tokens";
  const verifier = createEngineVerifier(await loadEmbeddedModel({ directory, threads: 2, output }), settings);
  const scoreOf = async (/** @type {Candidate} */ one) =>
    one.program === null ? -Infinity : verifier.score({ task: one.task, program: one.program });
  try {
    return await Promise.all(
      candidates.map((task) => Promise.all(task.map(async (one) => ({ ...one, score: await scoreOf(one) })))),
    );
  } finally {
    await verifier.close();
  }
}

/** Over tasks with right and wrong programs, distinct ones only. @param {readonly (readonly Candidate[])[]} candidates */
export function ranking(candidates) {
  return showMean(candidates.map((task) => auc([...new Map(task.map((one) => [one.program, one])).values()])));
}

/**
 * The solve rate of one turn of best-of-5 and best-of-11 under a ranking, in closed form.
 * @param {readonly (readonly Candidate[])[]} candidates
 * @param {(candidate: Candidate) => number[]} key
 */
export function bestOf(candidates, key) {
  return [5, 11].map((k) =>
    showMean(
      candidates.map((task) => {
        const ranks = lexicographicScores(task.map(key));
        return bestOfK(
          task.map(({ outcome }, index) => ({ outcome, score: ranks[index] ?? 0 })),
          k,
        );
      }),
    ),
  );
}
