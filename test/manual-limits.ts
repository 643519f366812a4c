/** Limits of time that are over when a test says so, however fast the machine is. */
import type { Clock } from "../src/clock.ts";

export interface ManualLimits extends Pick<Clock, "limit"> {
  /** Ends every limit of that duration that is running; there has to be one. */
  runOut(durationMs: number): void;
}

export function createManualLimits(): ManualLimits {
  const running = new Set<{ readonly durationMs: number; readonly over: () => void }>();
  return {
    limit(durationMs, over) {
      const one = { durationMs, over };
      running.add(one);
      return () => void running.delete(one);
    },
    runOut(durationMs) {
      const ending = [...running].filter((one) => one.durationMs === durationMs);
      if (ending.length === 0) throw new Error(`no limit of ${durationMs} ms is running`);
      for (const one of ending) {
        running.delete(one);
        one.over();
      }
    },
  };
}
