/**
 * Which settings of the two fits work: fits generators or verifiers with other settings to what a finished
 * `mucode experiment` learned from, and looks at them on validation tasks.
 *
 *   npm run build && node bench/settings/sweep.mjs generator runs/paper-mini --seed 1
 *   npm run build && node bench/settings/sweep.mjs verifier runs/paper-mini --seed 1
 *
 * `runs/paper-mini` is the directory of the run; `--seed` one of its seeds, whose second iteration of µCode is fitted
 * again. Never looks at the test split.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadEmbeddedModel } from "../../dist/engine/embedded/embedded-model.js";
import { bestOfK, auc, lexicographicScores } from "../../dist/evaluation/ranking.js";
import { estimateMean } from "../../dist/evaluation/statistics.js";
import { renderTable } from "../../dist/evaluation/table.js";
import { collectTrajectories, createEngineVerifier, openSuite } from "../../dist/index.js";
import { createEmbeddedTrainer } from "../../dist/training/embedded-trainer.js";
import { verifierLabels, verifierPairs } from "../../dist/training/verifier-data.js";
import { trainSchema } from "../../dist/config/schema.js";
import { readVerifierSettings } from "../../dist/verifier/verifier-files.js";

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
await mkdir(values.out, { recursive: true });

/** What is varied, one setting at a time, against the defaults. */
const GENERATOR_SETTINGS = [
  {},
  { learningRate: 1.25e-4 },
  { learningRate: 2.5e-4 },
  { learningRate: 1e-3 },
  { learningRate: 2e-3 },
  { epochs: 1 },
  { epochs: 4 },
  { batchSize: 64 },
];
const VERIFIER_SETTINGS = [
  {},
  { learningRate: 1e-4 },
  { learningRate: 2e-4 },
  { learningRate: 1e-3 },
  { pairsPerTask: 3 },
  { pairsPerTask: 16 },
  { epochs: 1 },
  { epochs: 4 },
  { showPublicTests: false },
  { loss: "bce" },
  { form: "head" },
  { form: "verdict" },
];

const table = what === "generator" ? await sweepGenerator() : await sweepVerifier();
console.log(renderTable(table));

async function sweepGenerator() {
  const examples = (await readLines(join(place, "mucode/iteration-2/generator-data.jsonl"))).map((line) => ({
    taskId: line.task_id,
    turnIndex: line.turn_index,
    conversation: line.prompt,
    completion: line.completion[0].content,
    label: line.source,
  }));
  const rows = [];
  for (const [index, changes] of GENERATOR_SETTINGS.entries()) {
    const to = { directory: join(values.out, `generator-${seed}-${index}`) };
    const trainer = createEmbeddedTrainer({ threads: 2, generator: { ...generator, ...changes }, verifier });
    const started = performance.now();
    const fit = await trainer.trainGenerator(examples, { from: base, to, seed });
    const seconds = (performance.now() - started) / 1000;
    const trajectories = await rollOut(to.directory, `greedy-${seed}-${index}`, {
      rolloutsPerTask: 1,
      turns: 3,
      temperature: 0,
    });
    const solved = (turns) =>
      rate(trajectories.map(({ outcomes }) => Number(outcomes[Math.min(turns, outcomes.length) - 1])));
    rows.push([name(changes), fit.steps, fit.lastLoss.toFixed(3), solved(1), solved(3), seconds.toFixed(0)]);
    console.error(rows.at(-1).join("  "));
  }
  const columns = ["settings", "steps", "last loss", "one greedy turn, %", "three, %", "s"].map(right);
  return { columns, rows };
}

async function sweepVerifier() {
  const training = await suite.load({ split: "train", limit: 320, seed });
  const experience = [
    ...(await readLines(join(place, "base/trajectories.jsonl"))),
    ...(await readLines(join(place, "mucode/iteration-1/trajectories.jsonl"))),
  ];
  const tasks = training.tasks.filter(({ id }) => experience.some(({ taskId }) => taskId === id));
  const candidates = await rollOut(join(place, "mucode/iteration-2/generator"), `candidates-${seed}`, {
    rolloutsPerTask: 11,
    turns: 1,
  });
  const held = await suite.load(validation);
  const byTask = held.tasks.map((task) => ({
    task,
    programs: candidates
      .filter(({ taskId }) => taskId === task.id)
      .map(({ turns: [turn], outcomes: [outcome] }) => ({
        program: turn.program,
        passes: turn.verdict === "passed",
        outcome,
      })),
  }));
  const rows = [["public tests alone", "", "", "", ...bestOf(byTask, ({ passes }) => [Number(passes)]), ""]];
  for (const changes of VERIFIER_SETTINGS) {
    const settings = { ...verifier, ...changes };
    const to = { directory: join(values.out, `verifier-${seed}`) };
    const request = { tasks, experience, pairsPerTask: settings.pairsPerTask, seed };
    const data =
      settings.loss === "bce"
        ? { loss: "bce", labels: verifierLabels(request) }
        : { loss: "bradley-terry", pairs: verifierPairs(request) };
    const trainer = createEmbeddedTrainer({ threads: 2, generator, verifier: settings });
    const started = performance.now();
    const fit = await trainer.trainVerifier(data, { from: base, to, seed });
    const seconds = (performance.now() - started) / 1000;
    const scored = await score(byTask, to.directory);
    rows.push([
      name(changes),
      fit.steps,
      ranking(scored.map(({ programs }) => programs)),
      ranking(scored.map(({ programs }) => programs.filter(({ passes }) => passes))),
      ...bestOf(scored, ({ passes, score: value }) => [Number(passes), value]),
      seconds.toFixed(0),
    ]);
    console.error(rows.at(-1).join("  "));
  }
  const headers = ["settings", "steps", "ranking, %", "… public-passing", "best of 5, %", "best of 11, %", "s"];
  return { columns: headers.map(right), rows };
}

async function score(byTask, directory) {
  const settings = await readVerifierSettings(directory);
  const head = settings.form === "head" && { output: "score" };
  const opened = createEngineVerifier(await loadEmbeddedModel({ directory, threads: 2, ...head }), settings);
  try {
    return await Promise.all(
      byTask.map(async ({ task, programs }) => ({
        task,
        programs: await Promise.all(
          programs.map(async (one) => ({
            ...one,
            score: one.program === null ? -Infinity : await opened.score({ task, program: one.program }),
          })),
        ),
      })),
    );
  } finally {
    await opened.close();
  }
}

/** Mean over tasks, distinct programs only. */
function ranking(tasks) {
  const known = tasks
    .map((programs) => auc([...new Map(programs.map((one) => [one.program, one])).values()]))
    .filter((value) => value !== undefined);
  return rate(known);
}

/** One turn of best-of-k under a ranking, in closed form, k = 5 and 11. */
function bestOf(byTask, key) {
  return [5, 11].map((k) =>
    rate(
      byTask.map(({ programs }) => {
        const scores = lexicographicScores(programs.map(key));
        return bestOfK(
          programs.map(({ outcome }, index) => ({ outcome, score: scores[index] })),
          k,
        );
      }),
    ),
  );
}

async function rollOut(checkpoint, label, rollout) {
  const out = join(values.out, label);
  const { trajectories } = await collectTrajectories({
    configuration: { checkpoint, out, suite: validation, rollout },
  });
  return readLines(trajectories);
}

async function readLines(file) {
  return (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function rate(shares) {
  const { mean, low, high } = estimateMean(shares);
  return `${(100 * mean).toFixed(1)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}

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
