/** Python's operations on small values, where JavaScript's differ. Strings are ASCII, so code units are code points. */

/** Thrown where a number leaves the range in which JavaScript's arithmetic is exact: the value is then not known. */
export class OutOfRange extends Error {}

/** Items of lists stay below this, so that sums and weighted sums of a few dozen of them are exact. */
const ITEM_LIMIT = 2 ** 40;

const OUT_OF_RANGE = new OutOfRange("outside the exact range");

/** The list with -0 made 0. @throws OutOfRange for an item of 2^40 or more. */
export function exactList(xs: readonly number[]): readonly number[] {
  return xs.map((x) => {
    if (!(Math.abs(x) < ITEM_LIMIT)) throw OUT_OF_RANGE;
    return x + 0;
  });
}

/** The number with -0 made 0. @throws OutOfRange beyond the safe integers. */
export function exact(x: number): number {
  if (!Number.isSafeInteger(x)) throw OUT_OF_RANGE;
  return x + 0;
}

/** `a // b`. */
export function floorDivide(a: number, b: number): number {
  return Math.floor(a / b);
}

/** `a % b`: the sign of `b`. */
export function modulo(a: number, b: number): number {
  return a - b * Math.floor(a / b);
}

export function sum(xs: readonly number[]): number {
  let total = 0;
  for (const x of xs) total += x;
  return total;
}

export function compareNumbers(a: number, b: number): number {
  return a - b;
}

export function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `sorted(items, key=key)`: stable, smallest key first. */
export function sortedBy<T>(items: readonly T[], key: (item: T) => number): T[] {
  return items.toSorted((a, b) => key(a) - key(b));
}

/** `sorted(items, key=key, reverse=True)`: largest key first, equal ones in their old order. */
export function sortedByDescending<T>(items: readonly T[], key: (item: T) => number): T[] {
  return items.toSorted((a, b) => key(b) - key(a));
}

/** `items[start::step]` for `start >= 0`, `step >= 1`. */
export function everyNth<T>(items: readonly T[], step: number, start = 0): T[] {
  return items.filter((_, i) => i >= start && (i - start) % step === 0);
}

/** `list(dict.fromkeys(items))`. */
export function firstCopies<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

/** `items.count(item)`. */
export function countOf<T>(items: Iterable<T>, item: T): number {
  let count = 0;
  for (const other of items) if (other === item) count++;
  return count;
}

/** `max(items, key=key, default=fallback)`: the first of the largest. */
export function maxBy<T>(items: Iterable<T>, key: (item: T) => number, fallback: T): T {
  let best = fallback;
  let bestKey = -Infinity;
  for (const item of items) {
    const itemKey = key(item);
    if (itemKey > bestKey) [best, bestKey] = [item, itemKey];
  }
  return best;
}

/** `text[::-1]`. */
export function reversedText(text: string): string {
  return [...text].toReversed().join("");
}

/** `text.swapcase()`. */
export function swapCase(text: string): string {
  return text.replace(/[a-zA-Z]/g, (c) => (c < "a" ? c.toLowerCase() : c.toUpperCase()));
}

/** `text.capitalize()`. */
export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase();
}

/** Pairs of neighbours: `zip(xs, xs[1:])`. */
export function neighbours<T>(items: readonly T[]): [T, T][] {
  return items.slice(1).map((item, i) => [items[i] as T, item]);
}
