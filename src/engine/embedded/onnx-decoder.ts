/**
 * Decoding with ONNX Runtime. The graph of a step has a number of rows, a tier, so some of them may be empty; sequences
 * keep their rows until another tier is taken.
 */
import { DecodeSessions } from "./decode-sessions.ts";
import { PREFILL_ROWS, PROMPT_GRANULARITY } from "./decode-graph.ts";
import {
  MOST_SEQUENCES,
  type DecodedSequence,
  type Decoder,
  type PrefilledPrompt,
  type SampledWeights,
  type StepResult,
} from "./decoder.ts";
import { capacityFor, KeyValueCache } from "./key-value-cache.ts";
import type { LlamaConfig } from "./llama-parameters.ts";
import type { Prompt } from "./shared-prompts.ts";

/** Numbers of rows a step may have, ascending: few rows when little is asked for. */
const ROW_TIERS = [8, 32, 64, MOST_SEQUENCES] as const;

interface Sequence extends DecodedSequence {
  readonly prompt: Prompt;
  readonly inverseTemperature: number;
  /** −1 until its first step. */
  row: number;
}

export class OnnxDecoder implements Decoder {
  readonly #config: LlamaConfig;
  readonly #sessions: DecodeSessions;
  readonly #sequences = new Set<Sequence>();
  #cache: KeyValueCache | undefined;

  constructor(config: LlamaConfig, store: SampledWeights, options: { readonly mostPackedBytes?: number } = {}) {
    this.#config = config;
    this.#sessions = new DecodeSessions(config, store, options);
  }

  /** All are padded to one length, so those of about the length of the first go best with it. */
  async prefill(waiting: readonly Int32Array[]): Promise<readonly (PrefilledPrompt | undefined)[]> {
    const bucket = (tokens: Int32Array): number => Math.ceil(tokens.length / PROMPT_GRANULARITY);
    const first = bucket(waiting[0]!);
    const fitting = waiting.filter((tokens) => bucket(tokens) === first).slice(0, PREFILL_ROWS);
    const caches = await this.#sessions.prefill(fitting);
    return waiting.map((tokens) => {
      const row = fitting.indexOf(tokens);
      return row < 0 ? undefined : this.#prefilled({ caches, row, length: tokens.length });
    });
  }

  async step(): Promise<StepResult> {
    const cache = this.#arrange();
    const tokens = new BigInt64Array(cache.rows);
    const inverseTemperatures = new Float32Array(cache.rows).fill(1);
    for (const { row, token, inverseTemperature } of this.#sequences) {
      tokens[row] = BigInt(token);
      inverseTemperatures[row] = inverseTemperature;
    }
    const result = await this.#sessions.step(cache, { tokens, inverseTemperatures });
    cache.advance(Array.from(this.#sequences, ({ row }) => row));
    return result;
  }

  reset(): void {
    this.#sequences.clear();
    this.#cache = undefined;
  }

  close(): Promise<void> {
    this.reset();
    return this.#sessions.close();
  }

  /** Its caches go when nobody has it any more. */
  #prefilled(prompt: Prompt): PrefilledPrompt {
    return {
      start: (options) => {
        const sequence: Sequence = {
          ...options,
          prompt,
          row: -1,
          end: () => {
            this.#sequences.delete(sequence);
            if (sequence.row >= 0) this.#cache?.start(sequence.row);
          },
        };
        this.#sequences.add(sequence);
        return sequence;
      },
      release: () => undefined,
    };
  }

  /** Gives every sequence a row, in a cache with as many rows as that takes; those that had one keep their keys and values. */
  #arrange(): KeyValueCache {
    const rows = ROW_TIERS.find((tier) => tier >= this.#sequences.size)!;
    const placed = [...this.#sequences].filter(({ row }) => row >= 0);
    const before = this.#cache;
    const longest = placed.reduce((most, { row }) => Math.max(most, before!.lengths[row]!), 0);
    const capacity = capacityFor(longest + 1);
    let cache = before;
    if (cache?.rows === rows) cache.resize(capacity);
    else {
      cache = new KeyValueCache(this.#config, { rows, capacity });
      for (const [row, sequence] of placed.entries()) {
        cache.copyRow(row, before!, sequence.row);
        sequence.row = row;
      }
      this.#cache = cache;
    }
    const taken = new Set(placed.map(({ row }) => row));
    let next = 0;
    for (const sequence of this.#sequences) {
      if (sequence.row >= 0) continue;
      while (taken.has(next)) next++;
      sequence.row = next++;
      cache.start(sequence.row, sequence.prompt);
    }
    return cache;
  }
}
