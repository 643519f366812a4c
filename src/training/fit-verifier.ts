/**
 * Fits a verifier: forward gives the scores, the loss gives ∂C/∂z in closed form, and forwardBackward with every weight
 * of a score's sequences times −∂C/∂z gives the gradient (the engine's loss is Σ w · (−value)).
 */
import type { Datum, TrainableModel } from "../engine/engine.ts";
import type { PromptOptions } from "../tasks/prompt.ts";
import { binaryCrossEntropyLoss, bradleyTerryLoss, fitBias } from "../verifier/losses.ts";
import { scoreData, scoreOf, type ScoreForm } from "../verifier/score-forms.ts";
import { planBatches } from "./batches.ts";
import type { FitSettings } from "./fit-generator.ts";
import { adamW, warmupSteps } from "./fit-generator.ts";
import { FitLog } from "./fit-log.ts";
import { cosineSchedule } from "./schedule.ts";
import type { TrainingRequest, TrainingSummary, VerifierData } from "./trainer.ts";

export interface VerifierFitSettings extends FitSettings, PromptOptions {
  readonly form: ScoreForm;
  /** Weight of mean(z²) in the Bradley-Terry loss. */
  readonly scoreRegularization: number;
}

export interface VerifierFit {
  readonly summary: TrainingSummary;
  /** Added to scores so that 0 separates right from wrong. */
  readonly bias: number;
}

/** Of a step: scores take one forward pass, the gradient another one and a backward pass of about two. */
const FORWARD_SHARE = 1 / 4;

/** One example: the programs whose scores its loss compares. Bradley-Terry: [right, wrong]; cross-entropy: one program. */
interface Comparison {
  /** `programs[i]`: the sequences of one program's score. */
  readonly programs: readonly (readonly Datum[])[];
  readonly labels: readonly boolean[];
}

export async function fitVerifier(
  model: TrainableModel,
  data: VerifierData,
  settings: VerifierFitSettings,
  request: Pick<TrainingRequest, "seed" | "steps" | "signal" | "onStep" | "onPart">,
): Promise<VerifierFit> {
  const all = comparisons(model, data, settings);
  const readable = all.filter((comparison) => comparison !== null);
  const batches = planBatches(readable, comparisonLength, {
    ...settings,
    seed: request.seed,
    steps: request.steps,
  });
  const warmup = warmupSteps(batches.length, settings.warmupShare);
  const log = new FitLog(batches.length, request);
  // The origin of the scores is fitted to the untrained model first, so that cross-entropy starts from ranking.
  let bias = data.loss === "bce" ? await fitBiasTo(model, readable) : 0;
  for (const [step, batch] of batches.entries()) {
    request.signal?.throwIfAborted();
    const rate = settings.learningRate * cosineSchedule(step, batches.length, warmup);
    const programs = programsOf(batch);
    const count = programs.flat().length;
    const scores = await scoresOf(model, programs, request.signal, log.part(count, { to: FORWARD_SHARE }));
    const { loss, gradient } =
      data.loss === "bradley-terry"
        ? bradleyTerryLoss(scores, settings.scoreRegularization)
        : binaryCrossEntropyLoss(scores, labelsOf(batch), bias);
    const weighted = programs.flatMap((sequences, index) =>
      sequences.map(({ tokens, weights }) => ({
        tokens,
        weights: weights.map((weight) => -weight * gradient[index]!),
      })),
    );
    await model.forwardBackward(weighted, request.signal, log.part(count, { from: FORWARD_SHARE }));
    await model.optimizerStep(adamW(settings, rate));
    log.step(loss, programs.flat());
  }
  bias = await fitBiasTo(model, readable);
  return { summary: log.summary({ examples: all.length, tooLong: all.length - readable.length }), bias };
}

function comparisons(model: TrainableModel, data: VerifierData, options: VerifierFitSettings): (Comparison | null)[] {
  if (data.loss === "bradley-terry") {
    return data.pairs.map(({ task, right, wrong }) => {
      const first = scoreData({ task, program: right }, model, options);
      const second = scoreData({ task, program: wrong }, model, options);
      return first && second && { programs: [first, second], labels: [true, false] };
    });
  }
  return data.labels.map(({ task, program, outcome }) => {
    const sequences = scoreData({ task, program }, model, options);
    return sequences && { programs: [sequences], labels: [outcome] };
  });
}

function comparisonLength(comparison: Comparison): number {
  return Math.max(...comparison.programs.flat().map(({ tokens }) => tokens.length));
}

/** [first of each…, second of each…]: the order that {@link bradleyTerryLoss} wants. */
function programsOf(batch: readonly Comparison[]): (readonly Datum[])[] {
  const width = batch[0]?.programs.length ?? 0;
  return Array.from({ length: width }, (_, side) => batch.map(({ programs }) => programs[side]!)).flat();
}

function labelsOf(batch: readonly Comparison[]): boolean[] {
  const width = batch[0]?.programs.length ?? 0;
  return Array.from({ length: width }, (_, side) => batch.map(({ labels }) => labels[side]!)).flat();
}

async function scoresOf(
  model: TrainableModel,
  programs: readonly (readonly Datum[])[],
  signal?: AbortSignal,
  onSequences?: (count: number) => void,
): Promise<number[]> {
  const values = await model.forward(programs.flat(), signal, onSequences);
  let next = 0;
  return programs.map((sequences) => scoreOf(sequences, values.slice(next, (next += sequences.length))));
}

async function fitBiasTo(model: TrainableModel, batch: readonly Comparison[]): Promise<number> {
  if (batch.length === 0) return 0;
  return fitBias(await scoresOf(model, programsOf(batch)), labelsOf(batch));
}
