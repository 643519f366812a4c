/** Supervised fine-tuning of a generator: the loss stands on the completion alone (step 6 of the method). */
import type { AdamWOptions, Datum, TrainableModel } from "../engine/engine.ts";
import { planBatches } from "./batches.ts";
import { FitLog } from "./fit-log.ts";
import type { GeneratorExample } from "./relabel.ts";
import { cosineSchedule } from "./schedule.ts";
import type { TrainingRequest, TrainingSummary } from "./trainer.ts";

export interface FitSettings {
  /** Peak rate. */
  readonly learningRate: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly weightDecay: number;
  /** Share of the steps spent warming up. */
  readonly warmupShare: number;
  /** A low-rank adapter to train instead of all weights. Left out or of rank 0: all weights. */
  readonly lora?: AdapterSettings;
}

export interface AdapterSettings {
  readonly rank: number;
  readonly alpha: number;
  /** Names of matrices, separated by commas, or `all-linear`. */
  readonly targets: string;
}

/** AdamW as this project uses it everywhere; only rate and decay are a choice. */
export function adamW(settings: Pick<FitSettings, "weightDecay">, learningRate: number): AdamWOptions {
  return {
    learningRate,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: settings.weightDecay,
    maxGradientNorm: 1,
  };
}

export function warmupSteps(steps: number, share: number): number {
  return Math.max(1, Math.ceil(steps * share));
}

/** Weight 1 on the completion's tokens and its end, 0 on the conversation before it. `null` if it does not fit the context. */
export function completionDatum(
  model: Pick<TrainableModel, "tokenizer" | "contextLength">,
  example: Pick<GeneratorExample, "conversation" | "completion">,
): Datum | null {
  const before = model.tokenizer.encodeChat(example.conversation, { addGenerationPrompt: true }).length;
  const answer = { role: "assistant", content: example.completion } as const;
  const tokens = model.tokenizer.encodeChat([...example.conversation, answer], { addGenerationPrompt: false });
  if (tokens.length > model.contextLength) return null;
  return { tokens, weights: new Float32Array(tokens.length).fill(1, before) };
}

/** Scales the weights so that the batch's loss is the mean over its weighted tokens. */
export function averagedOverTokens(batch: readonly Datum[]): Datum[] {
  let total = 0;
  for (const datum of batch) for (const weight of datum.weights) total += weight;
  return batch.map(({ tokens, weights }) => ({ tokens, weights: weights.map((weight) => weight / total) }));
}

export async function fitGenerator(
  model: TrainableModel,
  examples: readonly GeneratorExample[],
  settings: FitSettings,
  request: Pick<TrainingRequest, "seed" | "steps" | "signal" | "onStep" | "onPart">,
): Promise<TrainingSummary> {
  const data = examples.map((example) => completionDatum(model, example)).filter((datum) => datum !== null);
  const batches = planBatches(data, (datum) => datum.tokens.length, {
    ...settings,
    seed: request.seed,
    steps: request.steps,
  });
  const warmup = warmupSteps(batches.length, settings.warmupShare);
  const log = new FitLog(batches.length, request);
  for (const [step, batch] of batches.entries()) {
    request.signal?.throwIfAborted();
    const { loss } = await model.forwardBackward(averagedOverTokens(batch), request.signal, log.part(batch.length));
    await model.optimizerStep(adamW(settings, settings.learningRate * cosineSchedule(step, batches.length, warmup)));
    log.step(loss, batch);
  }
  return log.summary({ examples: examples.length, tooLong: examples.length - data.length });
}
