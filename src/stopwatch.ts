/** Busy time of a shared resource: seconds during which at least one piece of work was under way. */
export class Stopwatch {
  #running = 0;
  #startedAt = 0;
  #totalMs = 0;

  /** Counts the time until `work` settles. */
  async measure<T>(work: Promise<T>): Promise<T> {
    if (this.#running++ === 0) this.#startedAt = performance.now();
    try {
      return await work;
    } finally {
      if (--this.#running === 0) this.#totalMs += performance.now() - this.#startedAt;
    }
  }

  /** Busy seconds so far. */
  get seconds(): number {
    const current = this.#running > 0 ? performance.now() - this.#startedAt : 0;
    return (this.#totalMs + current) / 1000;
  }
}
