/** What n graded candidates of a task say about k of them, and how well scores tell right programs from wrong ones. */

/** A program that was scored and graded. */
export interface ScoredOutcome {
  /** Higher is better; ±Infinity is allowed, NaN is not. */
  readonly score: number;
  /** Whether it passes all tests. */
  readonly outcome: boolean;
}

/**
 * Unbiased pass@k (Chen et al. 2021, arXiv 2107.03374): the chance that k of the n programs, drawn without
 * replacement, hold a right one, 1 − C(n−c, k) / C(n, k). `undefined` when n < k: nothing can then be said.
 * @throws RangeError unless 0 ≤ right ≤ n and k ≥ 1, all integers.
 */
export function passAtK(counts: {
  readonly n: number;
  readonly right: number;
  readonly k: number;
}): number | undefined {
  const { n, right, k } = counts;
  if (!Number.isInteger(n) || !Number.isInteger(right) || right < 0 || right > n) {
    throw new RangeError(`${right} right of ${n}`);
  }
  requireDrawSize(k);
  return n < k ? undefined : 1 - chanceNoneAbove(n, right, k);
}

/**
 * The chance that the highest-scored of k programs, drawn without replacement from the n given, is right: best-of-k
 * for every k from one sample of n, without Monte Carlo. Equal scores are broken at random, each way equally likely.
 * `undefined` when n < k.
 * @throws RangeError when k < 1 or a score is NaN.
 */
export function bestOfK(programs: readonly ScoredOutcome[], k: number): number | undefined {
  requireDrawSize(k);
  const n = programs.length;
  if (n < k) return undefined;
  // The winner has the score of a group when none above it is drawn, but not none of it and above.
  let above = 0;
  let noneAbove = 1;
  let expected = 0;
  for (const group of groupByScore(programs)) {
    above += group.count;
    const noneUpToHere = chanceNoneAbove(n, above, k);
    expected += ((noneAbove - noneUpToHere) * group.right) / group.count;
    noneAbove = noneUpToHere;
  }
  return expected;
}

/**
 * Area under the ROC curve: the share of (right, wrong) pairs in which the right program scores higher, ties one half
 * (Mann–Whitney). `undefined` when all are right or all are wrong. @throws RangeError when a score is NaN.
 */
export function auc(programs: readonly ScoredOutcome[]): number | undefined {
  let rightAbove = 0;
  let wrongCount = 0;
  let pairsOrdered = 0;
  for (const { right, count } of groupByScore(programs)) {
    const wrong = count - right;
    pairsOrdered += wrong * (rightAbove + right / 2);
    rightAbove += right;
    wrongCount += wrong;
  }
  return rightAbove === 0 || wrongCount === 0 ? undefined : pairsOrdered / (rightAbove * wrongCount);
}

export interface RankingAccuracy {
  /** Mean over the tasks that count of the share of their (right, wrong) pairs ordered right, ties one half. */
  readonly accuracy: number;
  /** Tasks that have both a right and a wrong program; only these count, each the same. */
  readonly taskCount: number;
}

/**
 * How well scores rank within a task, which is all that choosing among candidates of one task needs.
 * `programs[taskIndex][candidateIndex]`. `undefined` when no task has both a right and a wrong program.
 */
export function rankingAccuracy(programs: readonly (readonly ScoredOutcome[])[]): RankingAccuracy | undefined {
  const perTask = programs.map(auc).filter((value) => value !== undefined);
  if (perTask.length === 0) return undefined;
  return { accuracy: perTask.reduce((sum, value) => sum + value, 0) / perTask.length, taskCount: perTask.length };
}

/**
 * One score per program that ranks by the first key, then by the second among equals, and so on; equal keys give equal
 * scores. `[passesPublicTests, verifierScore]` is the ranking of `public-tests-then-verifier`.
 * @throws RangeError when a key is NaN.
 */
export function lexicographicScores(keys: readonly (readonly number[])[]): number[] {
  if (keys.some((key) => key.some((part) => Number.isNaN(part)))) throw new RangeError("a key is NaN");
  const order = keys.map((_, index) => index).toSorted((a, b) => compareKeys(keys[a] ?? [], keys[b] ?? []));
  const scores: number[] = [];
  order.forEach((index, position) => {
    const earlier = order[position - 1];
    const level = earlier === undefined ? 0 : (scores[earlier] as number);
    const same = earlier === undefined || compareKeys(keys[earlier] ?? [], keys[index] ?? []) === 0;
    scores[index] = same ? level : level + 1;
  });
  return scores;
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (let part = 0; part < Math.max(a.length, b.length); part++) {
    const left = a[part] ?? 0;
    const right = b[part] ?? 0;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** Programs of equal score, best first. */
function groupByScore(programs: readonly ScoredOutcome[]): { right: number; count: number }[] {
  if (programs.some(({ score }) => Number.isNaN(score))) throw new RangeError("a score is NaN");
  // Not b − a: that is NaN for two equal infinities.
  const sorted = programs.toSorted((a, b) => (a.score === b.score ? 0 : a.score > b.score ? -1 : 1));
  const groups: { score: number; right: number; count: number }[] = [];
  for (const { score, outcome } of sorted) {
    let group = groups.at(-1);
    if (group === undefined || group.score !== score) groups.push((group = { score, right: 0, count: 0 }));
    group.count++;
    if (outcome) group.right++;
  }
  return groups;
}

/** C(n − above, k) / C(n, k): the chance that k drawn of n avoid `above` of them. */
function chanceNoneAbove(n: number, above: number, k: number): number {
  let chance = 1;
  for (let draw = 0; draw < k; draw++) chance *= Math.max(0, n - above - draw) / (n - draw);
  return chance;
}

function requireDrawSize(k: number): void {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`k must be a positive integer, not ${k}`);
}
