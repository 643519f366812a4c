/**
 * Continuous batching: the samples of all waiting requests share the rows of one decode step; a row that has ended is
 * given to the next sample at once. What a sample becomes depends on the weights, its prompt and its seed alone.
 */
import type { Sample, SampledToken, SampleRequest } from "../engine.ts";
import { createRandom, type Random } from "../../random.ts";
import { drawFromLikeliest, likeliest } from "./likeliest-tokens.ts";
import { PREFILL_ROWS, PROMPT_GRANULARITY } from "./decode-graph.ts";
import type { Decoder } from "./decoder.ts";
import { capacityFor, KeyValueCache } from "./key-value-cache.ts";
import type { LlamaConfig } from "./llama-parameters.ts";
import type { Prompt } from "./shared-prompts.ts";

/** Numbers of rows a step may have, ascending: few rows when little is asked for. */
const ROW_TIERS = [8, 32, 64, 128] as const;

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
  readonly sampleIndex: number;
  readonly random: Random;
  readonly most: number;
  readonly tokens: number[];
  readonly logprobs: number[];
  nextToken: number;
}

/** A request whose prompt is in the caches, and how many of its samples have been started. */
interface PreparedRequest {
  readonly owner: ActiveRequest;
  readonly prompt: Prompt;
  started: number;
}

export class Sampler {
  readonly #config: LlamaConfig;
  readonly #decoder: Decoder;
  readonly #endTokens: ReadonlySet<number>;
  #cache: KeyValueCache | undefined;

  constructor(config: LlamaConfig, decoder: Decoder, options: { readonly endTokens: Iterable<number> }) {
    this.#config = config;
    this.#decoder = decoder;
    this.#endTokens = new Set(options.endTokens);
  }

  /** Forgets cached keys and values; to be called when the weights have changed. */
  reset(): void {
    this.#cache = undefined;
  }

  /** Samples until `takeNext` has no request left and all are answered. Failures go to the requests concerned. */
  async run(takeNext: () => PendingRequest | undefined): Promise<void> {
    const waiting: ActiveRequest[] = [];
    const prepared: PreparedRequest[] = [];
    let rows: (Sequence | undefined)[] = [];
    try {
      for (;;) {
        for (let next = takeNext(); next !== undefined; next = takeNext()) waiting.push(activate(next));
        for (const owner of [...waiting, ...prepared.map((p) => p.owner), ...rows.map((s) => s?.owner)]) {
          if (owner?.signal?.aborted) cancel(owner, owner.signal.reason);
        }
        rows = rows.map((sequence) => (sequence?.owner.cancelled ? undefined : sequence));
        removeWhere(waiting, (owner) => owner.cancelled);
        removeWhere(prepared, ({ owner }) => owner.cancelled);

        const active = rows.filter((sequence) => sequence !== undefined).length;
        const unprepared = waiting.reduce((sum, { left }) => sum + left, 0);
        const unstarted = prepared.reduce((sum, { owner, started }) => sum + owner.request.seeds.length - started, 0);
        const wanted = active + unprepared + unstarted;
        if (wanted === 0) return;
        rows = this.#resize(rows, wanted);
        await this.#fill(rows, waiting, prepared);
        await this.#step(rows);
      }
    } catch (error) {
      for (const owner of [...waiting, ...prepared.map((p) => p.owner), ...rows.map((s) => s?.owner)]) {
        if (owner) cancel(owner, error);
      }
      this.reset();
    }
  }

  /** Gives the cache as many rows as are wanted, or fewer once few are left; sequences keep their keys and values. */
  #resize(rows: (Sequence | undefined)[], wanted: number): (Sequence | undefined)[] {
    const target = ROW_TIERS.find((tier) => tier >= wanted) ?? ROW_TIERS.at(-1)!;
    if (this.#cache === undefined) {
      this.#cache = new KeyValueCache(this.#config, { rows: target, capacity: capacityFor(1) });
    }
    const kept = rows.flatMap((sequence, row) => (sequence ? [{ sequence, row }] : []));
    const longest = kept.reduce((most, { row }) => Math.max(most, this.#cache!.lengths[row]!), 0);
    const capacity = capacityFor(longest + 1);
    if (this.#cache.rows === target) {
      for (let row = 0; row < target; row++) if (rows[row] === undefined) this.#cache.start(row);
      this.#cache.resize(capacity);
      return rows.length === target ? rows : Array.from({ length: target }, () => undefined);
    }
    const replacement = new KeyValueCache(this.#config, { rows: target, capacity });
    kept.forEach(({ row }, i) => replacement.copyRow(i, this.#cache!, row));
    this.#cache = replacement;
    return Array.from({ length: target }, (_, i) => kept[i]?.sequence);
  }

  /** Starts samples in free rows, prefilling prompts as they are needed. */
  async #fill(rows: (Sequence | undefined)[], waiting: ActiveRequest[], prepared: PreparedRequest[]): Promise<void> {
    for (let row = 0; row < rows.length; row++) {
      if (rows[row] !== undefined) continue;
      if (prepared.length === 0) {
        if (waiting.length === 0) return;
        prepared.push(...(await this.#prepare(waiting)));
      }
      const next = prepared[0]!;
      this.#start(rows, row, next);
      if (next.started === next.owner.request.seeds.length) prepared.shift();
    }
  }

  /** Prefills the first waiting prompt and those that fit best beside it. All but a prompt's last token are cached. */
  async #prepare(waiting: ActiveRequest[]): Promise<PreparedRequest[]> {
    const cachedLength = (owner: ActiveRequest): number => owner.request.tokens.length - 1;
    const bucket = (owner: ActiveRequest): number => Math.ceil(cachedLength(owner) / PROMPT_GRANULARITY);
    const first = bucket(waiting[0]!);
    const fitting = waiting.filter((owner) => bucket(owner) === first).slice(0, PREFILL_ROWS);
    const caches = await this.#decoder.prefill(fitting.map(({ request }) => request.tokens.subarray(0, -1)));
    const chosen = new Set(fitting);
    removeWhere(waiting, (owner) => chosen.has(owner));
    return fitting.map((owner, row) => ({ owner, prompt: { caches, row, length: cachedLength(owner) }, started: 0 }));
  }

  #start(rows: (Sequence | undefined)[], row: number, next: PreparedRequest): void {
    const { request } = next.owner;
    this.#cache!.start(row, next.prompt);
    const sampleIndex = next.started++;
    rows[row] = {
      owner: next.owner,
      sampleIndex,
      random: createRandom(request.seeds[sampleIndex]!),
      most: Math.min(request.maxTokens, this.#config.contextLength - request.tokens.length),
      tokens: [],
      logprobs: [],
      nextToken: request.tokens.at(-1)!,
    };
  }

  async #step(rows: (Sequence | undefined)[]): Promise<void> {
    const cache = this.#cache!;
    const tokens = BigInt64Array.from(rows, (sequence) => BigInt(sequence?.nextToken ?? 0));
    const inverseTemperatures = Float32Array.from(rows, (sequence) => 1 / (sequence?.owner.request.temperature || 1));
    const used = rows.flatMap((sequence, row) => (sequence ? [row] : []));
    const result = await this.#decoder.step(cache, { tokens, inverseTemperatures });
    cache.advance(used);
    const { vocabularySize } = this.#config;
    for (const row of used) {
      const sequence = rows[row]!;
      const start = row * vocabularySize;
      const end = start + vocabularySize;
      const logProbabilities = result.logProbabilities.subarray(start, end);
      const probabilities = result.probabilities.subarray(start, end);
      const token = chooseToken(sequence, logProbabilities, probabilities);
      sequence.logprobs.push(logProbabilities[token]!);
      const isEnd = this.#endTokens.has(token);
      if (!isEnd) sequence.tokens.push(token);
      sequence.nextToken = token;
      const stopReason = isEnd ? "end" : sequence.tokens.length >= sequence.most ? "length" : undefined;
      const stopped = tell(sequence, token, logProbabilities, stopReason);
      if (stopReason !== undefined || stopped) {
        finish(sequence, stopReason ?? "length");
        rows[row] = undefined;
      }
    }
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

function removeWhere<T>(items: T[], unwanted: (item: T) => boolean): void {
  const kept = items.filter((item) => !unwanted(item));
  items.splice(0, items.length, ...kept);
}

/** The lowest index of the greatest value. */
function indexOfGreatest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** The first index whose cumulative probability exceeds `uniform`; rounding may leave none, then the last possible. */
function drawIndex(probabilities: Float32Array, uniform: number): number {
  let sum = 0;
  let last = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] === 0) continue;
    sum += probabilities[i]!;
    last = i;
    if (sum > uniform) break;
  }
  return last;
}
