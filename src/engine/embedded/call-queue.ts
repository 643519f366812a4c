/**
 * Calls take effect in the order made. Sample requests that follow one another, or that come in while others are being
 * sampled, are computed together; every other call waits for all before it and is computed alone.
 */
import type { PendingRequest } from "./sampler.ts";

type Call = { readonly sample: PendingRequest } | { readonly alone: () => Promise<void> };

export class CallQueue {
  readonly #calls: Call[] = [];
  readonly #sampleAll: (takeNext: () => PendingRequest | undefined) => Promise<void>;
  #draining = false;

  /** `sampleAll` must answer every request it takes and never reject. */
  constructor(sampleAll: (takeNext: () => PendingRequest | undefined) => Promise<void>) {
    this.#sampleAll = sampleAll;
  }

  sample(request: PendingRequest): void {
    this.#push({ sample: request });
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#push({ alone: () => work().then(resolve, reject) });
    });
  }

  #push(call: Call): void {
    this.#calls.push(call);
    if (!this.#draining) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    // Calls made in the same turn of the event loop come in before the first batch is formed.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#calls.length > 0) {
      const first = this.#calls[0]!;
      if ("alone" in first) {
        this.#calls.shift();
        await first.alone();
      } else {
        await this.#sampleAll(() => this.#takeSample());
      }
    }
    this.#draining = false;
  }

  #takeSample(): PendingRequest | undefined {
    const first = this.#calls[0];
    if (first === undefined || !("sample" in first)) return undefined;
    this.#calls.shift();
    return first.sample;
  }
}
