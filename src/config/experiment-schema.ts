/** The configuration of `mucode experiment paper-mini`. What arms differ in is theirs; the rest is the same for all. */
import { z } from "zod";
import {
  evaluationSchema,
  generatorSchema,
  relabelSchema,
  rolloutSchema,
  sandboxSchema,
  trainSchema,
  verifierSchema,
} from "./schema.ts";

const positiveInteger = z.int().min(1);

/** What `--quick` makes smaller, nothing else: a key that is given keeps its value. */
export const EXPERIMENT_SIZES = {
  full: { seeds: 4, trainTasks: 320, testTasks: 300 },
  quick: { seeds: 2, trainTasks: 48, testTasks: 60 },
} as const;

const { full, quick } = EXPERIMENT_SIZES;
const sized = (what: string, key: keyof typeof full) =>
  positiveInteger.optional().describe(`${what} (default ${full[key]}; with quick ${quick[key]})`);

/** Everything `mucode experiment paper-mini` takes. */
export const experimentSchema = z.strictObject({
  out: z.string().min(1).default("runs/paper-mini").describe("Directory of the run; an existing run is resumed"),
  baseModel: trainSchema.shape.baseModel,
  quick: z.boolean().default(false).describe("The same experiment with fewer seeds and tasks, in minutes"),
  seeds: sized("Seeds: each draws its own training tasks and samples; a run goes on with more", "seeds"),
  evaluationSplit: z
    .enum(["test", "validation"])
    .default("test")
    .describe("Held-out tasks to evaluate on; settings are chosen on validation alone"),
  threads: trainSchema.shape.threads,
  sandbox: sandboxSchema,
  suite: z
    .strictObject({
      trainTasks: sized("Tasks of mubpp to train on, per seed", "trainTasks"),
      testTasks: sized("Held-out tasks of mubpp to evaluate on, the same for every seed", "testTasks"),
    })
    .prefault({}),
  rollout: rolloutSchema.prefault({}),
  relabel: relabelSchema.omit({ rule: true }).prefault({}),
  generator: generatorSchema.prefault({}),
  verifier: verifierSchema.omit({ loss: true, experience: true }).prefault({}),
  evaluation: evaluationSchema
    .extend({
      longTurns: positiveInteger.default(6).describe("Most turns of a search where the number of turns is examined"),
      mostCandidates: positiveInteger.default(11).describe("Most candidates where their number is examined"),
    })
    .prefault({}),
});

export type ExperimentConfiguration = z.infer<typeof experimentSchema>;
