/** The configuration of `mucode eval`: one model on held-out tasks, by every protocol. */
import { z } from "zod";
import { evaluationSchema, sandboxSchema, suiteSchema, timeLimitSchema } from "./schema.ts";
import { modelKeys, serverSchema } from "./server-schema.ts";

const suite = suiteSchema.pick({ name: true, data: true, seed: true, showPublicTests: true }).extend({
  split: z.string().min(1).default("test").describe("Split of the suite"),
  limit: z.int().min(1).default(200).describe("Most tasks, from the start of the split"),
});

/** Everything `mucode eval` takes. */
export const evalSchema = z.strictObject({
  out: z.string().min(1).default("runs/eval").describe("Directory of the run; an existing run is resumed"),
  ...modelKeys,
  rules: z
    .string()
    .min(1)
    .default("all")
    .describe("Selection rules, separated by commas; all leaves out those whose verifier is missing"),
  seed: z.int().min(0).max(0xffffffff).default(1).describe("Seed of all sampling"),
  threads: z.int().min(1).default(2).describe("Threads to compute with"),
  sandbox: sandboxSchema,
  timeLimit: timeLimitSchema,
  suite: suite.prefault({}),
  evaluation: evaluationSchema
    .extend({
      maxTokens: z.int().min(1).optional().describe("Most new tokens of a candidate (default 84; for a server 2048)"),
    })
    .prefault({}),
  server: serverSchema.prefault({}),
});

export type EvalConfiguration = z.infer<typeof evalSchema>;
