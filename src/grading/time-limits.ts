/**
 * How much CPU time one run of a program may take. The base limit is meant for a run of a few calls; it grows with the
 * number of calls and with the size of what they are given, and where a right program's own time is known, ten times that
 * is allowed however long it is.
 */

/** What the program is given in one run. */
export interface RunLoad {
  readonly calls: readonly string[];
  readonly stdin?: string;
}

/** Calls that the base limit is meant for. */
const CALLS = 50;
/** Characters of calls and standard input that the base limit is meant for. */
const CHARACTERS = 100_000;
/** Most times the base limit, whatever a run is given. */
const MOST = 10;

/** How much longer than the gold program a program may take. */
const GOLD_FACTOR = 10;
/** A gold program is trusted to end; this only keeps a broken one from running for ever. Milliseconds. */
export const MAX_CPU_TIME_MS = 120_000;

/** How many times the base limit a run is allowed: from 1 to 10. */
export function weightOf({ calls, stdin = "" }: RunLoad): number {
  const characters = calls.reduce((sum, call) => sum + call.length, stdin.length);
  return Math.min(MOST, Math.max(1, calls.length / CALLS, characters / CHARACTERS));
}

/** What a gold program's time allows, milliseconds; 0 where it says nothing. */
export function goldLimit(goldTimeMs: number | null): number {
  return Math.min(MAX_CPU_TIME_MS, Math.ceil(GOLD_FACTOR * (goldTimeMs ?? 0)));
}

/** The CPU limit of a run, milliseconds, given the base limit and the longest run of the gold program. */
export function cpuLimit(baseMs: number, load: RunLoad, goldTimeMs: number | null): number {
  return Math.max(Math.ceil(baseMs * weightOf(load)), goldLimit(goldTimeMs));
}
