/**
 * The keys and values of the sequences being decoded: what they share with others, their prompts, and what each has
 * decoded itself, one row per sequence, `capacity` positions per row, read by the runtime in place. Positions beyond a
 * row's length hold whatever was there before; the mask hides them.
 */
import type { Tensor } from "onnxruntime-node";
import { DECODE_INPUTS } from "./decode-graph.ts";
import { headSize, type LlamaConfig } from "./llama-parameters.ts";
import { floatTensor, integerTensor, type Feeds } from "./session.ts";
import { SharedPrompts, type Prompt } from "./shared-prompts.ts";

const HIDDEN = -1e30;

/**
 * Capacities are multiples of this. Every step reads all of the capacity, so less means less padding; more means fewer
 * enlargements, each a copy of the cache.
 */
const CAPACITY_GRANULARITY = 32;

/** The least capacity that holds `positions`. */
export const capacityFor = (positions: number): number =>
  Math.ceil(positions / CAPACITY_GRANULARITY) * CAPACITY_GRANULARITY;

export class KeyValueCache {
  readonly rows: number;
  readonly capacity: number;
  /** Positions that each row has decoded itself, after its prompt. */
  readonly lengths: Int32Array;
  readonly #heads: number;
  readonly #headSize: number;
  readonly #prompts: SharedPrompts;
  /** Keys and values of each layer in turn, [rows, heads, capacity, headSize]. */
  readonly #buffers: readonly Float32Array[];
  readonly #ownFeeds: Feeds;

  constructor(config: LlamaConfig, options: { readonly rows: number; readonly capacity: number }) {
    const { rows, capacity } = options;
    this.rows = rows;
    this.capacity = capacity;
    this.lengths = new Int32Array(rows);
    this.#heads = config.keyValueHeadCount;
    this.#headSize = headSize(config);
    this.#prompts = new SharedPrompts(config, rows);
    const shape = [rows, this.#heads, capacity, this.#headSize];
    const length = rows * this.#heads * capacity * this.#headSize;
    this.#buffers = Array.from({ length: 2 * config.layerCount }, () => new Float32Array(length));
    this.#ownFeeds = Object.fromEntries(
      this.#buffers.map((buffer, i) => {
        const layer = i >> 1;
        return [i % 2 === 0 ? DECODE_INPUTS.keys(layer) : DECODE_INPUTS.values(layer), floatTensor(buffer, shape)];
      }),
    );
  }

  /** Inputs of the decode graph's next step. */
  feeds(): Feeds {
    const { feeds, positions } = this.#prompts.arrange();
    const { rows, capacity, lengths } = this;
    const columns = positions + capacity + 1;
    const mask = new Float32Array(rows * columns);
    const nextPositions = new BigInt64Array(rows);
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      const prompt = this.#prompts.of(row)?.length ?? 0;
      mask.fill(HIDDEN, start + prompt, start + positions);
      mask.fill(HIDDEN, start + positions + lengths[row]!, start + positions + capacity);
      nextPositions[row] = BigInt(prompt + lengths[row]!);
    }
    const parts = BigInt64Array.of(BigInt(positions), BigInt(capacity), 1n);
    const changing: Record<string, Tensor> = {
      [DECODE_INPUTS.mask]: floatTensor(mask, [rows, 1, 1, columns]),
      [DECODE_INPUTS.positions]: integerTensor(nextPositions, [rows, 1]),
      [DECODE_INPUTS.parts]: integerTensor(parts, [3]),
    };
    return { ...this.#ownFeeds, ...feeds, ...changing };
  }

  /** Starts `row` after a prompt, or without one. */
  start(row: number, prompt?: Prompt): void {
    this.lengths[row] = 0;
    this.#prompts.set(row, prompt);
  }

  isEmpty(row: number): boolean {
    return this.lengths[row] === 0 && this.#prompts.of(row) === undefined;
  }

  /** Copies row `sourceRow` of another cache. */
  copyRow(row: number, source: KeyValueCache, sourceRow: number): void {
    this.start(row, source.#prompts.of(sourceRow));
    const length = source.lengths[sourceRow]!;
    this.lengths[row] = length;
    const width = this.#headSize;
    this.#buffers.forEach((buffer, i) => {
      for (let head = 0; head < this.#heads; head++) {
        const from = (sourceRow * this.#heads + head) * source.capacity * width;
        const to = (row * this.#heads + head) * this.capacity * width;
        buffer.set(source.#buffers[i]!.subarray(from, from + length * width), to);
      }
    });
  }

  /** Appends one position to each of `rows` from the decode graph's [2·layers·rows, heads, 1, headSize]. */
  append(rows: readonly number[], made: Float32Array): void {
    const width = this.#headSize;
    const heads = this.#heads;
    this.#buffers.forEach((buffer, i) => {
      for (const row of rows) {
        for (let head = 0; head < heads; head++) {
          const source = ((i * this.rows + row) * heads + head) * width;
          const target = ((row * heads + head) * this.capacity + this.lengths[row]!) * width;
          for (let j = 0; j < width; j++) buffer[target + j] = made[source + j]!;
        }
      }
    });
    for (const row of rows) this.lengths[row]!++;
  }
}
