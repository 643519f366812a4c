/** The configuration of `mucode pretrain`: the shape of the base model and how it is trained from scratch. */
import { z } from "zod";

const positiveInteger = z.int().min(1);
const share = z.number().min(0).max(1);

/** Llama shape. */
export const modelSchema = z.strictObject({
  vocabularySize: positiveInteger.default(900).describe("Most entries of the tokenizer"),
  hiddenSize: positiveInteger.default(128).describe("Width"),
  layers: positiveInteger.default(6).describe("Layers"),
  heads: positiveInteger.default(4).describe("Attention heads"),
  keyValueHeads: positiveInteger.default(2).describe("Key and value heads"),
  intermediateSize: positiveInteger.default(352).describe("Width of the feed-forward layers"),
  contextLength: positiveInteger.default(512).describe("Most tokens of a conversation"),
});

/** Everything `mucode pretrain` takes. */
export const pretrainSchema = z.strictObject({
  out: z.string().min(1).default("runs/pretrain").describe("Directory of the run; an existing run is resumed"),
  seed: z.int().min(0).max(0xffffffff).default(1).describe("Seed of weights, documents and shuffling"),
  threads: positiveInteger.default(2).describe("Threads to compute with"),
  steps: positiveInteger.default(4096).describe("Optimizer steps"),
  batchSize: positiveInteger.default(48).describe("Documents per step"),
  learningRate: z.number().gt(0).max(1).default(3e-3).describe("Peak learning rate"),
  warmupSteps: positiveInteger.default(150).describe("Steps spent warming up"),
  weightDecay: share.default(0.01).describe("Decoupled weight decay of AdamW"),
  showPublicTestsShare: share.default(0.1).describe("Share of the documents whose prompt shows the public test"),
  multiTurnShare: share.default(0.03).describe("Share of the documents with earlier attempts and their feedback"),
  tokenizerDocuments: positiveInteger.default(20000).describe("Documents that the tokenizer is made from"),
  validationTasks: positiveInteger.default(400).describe("Held-out tasks to report solve rates on"),
  model: modelSchema.prefault({}),
});

export type PretrainConfiguration = z.infer<typeof pretrainSchema>;
