/**
 * Which settings of the two fits work: fits generators or verifiers with other settings to what a finished
 * `mucode experiment paper-mini` learned from, and looks at them on validation tasks, never on the test split.
 *
 *   npm run build && node bench/settings/sweep.mjs generator runs/paper-mini --seed 1
 *   npm run build && node bench/settings/sweep.mjs verifier runs/paper-mini --seed 1
 *
 * `runs/paper-mini` is the directory of the run; `--seed` one of its seeds, whose second iteration of µCode is fitted
 * again.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { trainSchema } from "../../dist/config/schema.js";
import { renderTable } from "../../dist/evaluation/table.js";
import { openSuite } from "../../dist/index.js";
import { createEmbeddedTrainer } from "../../dist/training/embedded-trainer.js";
import { verifierLabels, verifierPairs } from "../../dist/training/verifier-data.js";
import { readLines, rollOut, showMean } from "./parts.mjs";
import { bestOf, candidatesOf, ranking, score } from "./verifier-parts.mjs";

/** @typedef {import("../../dist/config/schema.js").TrainConfiguration} TrainConfiguration */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    tasks: { type: "string", default: "400" },
    out: { type: "string", default: "runs/settings" },
  },
});
const [what, run] = positionals;
if ((what !== "generator" && what !== "verifier") || run === undefined) {
  console.error("usage: node bench/settings/sweep.mjs generator|verifier RUN [--seed N] [--tasks N] [--out DIR]");
  process.exit(2);
}
const seed = Number(values.seed);
const place = join(run, `seed-${seed}`);
const base = { directory: new URL("../../models/mubpp-base", import.meta.url).pathname };
const { generator, verifier } = trainSchema.parse({});
const suite = openSuite({ name: "mubpp" });
const validation = { split: "validation", limit: Number(values.tasks), seed: 0 };

/** What is varied, one setting at a time, against the defaults. @type {Partial<TrainConfiguration["generator"]>[]} */
const GENERATOR_SETTINGS = [
  {},
  { learningRate: 1.25e-4 },
  { learningRate: 2e-3 },
  { epochs: 1 },
  { epochs: 4 },
  { batchSize: 64 },
];
/** @type {Partial<TrainConfiguration["verifier"]>[]} */
const VERIFIER_SETTINGS = [
  {},
  { learningRate: 2e-4 },
  { learningRate: 1e-3 },
  { pairsPerTask: 3 },
  { pairsPerTask: 16 },
  { epochs: 4 },
  { showPublicTests: false },
  { loss: "bce" },
  { form: "head" },
  { form: "verdict" },
];

if (what === "generator") await sweepGenerator();
else await sweepVerifier();

async function sweepGenerator() {
  /** @type {import("../../dist/training/data-sets.js").PromptCompletion[]} */
  const lines = await readLines(join(place, "mucode/iteration-2/generator-data.jsonl"));
  const examples = lines.map(({ task_id: taskId, turn_index: turnIndex, prompt, completion, source }) => ({
    taskId,
    turnIndex,
    conversation: prompt,
    completion: completion.map(({ content }) => content).join(""),
    label: source,
  }));
  const rows = [];
  for (const [index, changes] of GENERATOR_SETTINGS.entries()) {
    const to = { directory: join(values.out, `generator-${seed}-${index}`) };
    const trainer = createEmbeddedTrainer({ threads: 2, generator: { ...generator, ...changes }, verifier });
    const started = performance.now();
    const fit = await trainer.trainGenerator(examples, { from: base, to, seed });
    const seconds = (performance.now() - started) / 1000;
    const trajectories = await rollOut({
      checkpoint: to.directory,
      out: join(values.out, `greedy-${seed}-${index}`),
      suite: validation,
      rollout: { rolloutsPerTask: 1, turns: 3, temperature: 0 },
    });
    const solved = (/** @type {number} */ turns) =>
      showMean(trajectories.map(({ outcomes }) => Number(outcomes[Math.min(turns, outcomes.length) - 1])));
    rows.push([name(changes), fit.steps, fit.lastLoss?.toFixed(3), solved(1), solved(3), seconds.toFixed(0)]);
    console.error(`${index + 1} of ${GENERATOR_SETTINGS.length}: ${name(changes)}`);
  }
  const headers = ["settings", "steps", "last loss", "one greedy turn, %", "three, %", "s"];
  console.log(renderTable({ columns: headers.map(right), rows }));
}

async function sweepVerifier() {
  const training = await suite.load({ split: "train", limit: 320, seed });
  /** @type {import("../../dist/rollout/graded-trajectory.js").GradedTrajectory[]} */
  const experience = [
    ...(await readLines(join(place, "base/trajectories.jsonl"))),
    ...(await readLines(join(place, "mucode/iteration-1/trajectories.jsonl"))),
  ];
  const tried = new Set(experience.map(({ taskId }) => taskId));
  const tasks = training.tasks.filter(({ id }) => tried.has(id));
  const trajectories = await rollOut({
    checkpoint: join(place, "mucode/iteration-2/generator"),
    out: join(values.out, `candidates-${seed}`),
    suite: validation,
    rollout: { rolloutsPerTask: 11, turns: 1 },
  });
  const candidates = candidatesOf((await suite.load(validation)).tasks, trajectories);
  const tests = bestOf(candidates, ({ passes }) => [Number(passes)]);
  /** @type {(string | number | undefined)[][]} */
  const rows = [["public tests alone", undefined, undefined, undefined, ...tests, undefined]];
  for (const [index, changes] of VERIFIER_SETTINGS.entries()) {
    const settings = { ...verifier, ...changes };
    const to = { directory: join(values.out, `verifier-${seed}`) };
    const request = { tasks, experience, pairsPerTask: settings.pairsPerTask, seed };
    /** @type {import("../../dist/training/trainer.js").VerifierData} */
    const data =
      settings.loss === "bce"
        ? { loss: "bce", labels: verifierLabels(request) }
        : { loss: "bradley-terry", pairs: verifierPairs(request) };
    const trainer = createEmbeddedTrainer({ threads: 2, generator, verifier: settings });
    const started = performance.now();
    const fit = await trainer.trainVerifier(data, { from: base, to, seed });
    const seconds = (performance.now() - started) / 1000;
    const scored = await score(candidates, to.directory);
    rows.push([
      name(changes),
      fit.steps,
      ranking(scored),
      ranking(scored.map((programs) => programs.filter(({ passes }) => passes))),
      ...bestOf(scored, ({ passes, score: value }) => [Number(passes), value]),
      seconds.toFixed(0),
    ]);
    console.error(`${index + 1} of ${VERIFIER_SETTINGS.length}: ${name(changes)}`);
  }
  const headers = ["settings", "steps", "ranking, %", "… public-passing", "best of 5, %", "best of 11, %", "s"];
  console.log(renderTable({ columns: headers.map(right), rows }));
}

/** @param {object} changes */
function name(changes) {
  const entries = Object.entries(changes);
  return entries.length === 0 ? "the defaults" : entries.map(([key, value]) => `${key} ${value}`).join(", ");
}

/**
 * @param {string} header
 * @param {number} index
 * @returns {import("../../dist/evaluation/table.js").TableColumn}
 */
function right(header, index) {
  return { header, align: index === 0 ? "left" : "right" };
}
