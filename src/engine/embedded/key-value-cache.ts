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
 * Capacities are multiples of this: the least that softmaxes allow (see the head of `decode-graph.ts`), for every step reads
 * all of the capacity, its padding too.
 */
const CAPACITY_GRANULARITY = 16;

/** The least capacity that holds `positions`. */
export const capacityFor = (positions: number): number =>
  Math.ceil(positions / CAPACITY_GRANULARITY) * CAPACITY_GRANULARITY;

export class KeyValueCache {
  readonly rows: number;
  /** Positions that each row has decoded itself, after its prompt. */
  readonly lengths: Int32Array;
  readonly #prompts: SharedPrompts;
  readonly #heads: number;
  readonly #headSize: number;
  #capacity: number;
  /** The capacity that the buffers have room for. */
  #reserved: number;
  /**
   * Keys and values of each layer in turn: what the latest step made, [rows, heads, 1, headSize], and behind it the
   * cache, [rows, heads, capacity, headSize]. In one buffer, for a step moves thousands of short pieces from one to the
   * other, and moves within a buffer are the fastest.
   */
  #buffers: Float32Array[];
  #feeds: Feeds = {};
  #made: readonly Tensor[] = [];

  constructor(config: LlamaConfig, options: { readonly rows: number; readonly capacity: number }) {
    const { rows, capacity } = options;
    this.rows = rows;
    this.lengths = new Int32Array(rows);
    this.#prompts = new SharedPrompts(config, rows);
    this.#heads = config.keyValueHeadCount;
    this.#headSize = headSize(config);
    this.#capacity = capacity;
    this.#reserved = capacity;
    const length = this.#bufferLength(capacity);
    this.#buffers = Array.from({ length: 2 * config.layerCount }, () => new Float32Array(length));
    this.#makeTensors();
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Where the decode graph's next step is to write keys and values of each layer in turn, for `append`. */
  get made(): readonly Tensor[] {
    return this.#made;
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
    return { ...this.#feeds, ...feeds, ...changing };
  }

  /** Starts `row` after a prompt, or empties it. */
  start(row: number, prompt?: Prompt): void {
    this.lengths[row] = 0;
    this.#prompts.set(row, prompt);
  }

  /** Copies row `sourceRow` of another cache. */
  copyRow(row: number, source: KeyValueCache, sourceRow: number): void {
    this.start(row, source.#prompts.of(sourceRow));
    const length = source.lengths[sourceRow]!;
    this.lengths[row] = length;
    this.#buffers.forEach((buffer, i) => {
      for (let head = 0; head < this.#heads; head++) {
        const from = source.#placeOf(sourceRow * this.#heads + head, source.capacity);
        const line = source.#buffers[i]!.subarray(from, from + length * this.#headSize);
        buffer.set(line, this.#placeOf(row * this.#heads + head, this.#capacity));
      }
    });
  }

  /** Appends what the latest step made to each of `rows`. */
  append(rows: readonly number[]): void {
    const width = this.#headSize;
    for (const buffer of this.#buffers) {
      for (const row of rows) {
        for (let line = row * this.#heads; line < (row + 1) * this.#heads; line++) {
          const place = this.#placeOf(line, this.#capacity) + this.lengths[row]! * width;
          buffer.copyWithin(place, line * width, (line + 1) * width);
        }
      }
    }
    for (const row of rows) this.lengths[row]!++;
  }

  /** Changes the capacity, in place as long as there is room. It must hold every row's length. */
  resize(capacity: number): void {
    if (capacity === this.#capacity) return;
    if (capacity > this.#reserved) {
      this.#reserved = Math.max(capacity, 2 * this.#reserved);
      const length = this.#bufferLength(this.#reserved);
      // One at a time: both sizes of all of them would be much memory.
      this.#buffers.forEach((buffer, i) => {
        const larger = new Float32Array(length);
        larger.set(buffer.subarray(0, this.#bufferLength(this.#capacity)));
        this.#buffers[i] = larger;
      });
    }
    const lines = this.rows * this.#heads;
    for (const buffer of this.#buffers) {
      for (let i = 0; i < lines; i++) {
        // Wider lines move from the last to the first, narrower ones from the first, so that none overwrites another.
        const line = capacity > this.#capacity ? lines - 1 - i : i;
        const from = this.#placeOf(line, this.#capacity);
        const end = from + this.lengths[Math.floor(line / this.#heads)]! * this.#headSize;
        buffer.copyWithin(this.#placeOf(line, capacity), from, end);
      }
    }
    this.#capacity = capacity;
    this.#makeTensors();
  }

  #bufferLength(capacity: number): number {
    return this.#placeOf(this.rows * this.#heads, capacity);
  }

  /** Where the cached positions of line row·heads + head begin. */
  #placeOf(line: number, capacity: number): number {
    return (this.rows * this.#heads + line * capacity) * this.#headSize;
  }

  #makeTensors(): void {
    const [rows, heads, width, capacity] = [this.rows, this.#heads, this.#headSize, this.#capacity];
    const feeds: Record<string, Tensor> = {};
    const start = rows * heads * width;
    const end = this.#bufferLength(capacity);
    this.#buffers.forEach((buffer, i) => {
      const name = i % 2 === 0 ? DECODE_INPUTS.keys(i >> 1) : DECODE_INPUTS.values(i >> 1);
      feeds[name] = floatTensor(buffer.subarray(start, end), [rows, heads, capacity, width]);
    });
    this.#feeds = feeds;
    this.#made = this.#buffers.map((buffer) => floatTensor(buffer.subarray(0, start), [rows, heads, 1, width]));
  }
}
