/** How one of a turn's N candidates is chosen. */
import { allSettled } from "../concurrency.ts";

/** What a rule may look at. Each look is asked for only when the rule needs it, as it may cost a run of the program. */
export interface CandidateView {
  /** Whether it passes the public tests. */
  passesPublicTests(): Promise<boolean>;
  /** The verifier's score: a logit, higher is better; −∞ for a candidate without a program. */
  score(): Promise<number>;
  /** Whether it passes all tests. For the `oracle` bound alone. */
  outcome(): Promise<boolean>;
}

export type SelectionRule = "random" | "public-tests" | "verifier" | "public-tests-then-verifier" | "oracle";

/** Returns the index of the chosen candidate; ties go to the lowest index. `candidates` is never empty. */
type Select = (candidates: readonly CandidateView[]) => Promise<number>;

/** The table of `docs/method.md`. */
export const SELECTION_RULES = {
  /** Candidates are exchangeable draws, so the first is a random one. */
  random: async () => 0,

  "public-tests": async (candidates) => {
    const passing = await passingIndices(candidates);
    return passing[0] ?? 0;
  },

  verifier: async (candidates) => highestScore(candidates, allIndices(candidates)),

  "public-tests-then-verifier": async (candidates) => {
    const passing = await passingIndices(candidates);
    return highestScore(candidates, passing.length > 0 ? passing : allIndices(candidates));
  },

  /** A right one if there is any, otherwise one that at least passes the public tests. */
  oracle: async (candidates) => {
    const outcomes = await allSettled(candidates.map((candidate) => candidate.outcome()));
    const right = outcomes.indexOf(true);
    if (right >= 0) return right;
    const passing = await passingIndices(candidates);
    return passing[0] ?? 0;
  },
} satisfies Record<SelectionRule, Select>;

/** The rules that need a verifier. */
export const VERIFIER_RULES: readonly SelectionRule[] = ["verifier", "public-tests-then-verifier"];

function allIndices(candidates: readonly CandidateView[]): number[] {
  return candidates.map((_, index) => index);
}

async function passingIndices(candidates: readonly CandidateView[]): Promise<number[]> {
  const passes = await allSettled(candidates.map((candidate) => candidate.passesPublicTests()));
  return allIndices(candidates).filter((index) => passes[index]);
}

async function highestScore(candidates: readonly CandidateView[], indices: readonly number[]): Promise<number> {
  const scores = await allSettled(indices.map((index) => candidates[index]!.score()));
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  return indices[best]!;
}
