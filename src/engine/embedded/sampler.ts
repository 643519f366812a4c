/**
 * Continuous batching: the samples of all waiting requests share the rows of one decode step; a row that has ended is
 * given to the next sample at once. What a sample becomes depends on the weights, its prompt and its seed alone.
 */
import type { Sample, SampledToken, SampleRequest } from "../engine.ts";
import { createRandom, type Random } from "../../random.ts";
import { drawFromLikeliest, likeliest } from "./likeliest-tokens.ts";
import { MOST_SEQUENCES, type DecodedSequence, type Decoder, type PrefilledPrompt } from "./decoder.ts";
import type { LlamaConfig } from "./llama-parameters.ts";

/** A request under way. */
export interface PendingRequest {
  readonly request: SampleRequest;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (samples: Sample[]) => void;
  readonly reject: (reason: unknown) => void;
}

interface ActiveRequest extends PendingRequest {
  readonly samples: Sample[];
  left: number;
  /** Set once it was rejected: its rows are dropped. */
  cancelled: boolean;
}

interface Sequence {
  readonly owner: ActiveRequest;
  readonly decoded: DecodedSequence;
  readonly sampleIndex: number;
  readonly random: Random;
  readonly most: number;
  readonly tokens: number[];
  readonly logprobs: number[];
}

/** A request whose prompt is prefilled, and how many of its samples have been started. */
interface PreparedRequest {
  readonly owner: ActiveRequest;
  readonly prompt: PrefilledPrompt;
  started: number;
}

export class Sampler {
  readonly #config: LlamaConfig;
  readonly #decoder: Decoder;
  readonly #endTokens: ReadonlySet<number>;
  constructor(config: LlamaConfig, decoder: Decoder, options: { readonly endTokens: Iterable<number> }) {
    this.#config = config;
    this.#decoder = decoder;
    this.#endTokens = new Set(options.endTokens);
  }

  /** Samples until `takeNext` has no request left and all are answered. Failures go to the requests concerned. */
  async run(takeNext: () => PendingRequest | undefined): Promise<void> {
    const waiting: ActiveRequest[] = [];
    const prepared: PreparedRequest[] = [];
    const sequences: Sequence[] = [];
    const owners = (): Set<ActiveRequest> =>
      new Set([...waiting, ...prepared.map(({ owner }) => owner), ...sequences.map(({ owner }) => owner)]);
    try {
      for (;;) {
        for (let next = takeNext(); next !== undefined; next = takeNext()) waiting.push(activate(next));
        for (const owner of owners()) if (owner.signal?.aborted) cancel(owner, owner.signal.reason);
        removeWhere(waiting, ({ cancelled }) => cancelled);
        for (const { prompt } of removeWhere(prepared, ({ owner }) => owner.cancelled)) prompt.release();
        for (const { decoded } of removeWhere(sequences, ({ owner }) => owner.cancelled)) decoded.end();

        await this.#fill(sequences, waiting, prepared);
        if (sequences.length === 0) return;
        await this.#step(sequences);
      }
    } catch (error) {
      for (const owner of owners()) cancel(owner, error);
      this.#decoder.reset();
    }
  }

  /** Starts as many samples as there may be, prefilling prompts as they are needed. */
  async #fill(sequences: Sequence[], waiting: ActiveRequest[], prepared: PreparedRequest[]): Promise<void> {
    while (sequences.length < MOST_SEQUENCES) {
      if (prepared.length === 0) {
        if (waiting.length === 0) return;
        prepared.push(...(await this.#prepare(waiting)));
      }
      const next = prepared[0]!;
      sequences.push(this.#start(next));
      if (next.started < next.owner.request.seeds.length) continue;
      next.prompt.release();
      prepared.shift();
    }
  }

  /** Prefills the first waiting prompt and those that go well with it: all but their last tokens, which steps begin with. */
  async #prepare(waiting: ActiveRequest[]): Promise<PreparedRequest[]> {
    const prompts = await this.#decoder.prefill(waiting.map(({ request }) => request.tokens.subarray(0, -1)));
    const prefilled = waiting.flatMap((owner, i) => {
      const prompt = prompts[i];
      return prompt ? [{ owner, prompt, started: 0 }] : [];
    });
    const chosen = new Set(prefilled.map(({ owner }) => owner));
    removeWhere(waiting, (owner) => chosen.has(owner));
    return prefilled;
  }

  #start(prepared: PreparedRequest): Sequence {
    const { owner, prompt } = prepared;
    const { tokens, temperature, seeds, maxTokens } = owner.request;
    const sampleIndex = prepared.started++;
    return {
      owner,
      decoded: prompt.start({ token: tokens.at(-1)!, inverseTemperature: 1 / (temperature || 1) }),
      sampleIndex,
      random: createRandom(seeds[sampleIndex]!),
      most: Math.min(maxTokens, this.#config.contextLength - tokens.length),
      tokens: [],
      logprobs: [],
    };
  }

  /** One token of every sequence; those that end with it are taken out. */
  async #step(sequences: Sequence[]): Promise<void> {
    const result = await this.#decoder.step();
    const ended = new Set<Sequence>();
    for (const sequence of sequences) {
      const { row } = sequence.decoded;
      const logProbabilities = result.logProbabilities[row]!;
      const token = chooseToken(sequence, logProbabilities, result.probabilities[row]!);
      sequence.logprobs.push(logProbabilities[token]!);
      const isEnd = this.#endTokens.has(token);
      if (!isEnd) sequence.tokens.push(token);
      sequence.decoded.token = token;
      const stopReason = isEnd ? "end" : sequence.tokens.length >= sequence.most ? "length" : undefined;
      const stopped = tell(sequence, token, logProbabilities, stopReason);
      if (stopReason === undefined && !stopped) continue;
      finish(sequence, stopReason ?? "length");
      ended.add(sequence);
    }
    if (ended.size === 0) return;
    for (const { decoded } of removeWhere(sequences, (sequence) => ended.has(sequence))) decoded.end();
  }
}

function activate(pending: PendingRequest): ActiveRequest {
  return { ...pending, samples: [], left: pending.request.seeds.length, cancelled: false };
}

function cancel(owner: ActiveRequest, reason: unknown): void {
  if (owner.cancelled) return;
  owner.cancelled = true;
  owner.reject(reason);
}

/** Greedy at temperature 0, else drawn by the sequence's own randomness: one number per token. */
function chooseToken(sequence: Sequence, logProbabilities: Float32Array, probabilities: Float32Array): number {
  const { temperature, topK, topP = 1 } = sequence.owner.request;
  if (temperature === 0) return indexOfGreatest(logProbabilities);
  const uniform = sequence.random();
  if (topK === undefined && topP === 1) return drawIndex(probabilities, uniform);
  return drawFromLikeliest(probabilities, { topK, topP }, uniform);
}

/** Tells the request of a token; whether it wants the sample to end with it. */
function tell(
  { owner, sampleIndex }: Sequence,
  token: number,
  logProbabilities: Float32Array,
  stopReason: Sample["stopReason"] | undefined,
): boolean {
  const { onToken, topLogprobs } = owner.request;
  if (onToken === undefined || owner.cancelled) return false;
  const sampled: SampledToken = {
    sampleIndex,
    token,
    logprob: logProbabilities[token]!,
    ...(topLogprobs !== undefined && { top: likeliest(logProbabilities, topLogprobs) }),
    ...(stopReason !== undefined && { stopReason }),
  };
  try {
    return onToken(sampled) === "stop";
  } catch (error) {
    cancel(owner, error);
    return true;
  }
}

function finish(sequence: Sequence, stopReason: Sample["stopReason"]): void {
  const { owner } = sequence;
  owner.samples[sequence.sampleIndex] = {
    tokens: Int32Array.from(sequence.tokens),
    logprobs: Float32Array.from(sequence.logprobs),
    stopReason,
  };
  owner.left--;
  if (owner.left === 0) owner.resolve(owner.samples);
}

/** Returns what was removed. */
function removeWhere<T>(items: T[], unwanted: (item: T) => boolean): T[] {
  const removed = items.filter(unwanted);
  if (removed.length > 0) items.splice(0, items.length, ...items.filter((item) => !unwanted(item)));
  return removed;
}

/** The lowest index of the greatest value. */
function indexOfGreatest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Probabilities summed at once while an index is drawn. */
const BLOCK = 16;

/**
 * The first index whose cumulative probability exceeds `uniform`; rounding may leave none, then the last possible one.
 * Blocks that do not reach it are summed in four independent sums, which is faster than one by one.
 */
function drawIndex(probabilities: Float32Array, uniform: number): number {
  const { length } = probabilities;
  let sum = 0;
  let start = 0;
  for (; start + BLOCK <= length; start += BLOCK) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = start; i < start + BLOCK; i += 4) {
      a += probabilities[i]!;
      b += probabilities[i + 1]!;
      c += probabilities[i + 2]!;
      d += probabilities[i + 3]!;
    }
    const next = sum + (a + b + (c + d));
    if (next > uniform) break;
    sum = next;
  }
  for (let i = start; i < length; i++) {
    sum += probabilities[i]!;
    if (sum > uniform && probabilities[i] !== 0) return i;
  }
  let last = length - 1;
  while (last > 0 && probabilities[last] === 0) last--;
  return last;
}
