/** One verifier, all its seeds, on its training tasks and on held-out ones. */
import { estimateGap, type RatioPart } from "../../evaluation/ratio.ts";
import type { Estimate, PerTask } from "../../evaluation/statistics.ts";
import type { ExaminedPrograms, VerifierName } from "../results.ts";
import { ofTurn, taskIdsOf, turnsOf } from "./by-task.ts";
import {
  brierPerTask,
  examineCalibration,
  fitScalings,
  type CalibrationExamination,
  type Scalings,
} from "./calibration.ts";
import { examineDemotion, type Demotion } from "./demotion.ts";
import { examineRanking, publicPassing, rankingPerTask, type RankingExamination } from "./ranking.ts";

export interface ExaminationOptions {
  /**
   * Whether σ(score) claims to be the probability of being right: true of any form fitted by cross-entropy and of the
   * forms `verdict` and `head`; false of a `likelihood` fitted by comparisons, which is the probability of a text.
   */
  readonly scoresAreLogits: boolean;
  /** Of the bootstrap. Default 0. */
  readonly seed?: number;
}

/** The programs of all turns of a task are ranked together; `byTurn` ranks, calibrates and demotes within one turn. */
export interface SplitExamination {
  readonly tasks: number;
  readonly ranking: RankingExamination;
  readonly calibration: CalibrationExamination;
  readonly demotion: Demotion;
  /** Turns that have programs, ascending. */
  readonly byTurn: readonly {
    readonly turnIndex: number;
    readonly ranking: RankingExamination;
    readonly calibration: CalibrationExamination;
    readonly demotion: Demotion;
  }[];
}

/** What a verifier does better on its training tasks than on held-out ones. Positive where it over-fits. */
export interface Overfitting {
  /** Ranking accuracy within tasks, train − held-out. */
  readonly ranking: Estimate | null;
  readonly rankingAmongPublicPassing: Estimate | null;
  /**
   * Brier score after scaling, held-out − train, all seeds' programs together. The calibration error has no such
   * interval: resampling biases it upwards, and the two sets differ in size.
   */
  readonly brier: Estimate | null;
}

export interface VerifierExamination {
  readonly verifier: VerifierName;
  readonly seeds: readonly number[];
  readonly train: SplitExamination;
  readonly heldOut: SplitExamination;
  readonly overfitting: Overfitting;
}

/**
 * `examined`: of one verifier, at most one set of each seed and split. One generator's programs, then, of several.
 * @throws RangeError for sets of several verifiers, or two of the same seed and split.
 */
export function examineVerifier(
  examined: readonly ExaminedPrograms[],
  options: ExaminationOptions,
): VerifierExamination {
  const verifier = requireOneVerifier(examined);
  const seed = options.seed ?? 0;
  const train = examined.filter(({ split }) => split === "train");
  const heldOut = examined.filter(({ split }) => split === "held-out");
  const scalings = fitScalings(train);
  const settings = { scoresAreLogits: options.scoresAreLogits, scalings, seed };
  return {
    verifier,
    seeds: [...new Set(examined.map((programs) => programs.seed))].toSorted((a, b) => a - b),
    train: examineSplit(train, settings),
    heldOut: examineSplit(heldOut, settings),
    overfitting: {
      ranking: rankingGap(train, heldOut, seed),
      rankingAmongPublicPassing: rankingGap(publicPassing(train), publicPassing(heldOut), seed),
      brier: estimateGap({
        of: brierPerTask(heldOut, taskIdsOf(heldOut), scalings),
        from: brierPerTask(train, taskIdsOf(train), scalings),
        seed,
      }),
    },
  };
}

/** @throws RangeError unless all are of one verifier, and of different seeds or splits. */
export function requireOneVerifier(examined: readonly ExaminedPrograms[]): VerifierName {
  const names = new Set(examined.map(({ verifier }) => verifier));
  const [name] = names;
  if (name === undefined || names.size > 1) throw new RangeError(`programs of ${names.size} verifiers, not of one`);
  const sets = examined.map(({ seed, split }) => `${split} programs of seed ${seed}`);
  const twice = sets.find((set, index) => sets.indexOf(set) < index);
  if (twice !== undefined) throw new RangeError(`two sets of ${twice}: take one generator's programs`);
  return name;
}

interface SplitSettings {
  readonly scoresAreLogits: boolean;
  readonly scalings: Scalings;
  readonly seed: number;
}

function examineSplit(seeds: readonly ExaminedPrograms[], settings: SplitSettings): SplitExamination {
  const examine = (programs: readonly ExaminedPrograms[]) => ({
    ranking: examineRanking(programs, settings),
    calibration: examineCalibration(programs, settings),
    demotion: examineDemotion(programs, settings),
  });
  return {
    tasks: taskIdsOf(seeds).length,
    ...examine(seeds),
    byTurn: turnsOf(seeds).map((turnIndex) => ({
      turnIndex,
      ...examine(seeds.map((programs) => ofTurn(programs, turnIndex))),
    })),
  };
}

function rankingGap(
  train: readonly ExaminedPrograms[],
  heldOut: readonly ExaminedPrograms[],
  seed: number,
): Estimate | null {
  return estimateGap({
    of: meanParts(rankingPerTask(train, taskIdsOf(train))),
    from: meanParts(rankingPerTask(heldOut, taskIdsOf(heldOut))),
    seed,
  });
}

function meanParts(values: PerTask): RatioPart[] {
  return values.filter((value) => value !== undefined).map((numerator) => ({ numerator, denominator: 1 }));
}
