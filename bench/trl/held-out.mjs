/** What checkpoints are worth on held-out tasks, computed by one program for those of either trainer. */
import { mapConcurrently } from "../../dist/concurrency.js";
import { auc } from "../../dist/evaluation/ranking.js";
import { createEngineGenerator, createTaskGrader, loadEmbeddedModel, renderPrompt, rollOut } from "../../dist/index.js";
import { gradeOutcomes } from "../../dist/rollout/collect.js";
import { distinctAttempts } from "../../dist/rollout/graded-trajectory.js";
import { completionDatum } from "../../dist/training/fit-generator.js";
import { scoreAll } from "../../dist/verifier/engine-verifier.js";

/** @typedef {import("../../dist/index.js").Task} Task */
/** @typedef {import("../../dist/rollout/graded-trajectory.js").GradedTrajectory} GradedTrajectory */
/** @typedef {import("../../dist/evaluation/evaluate-generator.js").TaskEvaluation} TaskEvaluation */
/** @typedef {{ task: Task, program: string, outcome: boolean }} HeldOutProgram */
/** @typedef {{ likelihoods: number[], trajectories: GradedTrajectory[] }} GeneratorMeasures by task; nats per token */

/** The programs of the base model's recorded evaluation, by task, each once. @param {readonly Task[]} tasks @param {readonly TaskEvaluation[]} records */
export function heldOutPrograms(tasks, records) {
  const byTask = new Map(records.map((record) => [record.taskId, record]));
  return tasks.map((task) => {
    const record = byTask.get(task.id);
    const trajectories = record === undefined ? [] : [record.greedy, ...Object.values(record.search)];
    return distinctAttempts(trajectories).map(({ program, outcome }) => ({ task, program, outcome }));
  });
}

/**
 * @param {string} directory
 * @param {import("../../dist/index.js").TaskSet} testSet
 * @param {import("../../dist/index.js").Grader} grader
 * @param {{ turns: number, maxTokens: number, threads: number, seed: number }} settings
 * @returns {Promise<GeneratorMeasures>}
 */
export async function measureGenerator(directory, { tasks, privateTests }, grader, settings) {
  const model = await loadEmbeddedModel({ directory, threads: settings.threads });
  const generator = createEngineGenerator(model);
  try {
    const likelihoods = await goldLikelihoods(model, tasks);
    const taskGrader = createTaskGrader({ grader, privateTests });
    const rollout = { ...settings, temperature: 0, showPublicTests: false };
    const trajectories = await mapConcurrently(tasks, { limit: 64 }, async (task) => {
      const request = { task, rolloutIndex: 0, settings: rollout, seed: settings.seed };
      const trajectory = await rollOut(request, { generator, grader: taskGrader });
      return gradeOutcomes(task, trajectory, taskGrader);
    });
    return { likelihoods, trajectories };
  } finally {
    await generator.close();
  }
}

/** Mean log-probability of the tokens of each task's gold program after its prompt. @param {import("../../dist/index.js").TrainableModel} model @param {readonly Task[]} tasks */
async function goldLikelihoods(model, tasks) {
  const data = tasks.map((task) => {
    const conversation = [
      { role: /** @type {const} */ ("user"), content: renderPrompt(task, { showPublicTests: false }) },
    ];
    const datum = completionDatum(model, { conversation, completion: (task.goldProgram ?? "").trimEnd() });
    if (datum === null) throw new Error(`${task.id} does not fit the model`);
    return datum;
  });
  const values = await model.forward(data);
  return data.map(({ weights }, index) => {
    const counted = (values[index] ?? new Float32Array()).filter((_, t) => weights[t] !== 0);
    return counted.reduce((sum, value) => sum + value, 0) / counted.length;
  });
}

/**
 * Scores by task, in the order of `programs`.
 * @param {string} directory @param {readonly (readonly HeldOutProgram[])[]} programs
 * @param {{ threads: number, showPublicTests: boolean }} settings
 */
export async function measureVerifier(directory, programs, { threads, showPublicTests }) {
  const model = await loadEmbeddedModel({ directory, threads });
  try {
    const scores = await scoreAll(model, programs.flat(), { form: "head", showPublicTests, bias: 0 });
    let next = 0;
    return programs.map((task) => task.map(({ outcome }) => ({ outcome, score: scores[next++] ?? Number.NaN })));
  } finally {
    await model.close();
  }
}

/** Share of the (right, wrong) pairs of each task that the scores order right. @param {Awaited<ReturnType<typeof measureVerifier>>} scored */
export function rankingPerTask(scored) {
  return scored.map((task) => auc(task));
}
