/** Cuts text where sampling would have stopped. */

/** The text before the first occurrence of any of the strings. */
export function cutAtStop(text: string, stops: readonly string[]): string {
  const ends = stops.map((stop) => text.indexOf(stop)).filter((end) => end >= 0);
  return text.slice(0, Math.min(text.length, ...ends));
}
