/**
 * The same data fitted by the embedded engine and by TRL: as runs fit it, each with its own order of the batches, and
 * once more with the same batches in the same order, the same start and the same learning rates, where nothing but
 * rounding may tell the two apart.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { loadEmbeddedModel } from "../../dist/index.js";
import { readJsonl } from "../../dist/store/jsonl.js";
import { createCommandTrainer } from "../../dist/training-command/command-trainer.js";
import { planBatches } from "../../dist/training/batches.js";
import { createEmbeddedTrainer } from "../../dist/training/embedded-trainer.js";
import { completionDatum } from "../../dist/training/fit-generator.js";
import { scoreData } from "../../dist/verifier/score-forms.js";

/** @typedef {import("../../dist/config/schema.js").TrainConfiguration} TrainConfiguration */
/** @typedef {import("../../dist/training/relabel.js").GeneratorExample} GeneratorExample */
/** @typedef {import("../../dist/training/verifier-data.js").VerifierPair} VerifierPair */
/** @typedef {import("../../dist/training/trainer.js").Trainer} Trainer */
/** @typedef {Pick<Trainer, "trainGenerator" | "trainVerifier">} Training */
/** @typedef {{ configuration: TrainConfiguration, base: string, examples: GeneratorExample[], pairs: VerifierPair[] }} RunData */
/** @typedef {{ directory: string, losses: number[], lastLoss: number, steps: number, seconds: number }} Fit */

/**
 * What the first iteration of a run learned from, as it recorded it.
 * @param {string} run @param {string} base directory of the base model
 * @param {readonly import("../../dist/index.js").Task[]} tasks
 * @returns {Promise<RunData>}
 */
export async function readRunData(run, base, tasks) {
  const { configuration } = JSON.parse(await readFile(join(run, "report.json"), "utf8"));
  const place = join(run, "mucode/iteration-1");
  const byId = new Map(tasks.map((task) => [task.id, task]));
  /** @type {import("../../dist/training/data-sets.js").PromptCompletion[]} */
  const generatorData = await readJsonl(join(place, "generator-data.jsonl"));
  /** @type {import("../../dist/training/data-sets.js").Preference[]} */
  const verifierData = await readJsonl(join(place, "verifier-data.jsonl"));
  const examples = generatorData.map(({ task_id: taskId, turn_index: turnIndex, prompt, completion, source }) => ({
    taskId,
    turnIndex,
    conversation: prompt,
    completion: completion[0]?.content ?? "",
    label: source,
  }));
  const pairs = verifierData.map(({ task_id: id, chosen, rejected }) => {
    const task = byId.get(id);
    if (task === undefined) throw new Error(`${run}: ${id} is no training task of this check`);
    return { task, right: chosen[0]?.content ?? "", wrong: rejected[0]?.content ?? "" };
  });
  return { configuration, base, examples, pairs };
}

/** The embedded engine's fit of a run's data, as `mucode train` would make it. @param {RunData} data @param {number} seed @param {string} to */
export function fitGeneratorHere({ configuration, base, examples }, seed, to) {
  return fitOnce(to, [configuration.generator, seed, examples], (request) =>
    createEmbeddedTrainer(configuration).trainGenerator(examples, { from: { directory: base }, seed, ...request }),
  );
}

/** @param {RunData} data @param {number} seed @param {string} from a reward model @param {string} to */
export function fitVerifierHere({ configuration, pairs }, seed, from, to) {
  return fitOnce(to, [configuration.verifier, seed, from, pairs], (request) =>
    createEmbeddedTrainer(configuration).trainVerifier(
      { loss: "bradley-terry", pairs },
      { from: { directory: from }, seed, ...request },
    ),
  );
}

/** Batches are told to TRL by the order of its lines. */
const IN_ORDER = "--train_sampling_strategy sequential";

/**
 * Warm-up over all steps: TRL's learning rate is one step further along the cosine that follows, and equal before it.
 * Scores are not regularized: TRL regularizes the sum of a pair's.
 * @param {TrainConfiguration} configuration
 */
function comparableSettings({ generator, verifier }) {
  return {
    generator: { ...generator, warmupShare: 1 },
    verifier: { ...verifier, warmupShare: 1, scoreRegularization: 0 },
  };
}

/**
 * The generator fitted twice on the same batches; `trl[i]` is with `processes[i]`.
 * @param {RunData} data @param {string} place @param {readonly number[]} processes
 * @returns {Promise<{ embedded: Fit, trl: Fit[] }>}
 */
export async function fitGeneratorInStep({ configuration, base, examples }, place, processes) {
  const settings = comparableSettings(configuration);
  const { seed } = configuration;
  const model = await loadEmbeddedModel({ directory: base, threads: configuration.threads });
  const measured = examples.map((example) => ({ example, length: completionDatum(model, example)?.tokens.length }));
  await model.close();
  const { kept, ordered } = inBatches(measured, settings.generator, seed);
  const from = { directory: base };
  const embedded = await fitOnce(join(place, "embedded"), [settings, kept], (request) =>
    createEmbeddedTrainer({ ...configuration, ...settings }).trainGenerator(kept, { from, seed, ...request }),
  );
  const trl = await forEachOf(processes, (count) =>
    fitOnce(join(place, `trl-${count}`), [settings, kept], (request) =>
      orderedTrl(configuration, settings, count).trainGenerator(ordered, { from, seed, ...request }),
    ),
  );
  return { embedded, trl };
}

/**
 * @param {RunData} data @param {string} start a reward model @param {string} place @param {readonly number[]} processes
 * @returns {Promise<{ embedded: Fit, trl: Fit[] }>}
 */
export async function fitVerifierInStep({ configuration, pairs }, start, place, processes) {
  const settings = comparableSettings(configuration);
  const { seed } = configuration;
  const model = await loadEmbeddedModel({ directory: start, threads: configuration.threads });
  const measured = pairs.map((example) => {
    const { task, right, wrong } = example;
    const lengths = [right, wrong].map(
      (program) => scoreData({ task, program }, model, settings.verifier)?.[0]?.tokens.length,
    );
    return { example, length: lengths.includes(undefined) ? undefined : Math.max(...lengths.map(Number)) };
  });
  await model.close();
  const { kept, ordered } = inBatches(measured, settings.verifier, seed);
  const from = { directory: start };
  /** @param {VerifierPair[]} some */
  const dataOf = (some) => ({ loss: /** @type {const} */ ("bradley-terry"), pairs: some });
  const embedded = await fitOnce(join(place, "embedded"), [settings, kept], (request) =>
    createEmbeddedTrainer({ ...configuration, ...settings }).trainVerifier(dataOf(kept), { from, seed, ...request }),
  );
  const trl = await forEachOf(processes, (count) =>
    fitOnce(join(place, `trl-${count}`), [settings, kept], (request) =>
      orderedTrl(configuration, settings, count).trainVerifier(dataOf(ordered), { from, seed, ...request }),
    ),
  );
  return { embedded, trl };
}

/**
 * As many examples as make full batches only, and the order in which the embedded engine reads them.
 * @template T
 * @param {readonly { example: T, length: number | undefined }[]} measured `undefined`: does not fit the model
 * @param {{ batchSize: number, epochs: number }} settings @param {number} seed
 */
function inBatches(measured, settings, seed) {
  const fitting = measured.filter(({ length }) => length !== undefined);
  const full = fitting.slice(0, fitting.length - (fitting.length % settings.batchSize));
  if (full.length === 0) throw new Error(`${fitting.length} examples make no batch of ${settings.batchSize}`);
  const batches = planBatches(full, ({ length }) => length ?? 0, { ...settings, seed });
  return { kept: full.map(({ example }) => example), ordered: batches.flat().map(({ example }) => example) };
}

/**
 * @param {TrainConfiguration} configuration @param {ReturnType<typeof comparableSettings>} settings @param {number} processes
 * @returns {Training}
 */
function orderedTrl({ trainer, verifier }, settings, processes) {
  return createCommandTrainer({
    trainer: {
      ...trainer,
      processes,
      generator: { ...trainer.generator, arguments: IN_ORDER },
      verifier: { ...trainer.verifier, arguments: IN_ORDER },
    },
    // The epochs are in the order already.
    generator: { ...settings.generator, epochs: 1 },
    verifier: { ...settings.verifier, epochs: 1 },
    verifierLoss: verifier.loss,
  });
}

/**
 * Fits unless an earlier attempt has, on equal data.
 * @param {string} directory @param {unknown} inputs
 * @param {(request: { to: { directory: string }, onStep: (step: { loss: number }) => void }) => Promise<import("../../dist/training/trainer.js").TrainingSummary>} fit
 * @returns {Promise<Fit>}
 */
async function fitOnce(directory, inputs, fit) {
  const file = `${directory}.json`;
  const key = JSON.stringify(inputs);
  const earlier = await readFile(file, "utf8").then(JSON.parse, () => undefined);
  if (earlier?.key === key) return earlier.fit;
  await mkdir(dirname(directory), { recursive: true });
  await rm(directory, { recursive: true, force: true });
  const started = performance.now();
  /** @type {number[]} */
  const losses = [];
  const { steps, lastLoss } = await fit({ to: { directory }, onStep: ({ loss }) => losses.push(loss) });
  const seconds = (performance.now() - started) / 1000;
  const result = { directory, losses, lastLoss: lastLoss ?? Number.NaN, steps, seconds };
  await writeFile(file, JSON.stringify({ key, fit: result }));
  console.error(`${directory}: ${steps} steps in ${seconds.toFixed(0)} s, loss ${result.lastLoss.toFixed(4)}`);
  return result;
}

/**
 * One after the other.
 * @template T, R
 * @param {readonly T[]} items @param {(item: T) => Promise<R>} work
 */
async function forEachOf(items, work) {
  /** @type {R[]} */
  const results = [];
  for (const item of items) results.push(await work(item));
  return results;
}
