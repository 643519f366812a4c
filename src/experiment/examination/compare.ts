/** Two verifiers on the same programs: what a loss, or more training data, changes. */
import { estimateDifference, type Estimate, type PerTask } from "../../evaluation/statistics.ts";
import type { ExaminedPrograms, VerifierName } from "../results.ts";
import { taskIdsOf } from "./by-task.ts";
import { brierPerTask, fitScalings } from "./calibration.ts";
import { demotionPerTask, programRatio } from "./demotion.ts";
import { requireOneVerifier } from "./examine.ts";
import { publicPassing, rankingPerTask } from "./ranking.ts";

/** `after − before` on held-out programs, paired per task; `null` where no task says anything of both. */
export interface VerifierDifference {
  readonly before: VerifierName;
  readonly after: VerifierName;
  /** Seeds that have both. */
  readonly seeds: readonly number[];
  /** Ranking accuracy within tasks; positive where `after` ranks better. */
  readonly ranking: Estimate | null;
  readonly rankingAmongPublicPassing: Estimate | null;
  /** Share of deceptive programs demoted, task by task (each task the same); positive where `after` demotes more. */
  readonly demoted: Estimate | null;
  /**
   * Brier score after each verifier's own scaling, the mean of a task's programs (each task the same); negative where
   * `after` is better.
   */
  readonly brier: Estimate | null;
}

/**
 * `before` and `after`: sets of one verifier each, as for `examineVerifier`; training sets are what the scaling is fitted on.
 * @throws RangeError when the held-out programs of a seed are not the same ones in the same order.
 */
export function compareVerifiers(request: {
  readonly before: readonly ExaminedPrograms[];
  readonly after: readonly ExaminedPrograms[];
  /** Of the bootstrap. Default 0. */
  readonly seed?: number;
}): VerifierDifference {
  const { seed = 0 } = request;
  const sides = [request.before, request.after] as const;
  const [before, after] = sides.map(requireOneVerifier) as [VerifierName, VerifierName];
  const pairs = pairHeldOut(...sides);
  const [first, second] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)];
  const taskIds = taskIdsOf(first);
  const scalings = sides.map((side) => fitScalings(side.filter(({ split }) => split === "train")));
  const difference = (perTask: (seeds: readonly ExaminedPrograms[], side: 0 | 1) => PerTask): Estimate | null => {
    const [earlier, later] = [perTask(first, 0), perTask(second, 1)];
    if (!earlier.some((value, task) => value !== undefined && later[task] !== undefined)) return null;
    return estimateDifference({ before: earlier, after: later, seed });
  };
  return {
    before,
    after,
    seeds: first.map((programs) => programs.seed),
    ranking: difference((seeds) => rankingPerTask(seeds, taskIds)),
    rankingAmongPublicPassing: difference((seeds) => rankingPerTask(publicPassing(seeds), taskIds)),
    demoted: difference((seeds) => ratios(demotionPerTask(seeds, taskIds).map(programRatio))),
    brier: difference((seeds, side) => ratios(brierPerTask(seeds, taskIds, scalings[side]!))),
  };
}

/** Held-out sets that both sides have a seed of, by seed. */
function pairHeldOut(
  before: readonly ExaminedPrograms[],
  after: readonly ExaminedPrograms[],
): (readonly [ExaminedPrograms, ExaminedPrograms])[] {
  return before
    .filter(({ split }) => split === "held-out")
    .toSorted((a, b) => a.seed - b.seed)
    .flatMap((one) => {
      const other = after.find(({ split, seed }) => split === "held-out" && seed === one.seed);
      if (other === undefined) return [];
      requireSamePrograms(one, other);
      return [[one, other] as const];
    });
}

function requireSamePrograms(one: ExaminedPrograms, other: ExaminedPrograms): void {
  const same =
    one.arm === other.arm &&
    one.attempts.length === other.attempts.length &&
    one.attempts.every((attempt, index) => {
      const twin = other.attempts[index]!;
      return (["taskId", "turnIndex", "outcome", "passesPublicTests"] as const).every(
        (key) => attempt[key] === twin[key],
      );
    });
  if (!same)
    throw new RangeError(`${one.verifier} and ${other.verifier} scored different programs of seed ${one.seed}`);
}

function ratios(parts: readonly { readonly numerator: number; readonly denominator: number }[]): PerTask {
  return parts.map(({ numerator, denominator }) => (denominator === 0 ? undefined : numerator / denominator));
}
