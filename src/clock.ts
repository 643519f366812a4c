/** Time and chance: tests put others in their place, run an hour of waiting in a moment, and end a limit when they choose. */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Rejects with the signal's reason when it is aborted first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls `over` once when `durationMs` have passed, unless what it returns is called before. */
  limit(durationMs: number, over: () => void): () => void;
  /** Uniform in [0, 1); spreads waits, touches no result. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (durationMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, durationMs);
      signal?.addEventListener("abort", stop, { once: true });
    }),
  limit(durationMs, over) {
    const timer = setTimeout(over, durationMs);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** Waits for nothing: what follows a replayed answer was waited for when it was recorded. */
export const replayClock: Clock = {
  ...systemClock,
  sleep: async (_durationMs, signal) => signal?.throwIfAborted(),
};
