/**
 * Passes sampled tokens on to a request's listener. That one is not waited for by the thread that samples: where the
 * listener ends a sample, a few more of its tokens may be under way, which are neither told nor kept.
 */
import type { Sample, SampledToken } from "../engine.ts";

export class TokenRelay {
  readonly #onToken: (token: SampledToken) => "stop" | void;
  /** Tokens told, by sample. */
  readonly #told = new Map<number, number>();
  readonly #ended = new Set<number>();
  /** Set once the listener has thrown. */
  #isBroken = false;

  constructor(onToken: (token: SampledToken) => "stop" | void) {
    this.#onToken = onToken;
  }

  /** @throws what the listener throws; it is told nothing more then. */
  tell(token: SampledToken, endSample: (sampleIndex: number) => void): void {
    const { sampleIndex, stopReason } = token;
    if (this.#isBroken || this.#ended.has(sampleIndex)) return;
    this.#told.set(sampleIndex, (this.#told.get(sampleIndex) ?? 0) + 1);
    this.#isBroken = true;
    const stopped = this.#onToken(token) === "stop";
    this.#isBroken = false;
    if (!stopped || stopReason !== undefined) return;
    this.#ended.add(sampleIndex);
    endSample(sampleIndex);
  }

  /** The sample as the listener knows it. */
  cut(sample: Sample, sampleIndex: number): Sample {
    if (!this.#ended.has(sampleIndex)) return sample;
    const count = this.#told.get(sampleIndex)!;
    return { tokens: sample.tokens.slice(0, count), logprobs: sample.logprobs.slice(0, count), stopReason: "length" };
  }
}
