/** The configuration of `mucode solve`: one task, one search. */
import { z } from "zod";
import { evaluationSchema, sandboxSchema, timeLimitSchema } from "./schema.ts";
import { modelKeys, serverSchema } from "./server-schema.ts";

/** Everything `mucode solve` takes beside the task. */
export const solveSchema = z.strictObject({
  ...modelKeys,
  seed: z.int().min(0).max(0xffffffff).default(1).describe("Seed of all sampling"),
  threads: z.int().min(1).default(2).describe("Threads to compute with"),
  sandbox: sandboxSchema,
  timeLimit: timeLimitSchema,
  search: evaluationSchema
    .extend({
      maxTokens: z.int().min(1).optional().describe("Most new tokens of a candidate (default 84; for a server 2048)"),
      // The oracle is for evaluation: it looks at private tests.
      select: z
        .enum(["random", "public-tests", "verifier", "public-tests-then-verifier"])
        .optional()
        .describe("Selection rule (default public-tests-then-verifier; without a verifier public-tests)"),
      showPublicTests: z.boolean().default(true).describe("Put the public tests into the prompt"),
    })
    .prefault({}),
  server: serverSchema.prefault({}),
});

export type SolveConfiguration = z.infer<typeof solveSchema>;
