/** Whether processes compute at this moment: what tests wait for before they disturb them. */
import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { until } from "./until.ts";

/** Clock ticks (10 ms) that are no chance: a process that merely waits does not take them. */
const TICKS = 3;

/**
 * Resolves once the processes, or others that they have started, have computed for a while. Where the system shows no
 * /proc: after some turns of the event loop, by which what was asked of them is on its way. Also resolves when `work`
 * is settled: it may be done before it can be seen.
 */
export async function untilComputing(pids: () => readonly number[], work?: Promise<unknown>): Promise<void> {
  let least = ticksOf(pids());
  if (least === undefined) {
    for (let turn = 0; turn < 100; turn++) await setImmediate();
    return;
  }
  let settled = false;
  const settle = (): void => void (settled = true);
  work?.then(settle, settle);
  await until(() => {
    const now = ticksOf(pids()) ?? Infinity;
    least = Math.min(least!, now);
    return settled || (now !== Infinity && now >= least + TICKS);
  });
}

/** `undefined` where it cannot be read. */
function ticksOf(pids: readonly number[]): number | undefined {
  const ticks = pids.map((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean);
      const [own, system, ended, endedSystem] = stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ")
        .slice(11, 15);
      const living = ticksOf(children.map(Number)) ?? 0;
      return Number(own) + Number(system) + Number(ended) + Number(endedSystem) + living;
    } catch {
      return undefined;
    }
  });
  return ticks.every((one) => one === undefined) ? undefined : ticks.reduce<number>((sum, one) => sum + (one ?? 0), 0);
}
