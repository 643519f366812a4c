/**
 * The keys and values of the sequences being decoded: one row per sequence, `capacity` positions per row, read by the
 * runtime in place. Positions beyond a row's length hold whatever was there before; the mask hides them.
 */
import type { Tensor } from "onnxruntime-node";
import { COLUMN_GRANULARITY, DECODE_INPUTS } from "./decode-graph.ts";
import { headSize, type LlamaConfig } from "./llama-parameters.ts";
import { floatTensor, type Feeds } from "./session.ts";

const HIDDEN = -1e30;

/** Keys and values of prompts: per layer keys then values, each [rows, keyValueHeads, time, headSize]. */
export interface PromptCaches {
  readonly layers: readonly Float32Array[];
  readonly time: number;
}

/** The least capacity, one less than a multiple of 64, that holds `positions`. */
export const capacityFor = (positions: number): number =>
  Math.ceil((positions + 1) / COLUMN_GRANULARITY) * COLUMN_GRANULARITY - 1;

export class KeyValueCache {
  readonly rows: number;
  readonly capacity: number;
  /** Positions in use of each row. */
  readonly lengths: Int32Array;
  readonly #heads: number;
  readonly #headSize: number;
  /** Keys and values of each layer in turn, [rows, heads, capacity, headSize]. */
  readonly #buffers: readonly Float32Array[];
  /** [rows, 1 + capacity]; column 0 is the token itself. */
  readonly #mask: Float32Array;
  readonly #feeds: Feeds;

  constructor(config: LlamaConfig, options: { readonly rows: number; readonly capacity: number }) {
    const { rows, capacity } = options;
    this.rows = rows;
    this.capacity = capacity;
    this.lengths = new Int32Array(rows);
    this.#heads = config.keyValueHeadCount;
    this.#headSize = headSize(config);
    const shape = [rows, this.#heads, capacity, this.#headSize];
    const length = rows * this.#heads * capacity * this.#headSize;
    this.#buffers = Array.from({ length: 2 * config.layerCount }, () => new Float32Array(length));
    this.#mask = new Float32Array(rows * (1 + capacity)).fill(HIDDEN);
    for (let row = 0; row < rows; row++) this.#mask[row * (1 + capacity)] = 0;
    const feeds: Record<string, Tensor> = {
      [DECODE_INPUTS.mask]: floatTensor(this.#mask, [rows, 1, 1, 1 + capacity]),
    };
    this.#buffers.forEach((buffer, i) => {
      const layer = i >> 1;
      feeds[i % 2 === 0 ? DECODE_INPUTS.keys(layer) : DECODE_INPUTS.values(layer)] = floatTensor(buffer, shape);
    });
    this.#feeds = feeds;
  }

  /** Inputs of the decode graph; they see later changes. */
  get feeds(): Feeds {
    return this.#feeds;
  }

  /** Starts `row` with the first `length` positions of row `promptRow` of `prompts`. */
  load(row: number, length: number, prompts?: { readonly caches: PromptCaches; readonly row: number }): void {
    this.#setLength(row, length);
    if (prompts === undefined) return;
    const { layers, time } = prompts.caches;
    const width = this.#headSize;
    this.#buffers.forEach((buffer, i) => {
      for (let head = 0; head < this.#heads; head++) {
        const source = (prompts.row * this.#heads + head) * time * width;
        const target = (row * this.#heads + head) * this.capacity * width;
        buffer.set(layers[i]!.subarray(source, source + length * width), target);
      }
    });
  }

  /** Copies row `sourceRow` of another cache. */
  copyRow(row: number, source: KeyValueCache, sourceRow: number): void {
    const caches = { layers: source.#buffers, time: source.capacity };
    this.load(row, source.lengths[sourceRow]!, { caches, row: sourceRow });
  }

  /** Appends one position to each of `rows` from the decode graph's [rows, heads, 2·layers, headSize]. */
  append(rows: Iterable<number>, made: Float32Array): void {
    const width = this.#headSize;
    const count = this.#buffers.length;
    for (const row of rows) {
      const position = this.lengths[row]!;
      for (let head = 0; head < this.#heads; head++) {
        const line = row * this.#heads + head;
        const target = (line * this.capacity + position) * width;
        for (let i = 0; i < count; i++) {
          const buffer = this.#buffers[i]!;
          const source = (line * count + i) * width;
          for (let j = 0; j < width; j++) buffer[target + j] = made[source + j]!;
        }
      }
      this.lengths[row] = position + 1;
      this.#mask[row * (1 + this.capacity) + 1 + position] = 0;
    }
  }

  #setLength(row: number, length: number): void {
    const start = row * (1 + this.capacity) + 1;
    this.#mask.fill(0, start, start + length);
    this.#mask.fill(HIDDEN, start + length, start + this.capacity);
    this.lengths[row] = length;
  }
}
