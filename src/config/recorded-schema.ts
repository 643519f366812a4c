/** The configurations of `mucode import` and `mucode fit-verifier`: programs that were recorded before. */
import { z } from "zod";
import { sandboxSchema, suiteSchema, verifierSchema, timeLimitSchema } from "./schema.ts";

const suite = suiteSchema.pick({ name: true, data: true, seed: true }).extend({
  split: z.string().min(1).default("test").describe("Split of the suite that the recorded tasks are of"),
  limit: z.int().min(1).optional().describe("Most tasks, from the start of the split; needed by mubpp"),
});

/** Everything `mucode import` takes. */
export const importSchema = z.strictObject({
  out: z.string().min(1).default("runs/import").describe("Directory of the run; an existing run is resumed"),
  file: z.string().min(1).describe("Recorded programs, one JSON object per line, plain or gzip"),
  sandbox: sandboxSchema,
  timeLimit: timeLimitSchema,
  suite: suite.prefault({}),
});

export type ImportConfiguration = z.infer<typeof importSchema>;

/** Everything `mucode fit-verifier` takes. */
export const fitVerifierSchema = z.strictObject({
  out: z.string().min(1).default("runs/verifier").describe("Directory of the run; an existing run is resumed"),
  trajectories: z.string().min(1).describe("Graded trajectories: a file that `mucode import` or a run has written"),
  baseModel: z.string().min(1).default("mubpp-base").describe("Model to start from: a built-in name or a directory"),
  heldOutShare: z.number().gt(0).lt(1).default(0.3).describe("Share of the tasks that are kept for the examination"),
  seed: z.int().min(0).max(0xffffffff).default(1).describe("Seed of the division of tasks and of the fit"),
  threads: z.int().min(1).default(2).describe("Threads to compute with"),
  suite: suite.prefault({}),
  verifier: verifierSchema.omit({ experience: true }).prefault({}),
});

export type FitVerifierConfiguration = z.infer<typeof fitVerifierSchema>;
