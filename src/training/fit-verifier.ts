/**
 * Fits a verifier in the `likelihood` form: forward gives the scores, the loss gives ∂C/∂z in closed form, and
 * forwardBackward with w = −∂C/∂z on each program token gives the gradient (the engine's loss is Σ w·(−log p)).
 */
import type { Datum, TrainableModel } from "../engine/engine.ts";
import type { PromptOptions } from "../tasks/prompt.ts";
import { likelihoodDatum, likelihoodScore } from "../verifier/likelihood.ts";
import { binaryCrossEntropyLoss, bradleyTerryLoss, fitBias } from "../verifier/losses.ts";
import { planBatches } from "./batches.ts";
import type { FitSettings } from "./fit-generator.ts";
import { adamW, warmupSteps } from "./fit-generator.ts";
import { FitLog } from "./fit-log.ts";
import { cosineSchedule } from "./schedule.ts";
import type { TrainingRequest, TrainingSummary, VerifierData } from "./trainer.ts";

export interface VerifierFitSettings extends FitSettings, PromptOptions {
  /** Weight of mean(z²) in the Bradley-Terry loss. */
  readonly scoreRegularization: number;
}

export interface VerifierFit {
  readonly summary: TrainingSummary;
  /** Added to scores so that 0 separates right from wrong. */
  readonly bias: number;
}

/** One example: the programs whose scores its loss compares. Bradley-Terry: [right, wrong]; cross-entropy: one program. */
interface Comparison {
  readonly data: readonly Datum[];
  readonly labels: readonly boolean[];
}

export async function fitVerifier(
  model: TrainableModel,
  data: VerifierData,
  settings: VerifierFitSettings,
  request: Pick<TrainingRequest, "seed" | "signal" | "onStep">,
): Promise<VerifierFit> {
  const all = comparisons(model, data, settings);
  const readable = all.filter((comparison) => comparison !== null);
  const batches = planBatches(readable, comparisonLength, { ...settings, seed: request.seed });
  const warmup = warmupSteps(batches.length, settings.warmupShare);
  const log = new FitLog(batches.length, request.onStep);
  // The origin of the scores is fitted to the untrained model first, so that cross-entropy starts from ranking.
  let bias = data.loss === "bce" ? await fitBiasTo(model, readable) : 0;
  for (const [step, batch] of batches.entries()) {
    request.signal?.throwIfAborted();
    const rate = settings.learningRate * cosineSchedule(step, batches.length, warmup);
    const sequences = programsOf(batch);
    const scores = await scoresOf(model, sequences, request.signal);
    const { loss, gradient } =
      data.loss === "bradley-terry"
        ? bradleyTerryLoss(scores, settings.scoreRegularization)
        : binaryCrossEntropyLoss(scores, labelsOf(batch), bias);
    const weighted = sequences.map(({ tokens, weights }, index) => ({
      tokens,
      weights: weights.map((weight) => -weight * gradient[index]!),
    }));
    await model.forwardBackward(weighted, request.signal);
    await model.optimizerStep(adamW(settings, rate));
    log.step(loss, sequences);
  }
  bias = await fitBiasTo(model, readable);
  return { summary: log.summary({ examples: all.length, tooLong: all.length - readable.length }), bias };
}

function comparisons(model: TrainableModel, data: VerifierData, options: PromptOptions): (Comparison | null)[] {
  if (data.loss === "bradley-terry") {
    return data.pairs.map(({ task, right, wrong }) => {
      const first = likelihoodDatum({ task, program: right }, model, options);
      const second = likelihoodDatum({ task, program: wrong }, model, options);
      return first && second && { data: [first, second], labels: [true, false] };
    });
  }
  return data.labels.map(({ task, program, outcome }) => {
    const datum = likelihoodDatum({ task, program }, model, options);
    return datum && { data: [datum], labels: [outcome] };
  });
}

function comparisonLength(comparison: Comparison): number {
  return Math.max(...comparison.data.map((datum) => datum.tokens.length));
}

/** [first of each…, second of each…]: the order that {@link bradleyTerryLoss} wants. */
function programsOf(batch: readonly Comparison[]): Datum[] {
  const width = batch[0]?.data.length ?? 0;
  return Array.from({ length: width }, (_, side) => batch.map(({ data }) => data[side]!)).flat();
}

function labelsOf(batch: readonly Comparison[]): boolean[] {
  const width = batch[0]?.data.length ?? 0;
  return Array.from({ length: width }, (_, side) => batch.map(({ labels }) => labels[side]!)).flat();
}

async function scoresOf(model: TrainableModel, data: readonly Datum[], signal?: AbortSignal): Promise<number[]> {
  const logprobs = await model.forward(data, signal);
  return data.map((datum, index) => likelihoodScore(datum, logprobs[index]!));
}

async function fitBiasTo(model: TrainableModel, batch: readonly Comparison[]): Promise<number> {
  if (batch.length === 0) return 0;
  return fitBias(await scoresOf(model, programsOf(batch)), labelsOf(batch));
}
