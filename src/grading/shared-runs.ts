/** Work that several callers want at the same time is done once; results are remembered, failures are not. */

export interface SharedRuns<T> {
  /**
   * The value for `key`, from memory, from a run in progress, or from a new run. The work is aborted only when every
   * caller waiting for it has been; a caller's own signal rejects that caller alone, with the signal's reason.
   */
  run(key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface Run<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
  settled: boolean;
}

/** @param size values remembered; the least recently used go first. */
export function createSharedRuns<T>(size: number): SharedRuns<T> {
  const runs = new Map<string, Run<T>>();

  function start(key: string, work: (signal: AbortSignal) => Promise<T>): Run<T> {
    const controller = new AbortController();
    const run: Run<T> = { promise: work(controller.signal), controller, waiting: 0, settled: false };
    run.promise.then(
      () => {
        run.settled = true;
      },
      () => {
        if (runs.get(key) === run) runs.delete(key);
      },
    );
    return run;
  }

  return {
    async run(key, work, signal) {
      signal?.throwIfAborted();
      const known = runs.get(key);
      const run = known ?? start(key, work);
      // Moved to the end: the map's order is the order of use.
      runs.delete(key);
      runs.set(key, run);
      for (const [oldKey, old] of runs) {
        if (runs.size <= size) break;
        if (old.settled) runs.delete(oldKey);
        else break;
      }
      if (run.settled || !signal) {
        // A caller without a signal never leaves, so the run is never aborted.
        run.waiting++;
        return run.promise;
      }
      run.waiting++;
      return new Promise<T>((resolve, reject) => {
        const leave = (): void => {
          run.waiting--;
          if (run.waiting === 0 && !run.settled) {
            if (runs.get(key) === run) runs.delete(key);
            run.controller.abort(signal.reason);
          }
          reject(signal.reason);
        };
        signal.addEventListener("abort", leave, { once: true });
        run.promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
      });
    },
  };
}
