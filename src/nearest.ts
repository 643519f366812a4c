/** What somebody who mistyped a word most likely meant. */

/**
 * The candidate with the fewest edits from `word` (insertions, deletions, substitutions, swaps of neighbours; case and
 * the difference between `-`, `_` and nothing are free), if those are few for its length; the first among equals.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Infinity;
  for (const candidate of candidates) {
    const a = normalize(word);
    const b = normalize(candidate);
    const edits = editDistance(a, b);
    if (edits < fewest && edits <= Math.max(1, Math.floor(Math.max(a.length, b.length) * 0.34))) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

function normalize(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, "");
}

/** Optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j] as number, (beforeLast[j - 2] as number) + 1);
      }
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] as number;
}
