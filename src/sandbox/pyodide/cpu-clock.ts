/** How much CPU time another process has used. Wall time would depend on what else the machine is doing. */
import { readFileSync } from "node:fs";

/** CPU time used so far, milliseconds; `null` when it cannot be told any more. */
export type CpuClock = () => number | null;

/** Linux reports CPU time to user space in hundredths of a second on every architecture Node supports. */
const MS_PER_TICK = 10;

/**
 * A clock of the main thread of process `pid`: the thread that runs the program, without compiler and watchdog threads.
 * `null` where the system has no such file (everything but Linux).
 */
export function createCpuClock(pid: number): CpuClock | null {
  const path = `/proc/${pid}/task/${pid}/stat`;
  const clock: CpuClock = () => {
    try {
      // The second field is the command in parentheses and may hold spaces; user and system time are fields 14 and 15.
      const text = readFileSync(path, "latin1");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const ticks = Number(fields[11]) + Number(fields[12]);
      return Number.isFinite(ticks) ? ticks * MS_PER_TICK : null;
    } catch {
      return null;
    }
  };
  return clock() === null ? null : clock;
}
