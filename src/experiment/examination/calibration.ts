/** Whether a verifier's scores can be read as probabilities of being right, as they are and after Platt scaling. */
import {
  brierScore,
  expectedCalibrationError,
  fitPlattScaling,
  reliabilityBins,
  scaledProbability,
  squaredError,
  type PlattScaling,
  type Prediction,
  type ReliabilityBin,
} from "../../evaluation/calibration.ts";
import type { RatioPart } from "../../evaluation/ratio.ts";
import { sigmoid } from "../../verifier/losses.ts";
import type { ExaminedAttempt, ExaminedPrograms } from "../results.ts";
import { valuesPerTask } from "./by-task.ts";

/** Bins of equal mass of every calibration error and reliability diagram here. */
export const CALIBRATION_BINS = 10;

export interface Calibration {
  /** Expected calibration error over {@link CALIBRATION_BINS} bins of each seed's programs; the mean over seeds. */
  readonly expectedCalibrationError: number;
  /** Over each seed's programs; the mean over seeds. */
  readonly brier: number;
  /** Reliability diagram of the programs of all seeds together. */
  readonly bins: readonly ReliabilityBin[];
}

export interface CalibrationExamination {
  /** σ(score) taken as a probability; `null` where scores are not logits of being right. */
  readonly before: Calibration | null;
  /** After scaling; `null` without training programs to fit it on, or without programs to examine. */
  readonly after: Calibration | null;
  /** Brier score of always predicting the share of right programs of the seed and this set: what knowing nothing costs. */
  readonly brierOfBaseRate: number | null;
}

/** `scalings.get(seed)`: fitted on the programs of the verifier's training tasks, never on held-out ones. */
export type Scalings = ReadonlyMap<number, PlattScaling>;

export function fitScalings(train: readonly ExaminedPrograms[]): Scalings {
  return new Map(
    train.flatMap(({ seed, attempts }) => {
      const scaling = fitPlattScaling(attempts);
      return scaling ? [[seed, scaling] as const] : [];
    }),
  );
}

export function examineCalibration(
  seeds: readonly ExaminedPrograms[],
  options: { readonly scalings: Scalings; readonly scoresAreLogits: boolean },
): CalibrationExamination {
  const known = seeds.filter(({ attempts }) => attempts.length > 0);
  const predict = (probabilityOf: (score: number, seed: number) => number | undefined): Prediction[][] =>
    known.flatMap(({ seed, attempts }) => {
      const predictions = attempts.flatMap(({ score, outcome }) => {
        const probability = probabilityOf(score, seed);
        return probability === undefined ? [] : [{ probability, outcome }];
      });
      return predictions.length > 0 ? [predictions] : [];
    });
  const { scalings } = options;
  const baseRates = known.map(({ attempts }) => {
    const share = attempts.filter(({ outcome }) => outcome).length / attempts.length;
    return share * (1 - share);
  });
  return {
    before: options.scoresAreLogits ? calibrationOf(predict(sigmoid)) : null,
    after: calibrationOf(
      predict((score, seed) => {
        const scaling = scalings.get(seed);
        return scaling && scaledProbability(scaling, score);
      }),
    ),
    brierOfBaseRate: baseRates.length === 0 ? null : meanOf(baseRates),
  };
}

/** A task's part in the Brier score after scaling, all seeds together: squared errors over programs. */
export function brierPerTask(
  seeds: readonly ExaminedPrograms[],
  taskIds: readonly string[],
  scalings: Scalings,
): RatioPart[] {
  const bySeed = seeds.map((programs) => {
    const scaling = scalings.get(programs.seed);
    return valuesPerTask([programs], taskIds, (attempts) => scaling && errorsOf(attempts, scaling))[0]!;
  });
  return taskIds.map((_, task) => ({
    numerator: bySeed.reduce((sum, parts) => sum + (parts[task]?.numerator ?? 0), 0),
    denominator: bySeed.reduce((sum, parts) => sum + (parts[task]?.denominator ?? 0), 0),
  }));
}

function errorsOf(attempts: readonly ExaminedAttempt[], scaling: PlattScaling): RatioPart {
  const errors = attempts.map(({ score, outcome }) =>
    squaredError({ probability: scaledProbability(scaling, score), outcome }),
  );
  return { numerator: errors.reduce((sum, error) => sum + error, 0), denominator: errors.length };
}

function calibrationOf(bySeed: readonly (readonly Prediction[])[]): Calibration | null {
  if (bySeed.length === 0) return null;
  return {
    expectedCalibrationError: meanOf(bySeed.map((seed) => expectedCalibrationError(seed, CALIBRATION_BINS)!)),
    brier: meanOf(bySeed.map((seed) => brierScore(seed)!)),
    bins: reliabilityBins(bySeed.flat(), CALIBRATION_BINS),
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
