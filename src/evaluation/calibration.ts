/** How far probabilities can be taken at their word, and how scores are made into probabilities. */
import { sigmoid, softplus } from "../verifier/losses.ts";
import type { ScoredOutcome } from "./ranking.ts";

/** A predicted chance of being right, and whether it was. */
export interface Prediction {
  /** In [0, 1]. */
  readonly probability: number;
  readonly outcome: boolean;
}

/** P(right) = σ(slope · score + intercept). */
export interface PlattScaling {
  readonly slope: number;
  readonly intercept: number;
}

/**
 * Platt scaling (Platt 1999) by Newton's method with a line search (Lin, Lin and Weng 2007). The targets are Platt's,
 * (n₊ + 1) / (n₊ + 2) for right and 1 / (n₋ + 2) for wrong, so that the optimum is finite where scores separate right
 * from wrong, and where all are one or the other. Equal scores have slope 0. `undefined` without a program.
 * @throws RangeError when a score is not finite.
 */
export function fitPlattScaling(programs: readonly ScoredOutcome[]): PlattScaling | undefined {
  if (programs.length === 0) return undefined;
  if (programs.some(({ score }) => !Number.isFinite(score))) throw new RangeError("a score is not finite");
  const right = programs.filter(({ outcome }) => outcome).length;
  const wrong = programs.length - right;
  const targets = programs.map(({ outcome }) => (outcome ? (right + 1) / (right + 2) : 1 / (wrong + 2)));
  // Standardised, because log-likelihoods are tens of nats away from 0 and Newton's equations want even scales.
  const centre = meanOf(programs.map(({ score }) => score));
  const spread = Math.sqrt(meanOf(programs.map(({ score }) => (score - centre) ** 2)));
  // Equal scores must not be told apart by the rounding of their mean.
  const scale = spread > 1e-12 * Math.max(1, Math.abs(centre)) ? spread : Infinity;
  const inputs = programs.map(({ score }) => (score - centre) / scale);
  const { slope, intercept } = minimise(inputs, targets);
  return { slope: slope / scale, intercept: intercept - (slope / scale) * centre };
}

/** The chance of being right that a scaling gives a score. */
export function scaledProbability(scaling: PlattScaling, score: number): number {
  return sigmoid(scaling.slope * score + scaling.intercept);
}

/** Mean of (probability − outcome)², the Brier score: 0 is best, 1 worst. `undefined` without predictions. */
export function brierScore(predictions: readonly Prediction[]): number | undefined {
  if (predictions.length === 0) return undefined;
  return meanOf(predictions.map(squaredError));
}

/** One prediction's part in the Brier score. */
export function squaredError({ probability, outcome }: Prediction): number {
  return (probability - Number(outcome)) ** 2;
}

/** One point of a reliability diagram. */
export interface ReliabilityBin {
  readonly count: number;
  /** Mean predicted probability. */
  readonly confidence: number;
  /** Share that is right. */
  readonly accuracy: number;
}

/**
 * Predictions in order of probability, cut into `binCount` bins of equal mass (sizes differ by one at most), lowest first;
 * empty bins are left out. Where a cut falls among equal probabilities, both sides get the share of right ones among
 * them, so that the order of the predictions changes nothing.
 * @throws RangeError unless binCount is a positive integer and every probability is in [0, 1].
 */
export function reliabilityBins(predictions: readonly Prediction[], binCount: number): ReliabilityBin[] {
  if (!Number.isInteger(binCount) || binCount < 1) {
    throw new RangeError(`binCount must be a positive integer, not ${binCount}`);
  }
  if (predictions.some(({ probability }) => !(probability >= 0 && probability <= 1))) {
    throw new RangeError("a probability is outside [0, 1]");
  }
  const sorted = withTiesShared(predictions.toSorted((a, b) => a.probability - b.probability));
  const bins: ReliabilityBin[] = [];
  for (let bin = 0; bin < binCount; bin++) {
    const members = sorted.slice(
      Math.floor((bin * sorted.length) / binCount),
      Math.floor(((bin + 1) * sorted.length) / binCount),
    );
    if (members.length === 0) continue;
    bins.push({
      count: members.length,
      confidence: meanOf(members.map(({ probability }) => probability)),
      accuracy: meanOf(members.map(({ rightShare }) => rightShare)),
    });
  }
  return bins;
}

/**
 * Expected calibration error over the bins of {@link reliabilityBins}: the mean over predictions of their bin's
 * |confidence − accuracy|. It grows with the number of bins and shrinks with the number of predictions even where all
 * is calibrated, so figures compare only at equal bins. `undefined` without predictions.
 */
export function expectedCalibrationError(predictions: readonly Prediction[], binCount: number): number | undefined {
  const bins = reliabilityBins(predictions, binCount);
  if (bins.length === 0) return undefined;
  const gaps = bins.map(({ count, confidence, accuracy }) => count * Math.abs(confidence - accuracy));
  return gaps.reduce((sum, gap) => sum + gap, 0) / predictions.length;
}

/** Each prediction with the share of right ones among those of its probability. */
function withTiesShared(sorted: readonly Prediction[]): { probability: number; rightShare: number }[] {
  const shared: { probability: number; rightShare: number }[] = [];
  for (let start = 0; start < sorted.length;) {
    const { probability } = sorted[start]!;
    let end = start;
    let right = 0;
    for (; end < sorted.length && sorted[end]!.probability === probability; end++)
      right += Number(sorted[end]!.outcome);
    for (let index = start; index < end; index++) shared.push({ probability, rightShare: right / (end - start) });
    start = end;
  }
  return shared;
}

/** The slope and intercept of least cross-entropy with soft targets; the problem is convex. */
function minimise(inputs: readonly number[], targets: readonly number[]): PlattScaling {
  const lossAt = ({ slope, intercept }: PlattScaling): number =>
    inputs.reduce((sum, x, index) => {
      const z = slope * x + intercept;
      return sum + softplus(z) - targets[index]! * z;
    }, 0);
  const share = meanOf(targets);
  let point: PlattScaling = { slope: 0, intercept: Math.log(share / (1 - share)) };
  let loss = lossAt(point);
  for (let iteration = 0; iteration < 100; iteration++) {
    const step = newtonStep(inputs, targets, point);
    if (step.decrement < 1e-16 * inputs.length) break;
    let length = 1;
    let next = point;
    let nextLoss = Infinity;
    // Armijo's rule; the decrement is the loss's directional derivative.
    for (; length > 1e-10; length /= 2) {
      next = { slope: point.slope - length * step.slope, intercept: point.intercept - length * step.intercept };
      nextLoss = lossAt(next);
      if (nextLoss <= loss - 1e-4 * length * step.decrement) break;
    }
    if (!(nextLoss < loss)) break;
    [point, loss] = [next, nextLoss];
  }
  return point;
}

/** H⁻¹g, and gᵀH⁻¹g. */
function newtonStep(
  inputs: readonly number[],
  targets: readonly number[],
  { slope, intercept }: PlattScaling,
): PlattScaling & { readonly decrement: number } {
  let [g1, g2, h11, h12, h22] = [0, 0, 1e-12, 0, 1e-12];
  for (const [index, x] of inputs.entries()) {
    const p = sigmoid(slope * x + intercept);
    const error = p - targets[index]!;
    const weight = p * (1 - p);
    g1 += error * x;
    g2 += error;
    h11 += weight * x * x;
    h12 += weight * x;
    h22 += weight;
  }
  const determinant = h11 * h22 - h12 * h12;
  const step = { slope: (h22 * g1 - h12 * g2) / determinant, intercept: (h11 * g2 - h12 * g1) / determinant };
  return { ...step, decrement: g1 * step.slope + g2 * step.intercept };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
