/** The configuration of `mucode collect`: graded rollouts of one model, to look at or to train on. */
import { z } from "zod";
import { rolloutSchema, sandboxSchema, suiteSchema, timeLimitSchema } from "./schema.ts";
import { modelKeys, serverSchema } from "./server-schema.ts";

const suite = suiteSchema.pick({ name: true, data: true, seed: true, showPublicTests: true }).extend({
  split: z.string().min(1).default("train").describe("Split of the suite"),
  limit: z.int().min(1).default(100).describe("Most tasks, from the start of the split"),
});

const { verifier: _verifier, ...generatorKeys } = modelKeys;

export const collectSchema = z.strictObject({
  out: z.string().min(1).default("runs/collect").describe("Directory of the run; an existing run is resumed"),
  ...generatorKeys,
  seed: z.int().min(0).max(0xffffffff).default(1).describe("Seed of all sampling"),
  threads: z.int().min(1).default(2).describe("Threads to compute with"),
  sandbox: sandboxSchema,
  timeLimit: timeLimitSchema,
  suite: suite.prefault({}),
  rollout: rolloutSchema
    .extend({
      maxTokens: z.int().min(1).optional().describe("Most new tokens of a turn (default 84; for a server 2048)"),
    })
    .prefault({}),
  server: serverSchema.prefault({}),
});

export type CollectConfiguration = z.infer<typeof collectSchema>;
