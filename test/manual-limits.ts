/** Limits of time that are over when a test says so, however fast the machine is. */
import type { Clock } from "../src/clock.ts";

export interface ManualLimits extends Pick<Clock, "limit"> {
  /** Ends every limit of that duration that is running; there has to be one. */
  runOut(durationMs: number): void;
  isRunning(durationMs: number): boolean;
}

export function createManualLimits(): ManualLimits {
  const running = new Set<{ readonly durationMs: number; readonly over: () => void }>();
  const ofDuration = (durationMs: number) => [...running].filter((one) => one.durationMs === durationMs);
  return {
    isRunning: (durationMs) => ofDuration(durationMs).length > 0,
    limit(durationMs, over) {
      const one = { durationMs, over };
      running.add(one);
      return () => void running.delete(one);
    },
    runOut(durationMs) {
      const ending = ofDuration(durationMs);
      if (ending.length === 0) throw new Error(`no limit of ${durationMs} ms is running`);
      for (const one of ending) {
        running.delete(one);
        one.over();
      }
    },
  };
}
