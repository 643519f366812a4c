/** Wall time for a program that does compute, in wall time limits. */
const PATIENCE = 4;

/**
 * Whether the clock on the wall stops a program: `limitMs` is there for one that waits. One that has computed for a
 * twentieth of the time is not asleep but starved, because others keep the cores busy, and has four times as long.
 * `cpuMs` is `null` where CPU time cannot be read. The native sandbox has the same rule.
 */
export function isOverWallLimit(passedMs: number, limitMs: number, cpuMs: number | null): boolean {
  const isStarved = cpuMs !== null && cpuMs * 20 > passedMs;
  return passedMs > limitMs * (isStarved ? PATIENCE : 1);
}
