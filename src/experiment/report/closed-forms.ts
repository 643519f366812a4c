/**
 * What N first-turn candidates of each task say about k of them, exactly: pass@k, and the solve rate of one turn of
 * best-of-k under a ranking.
 */
import { bestOfK, lexicographicScores, passAtK } from "../../evaluation/ranking.ts";
import type { Estimate } from "../../evaluation/statistics.ts";
import type { ArmName, ExperimentResults, FirstCandidate, FirstCandidates, VerifierName } from "../results.ts";
import { ARMS, VERIFIER_LABELS } from "./names.ts";
import { estimateOverSeeds, isKnown } from "./solve-rates.ts";

export type Ranking = "pass@k" | "public-tests" | "verifier" | "public-tests-then-verifier";

export interface ClosedForm {
  readonly arm: ArmName;
  readonly showPublicTests: boolean;
  /** `pass@k` is the bound that an oracle would reach. */
  readonly ranking: Ranking;
  /** `null` for rankings without scores. */
  readonly verifier: VerifierName | null;
  readonly points: readonly { readonly k: number; readonly solved: Estimate }[];
}

const LARGEST_K = 11;
/** Hundreds of intervals that nothing is decided by. */
const RESAMPLES = 2000;

export function computeClosedForms(results: ExperimentResults): ClosedForm[] {
  const verifiers = Object.keys(VERIFIER_LABELS) as VerifierName[];
  const rankings: readonly (readonly [Ranking, VerifierName | null])[] = [
    ["pass@k", null],
    ["public-tests", null],
    ...verifiers.map((verifier) => ["verifier", verifier] as const),
    ...verifiers.map((verifier) => ["public-tests-then-verifier", verifier] as const),
  ];
  return ARMS.flatMap((arm) =>
    [false, true].flatMap((showPublicTests) => {
      const samples = results.firstCandidates.filter(
        (one) => one.arm === arm && one.showPublicTests === showPublicTests,
      );
      return rankings.flatMap(([ranking, verifier]): ClosedForm[] => {
        const points = closedForm(samples, ranking, verifier);
        return points.length === 0 ? [] : [{ arm, showPublicTests, ranking, verifier, points }];
      });
    }),
  );
}

function closedForm(
  samples: readonly FirstCandidates[],
  ranking: Ranking,
  verifier: VerifierName | null,
): ClosedForm["points"] {
  const ranked = samples.map(({ seed, candidates }) => ({
    seed,
    tasks: candidates.map((task) => (task === null ? undefined : rank(task, ranking, verifier))),
  }));
  return Array.from({ length: LARGEST_K }, (_, index) => index + 1).flatMap((k) => {
    const runs = ranked.map(({ seed, tasks }) => ({ seed, solved: tasks.map((solvedBy) => solvedBy?.(k)) }));
    return isKnown(runs) ? [{ k, solved: estimateOverSeeds(runs, { resamples: RESAMPLES }) }] : [];
  });
}

/** The chance to solve with k of the candidates; `undefined` where they have no scores of that verifier. */
function rank(
  candidates: readonly FirstCandidate[],
  ranking: Ranking,
  verifier: VerifierName | null,
): ((k: number) => number | undefined) | undefined {
  if (ranking === "pass@k") {
    const right = candidates.filter(({ outcome }) => outcome).length;
    return (k) => passAtK({ n: candidates.length, right, k });
  }
  const usesTests = ranking !== "verifier";
  if (verifier !== null && candidates.some(({ scores }) => scores[verifier] === undefined)) return undefined;
  const scores = lexicographicScores(
    candidates.map((candidate) => [
      ...(usesTests ? [Number(candidate.passesPublicTests)] : []),
      // No program, no score: below every other.
      ...(verifier === null ? [] : [candidate.scores[verifier] ?? -Infinity]),
    ]),
  );
  const programs = candidates.map(({ outcome }, index) => ({ outcome, score: scores[index] as number }));
  return (k) => bestOfK(programs, k);
}
