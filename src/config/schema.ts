/**
 * The configuration of `mucode train`: every key with its default, its range and one line for people. Other commands
 * are built from the same groups, so that a key means and allows the same everywhere. Nested as in a TOML file; the
 * command line spells `rollout.maxTokens` as `--rollout.max-tokens`.
 */
import { z } from "zod";
import { SCORE_FORMS } from "../verifier/score-forms.ts";
import { servingSchema } from "./serving-schema.ts";
import { trainerSchema } from "./trainer-schema.ts";

const positiveInteger = z.int().min(1);
const seed = z.int().min(0).max(0xffffffff);
const temperature = z.number().min(0).max(5);
const learningRate = z.number().gt(0).max(1);

/** Which tasks, and how many of each split. */
export const suiteSchema = z.strictObject({
  name: z.string().min(1).default("mubpp").describe("Suite of tasks; `mucode tasks` lists them"),
  data: z.string().min(1).optional().describe("File or directory with the suite's data, for suites that read one"),
  trainTasks: positiveInteger.default(320).describe("Tasks to train on"),
  testTasks: positiveInteger.default(300).describe("Held-out tasks to evaluate on"),
  seed: seed.default(0).describe("Which draw of tasks, for generated suites"),
  showPublicTests: z.boolean().default(false).describe("Put the public tests into the generator's prompt"),
});

/** How the generator tries the training tasks. */
export const rolloutSchema = z.strictObject({
  rolloutsPerTask: positiveInteger.default(4).describe("Rollouts of each training task per iteration"),
  turns: positiveInteger.default(3).describe("Most turns of a rollout"),
  temperature: temperature.default(0.7).describe("Sampling temperature; 0 is greedy"),
  maxTokens: positiveInteger.default(84).describe("Most new tokens of a turn"),
});

/** How visited states are labelled with the expert's program. */
export const relabelSchema = z.strictObject({
  rule: z
    .enum(["outcome-then-verifier", "outcome", "verifier"])
    .default("outcome-then-verifier")
    .describe("What the expert ranks a task's programs by"),
  scope: z
    .enum(["all", "last"])
    .default("all")
    .describe("Where the expert's programs come from: the rollouts of all iterations or of the last"),
  programsPerTask: positiveInteger.default(1).describe("K: each relabelled state is paired with the K best programs"),
  trajectoriesPerTask: positiveInteger.default(3).describe("Most trajectories of a task to relabel, failed ones first"),
});

/** A low-rank adapter instead of all weights; trained by the embedded engine. */
const loraSchema = z.strictObject({
  rank: z
    .int()
    .min(0)
    .max(4096)
    .default(0)
    .describe("Rank of a LoRA adapter to train instead of all weights; 0 trains the weights"),
  alpha: z.number().gt(0).default(32).describe("Scale of the adapter, which is added times alpha / rank"),
  targets: z
    .string()
    .min(1)
    .default("q_proj,v_proj")
    .describe("Matrices with an adapter, separated by commas; all seven: all-linear"),
});

const fitKeys = {
  batchSize: positiveInteger.default(16),
  epochs: positiveInteger.default(2),
  weightDecay: z.number().min(0).max(1).default(0.01).describe("Decoupled weight decay of AdamW"),
  warmupShare: z.number().min(0).max(1).default(0.05).describe("Share of the steps spent warming up"),
};

/** How the generator is fitted. */
export const generatorSchema = z.strictObject({
  startFrom: z
    .enum(["base", "previous"])
    .default("base")
    .describe("What an iteration's generator is fitted from: the base model, or the generator before it"),
  learningRate: learningRate.default(5e-4).describe("Peak learning rate of the generator"),
  ...fitKeys,
  batchSize: fitKeys.batchSize.describe("Examples per step"),
  epochs: fitKeys.epochs.describe("Passes over the relabelled examples"),
  lora: loraSchema.prefault({}),
});

/** How the verifier is fitted. */
export const verifierSchema = z.strictObject({
  loss: z
    .enum(["bradley-terry", "bce"])
    .default("bradley-terry")
    .describe("Compare right with wrong programs (bradley-terry), or tell them apart one by one (bce)"),
  form: z
    .enum(SCORE_FORMS)
    .default("likelihood")
    .describe("What a score is: a program's log-likelihood, the margin of a yes over a no, or a head's number"),
  experience: z
    .enum(["all", "base"])
    .default("all")
    .describe("Whose programs it learns from: those of all iterations so far, or the base model's alone"),
  learningRate: learningRate.default(5e-4).describe("Peak learning rate of the verifier"),
  ...fitKeys,
  batchSize: fitKeys.batchSize.describe("Pairs per step"),
  epochs: fitKeys.epochs.describe("Passes over the pairs"),
  pairsPerTask: positiveInteger.default(8).describe("Most pairs of a right and a wrong program per task"),
  scoreRegularization: z.number().min(0).default(1e-3).describe("Weight of the mean squared score (bradley-terry)"),
  showPublicTests: z.boolean().default(true).describe("Put the public tests into the verifier's prompt"),
  lora: loraSchema.prefault({}),
});

/** Multi-turn best-of-N search on the test tasks. */
export const evaluationSchema = z.strictObject({
  candidates: positiveInteger.default(5).describe("Candidates per turn of best-of-N search"),
  turns: positiveInteger.default(3).describe("Most turns of a search"),
  temperature: temperature.default(0.7).describe("Sampling temperature of the candidates"),
  maxTokens: positiveInteger.default(84).describe("Most new tokens of a candidate"),
});

/** Where programs run: for every command that grades. */
export const sandboxSchema = z
  .enum(["auto", "native", "pyodide"])
  .default("auto")
  .describe("Where Python programs run: auto takes native where it can isolate them, pyodide elsewhere");

/** Beside the sandbox, for every command that grades. */
export const timeLimitSchema = z
  .number()
  .gt(0)
  .max(3600)
  .optional()
  .describe("Seconds of CPU time for a run of a program, in the place of the tasks' own limits (default 3)");

/** Everything `mucode train` takes. */
export const trainSchema = z.strictObject({
  out: z.string().min(1).default("runs/train").describe("Directory of the run; an existing run is resumed"),
  baseModel: z
    .string()
    .min(1)
    .default("mubpp-base")
    .describe("Model to start from: a built-in name, a directory, or a name on the hub for other trainers"),
  baseRevision: z.string().min(1).optional().describe("Branch, tag or commit of a base model on the hub"),
  baseParameters: z.number().min(1).optional().describe("Parameters of a base model on the hub, for --dry-run"),
  method: z
    .enum(["mucode", "rft"])
    .default("mucode")
    .describe("mucode relabels with a learned verifier; rft imitates successful rollouts alone"),
  baseline: z.boolean().default(true).describe("With mucode: train RFT too, for the comparison"),
  iterations: positiveInteger.default(2).describe("Iterations of expert iteration"),
  seed: seed.default(1).describe("Seed of all sampling and shuffling"),
  threads: positiveInteger.default(2).describe("Threads to compute with"),
  prompt: z
    .enum(["terse", "instruct"])
    .default("terse")
    .describe("Words around a task: terse for mucode's own models, instruct for chat models"),
  sandbox: sandboxSchema,
  timeLimit: timeLimitSchema,
  suite: suiteSchema
    .extend({
      heldOutShare: z
        .number()
        .gt(0)
        .lt(1)
        .default(0.3)
        .describe("Share of your own tasks (jsonl) that are held out, where their file names no splits"),
    })
    .prefault({}),
  rollout: rolloutSchema.prefault({}),
  relabel: relabelSchema.prefault({}),
  generator: generatorSchema.prefault({}),
  verifier: verifierSchema.prefault({}),
  evaluation: evaluationSchema
    .extend({
      suites: z
        .string()
        .optional()
        .describe("Further suites to evaluate on, separated by commas; `tasks pull` gets them"),
    })
    .prefault({}),
  trainer: trainerSchema.prefault({}),
  serving: servingSchema.prefault({}),
});

export type TrainConfiguration = z.infer<typeof trainSchema>;

/**
 * Keys and groups that say where and how fast but not what: a run may be resumed under other values of these, on another
 * machine, with more GPUs, or with arguments that keep a server from running out of memory.
 */
const resumableKeys: readonly string[] = [
  "out",
  "threads",
  "baseParameters",
  "serving",
  ...["python", "launcher", "processes", "device", "directory", "environment", "silenceLimit", "timeLimit"].map(
    (key) => `trainer.${key}`,
  ),
  "trainer.generator.perDeviceBatchSize",
  "trainer.verifier.perDeviceBatchSize",
];

/** What must be equal for a run to be resumed; goes into `run.json`. Of an adapter that is not trained nothing matters. */
export function comparableConfiguration<T extends object>(configuration: T): Omit<T, "out" | "threads"> {
  return withoutResumable(configuration) as Omit<T, "out" | "threads">;
}

function withoutResumable(group: object, prefix = ""): object {
  const entries = Object.entries(group)
    .filter(([key, value]) => !resumableKeys.includes(`${prefix}${key}`) && !isNoAdapter(key, value))
    .map(([key, value]: [string, unknown]) => [
      key,
      isGroup(value) ? withoutResumable(value, `${prefix}${key}.`) : value,
    ]);
  return Object.fromEntries(entries) as object;
}

const isNoAdapter = (key: string, value: unknown): boolean =>
  key === "lora" && (value as z.infer<typeof loraSchema>).rank === 0;

const isGroup = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
