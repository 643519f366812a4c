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
  /** Keys and values of each layer in turn, [rows, heads, capacity, headSize], and room for more. */
  readonly #buffers: Float32Array[];
  #keysAndValues: readonly Tensor[] = [];
  #feeds: Feeds = {};

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

  /** Keys and values of each layer in turn: the decode graph's next step writes where it reads. */
  get keysAndValues(): readonly Tensor[] {
    return this.#keysAndValues;
  }

  /** Inputs of the decode graph's next step. */
  feeds(): Feeds {
    const { feeds, positions } = this.#prompts.arrange();
    const { rows, capacity, lengths } = this;
    const columns = positions + capacity;
    const mask = new Float32Array(rows * columns);
    const nextPositions = new BigInt64Array(rows);
    const places = new BigInt64Array(rows * this.#heads * 3);
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      const prompt = this.#prompts.of(row)?.length ?? 0;
      mask.fill(HIDDEN, start + prompt, start + positions);
      const length = lengths[row]!;
      mask.fill(HIDDEN, start + positions + length + 1, start + positions + capacity);
      nextPositions[row] = BigInt(prompt + length);
      for (let head = 0; head < this.#heads; head++) {
        places.set([BigInt(row), BigInt(head), BigInt(length)], 3 * (row * this.#heads + head));
      }
    }
    const parts = BigInt64Array.of(BigInt(positions), BigInt(capacity));
    const changing: Record<string, Tensor> = {
      [DECODE_INPUTS.mask]: floatTensor(mask, [rows, 1, 1, columns]),
      [DECODE_INPUTS.positions]: integerTensor(nextPositions, [rows, 1]),
      [DECODE_INPUTS.parts]: integerTensor(parts, [2]),
      [DECODE_INPUTS.places]: integerTensor(places, [rows, this.#heads, 1, 3]),
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
        const from = (sourceRow * this.#heads + head) * source.#capacity * this.#headSize;
        const line = source.#buffers[i]!.subarray(from, from + length * this.#headSize);
        buffer.set(line, (row * this.#heads + head) * this.#capacity * this.#headSize);
      }
    });
  }

  /** Keeps what the latest step wrote into each of `rows`. */
  advance(rows: readonly number[]): void {
    for (const row of rows) this.lengths[row]!++;
  }

  /** Changes the capacity, in place as long as there is room. It must hold every row's length, and its next token. */
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
    const [before, after] = [this.#capacity * this.#headSize, capacity * this.#headSize];
    for (const buffer of this.#buffers) {
      for (let i = 0; i < lines; i++) {
        // Wider lines move from the last to the first, narrower ones from the first, so that none overwrites another.
        const line = capacity > this.#capacity ? lines - 1 - i : i;
        const length = this.lengths[Math.floor(line / this.#heads)]! * this.#headSize;
        buffer.copyWithin(line * after, line * before, line * before + length);
      }
    }
    this.#capacity = capacity;
    this.#makeTensors();
  }

  #bufferLength(capacity: number): number {
    return this.rows * this.#heads * capacity * this.#headSize;
  }

  #makeTensors(): void {
    const shape = [this.rows, this.#heads, this.#capacity, this.#headSize];
    const length = this.#bufferLength(this.#capacity);
    this.#keysAndValues = this.#buffers.map((buffer) => floatTensor(buffer.subarray(0, length), shape));
    this.#feeds = Object.fromEntries(
      this.#keysAndValues.map((tensor, i) => [
        i % 2 === 0 ? DECODE_INPUTS.keys(i >> 1) : DECODE_INPUTS.values(i >> 1),
        tensor,
      ]),
    );
  }
}
