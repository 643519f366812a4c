/** The configuration of `mucode eval`: one checkpoint on held-out tasks, by every protocol. */
import { z } from "zod";
import { evaluationSchema, suiteSchema } from "./schema.ts";

const suite = suiteSchema.pick({ name: true, data: true, seed: true, showPublicTests: true }).extend({
  split: z.string().min(1).default("test").describe("Split of the suite"),
  limit: z.int().min(1).default(200).describe("Most tasks, from the start of the split"),
});

/** Everything `mucode eval` takes. */
export const evalSchema = z.strictObject({
  out: z.string().min(1).default("runs/eval").describe("Directory of the run; an existing run is resumed"),
  checkpoint: z
    .string()
    .min(1)
    .default("mubpp-base")
    .describe("Generator to evaluate: a built-in name or a checkpoint's directory"),
  verifier: z
    .string()
    .min(1)
    .optional()
    .describe("Verifier's checkpoint; without one, its selection rules are left out"),
  seed: z.int().min(0).max(0xffffffff).default(1).describe("Seed of all sampling"),
  threads: z.int().min(1).default(2).describe("Threads to compute with"),
  suite: suite.prefault({}),
  evaluation: evaluationSchema.prefault({}),
});

export type EvalConfiguration = z.infer<typeof evalSchema>;
