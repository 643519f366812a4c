/** Memory for the matrices of one computation, taken in order and given back in the opposite order. */
import { newValues } from "./addon.ts";
import { matrixOf, valuesOf, type Matrix, type Values } from "./matrix.ts";

/** Least size of a block, in values. */
const LEAST_BLOCK = 1 << 20;
/** Matrices begin at multiples of so many values, a cache line. */
const ALIGNMENT = 16;

/** How far the memory is used. */
export interface Mark {
  readonly block: number;
  readonly used: number;
}

/** Before anything was taken. */
export const START: Mark = { block: 0, used: 0 };

export class Arena {
  readonly #blocks: Float32Array[] = [];
  #block = 0;
  #used = 0;

  /** [rows, columns] of whatever was there before. */
  matrix(rows: number, columns: number): Matrix {
    const { data, offset } = this.values(rows * columns);
    return matrixOf(data, rows, columns, offset);
  }

  values(length: number): Values {
    for (;;) {
      const block = this.#blocks[this.#block];
      if (block === undefined) {
        this.#blocks.push(newValues(Math.max(LEAST_BLOCK, length)));
      } else if (this.#used + length <= block.length) {
        const offset = this.#used;
        this.#used = Math.ceil((offset + length) / ALIGNMENT) * ALIGNMENT;
        return valuesOf(block, offset, length);
      } else {
        this.#block++;
        this.#used = 0;
      }
    }
  }

  get mark(): Mark {
    return { block: this.#block, used: this.#used };
  }

  /** Gives back what was taken since. */
  release(mark: Mark): void {
    this.#block = mark.block;
    this.#used = mark.used;
  }

  /** Lets go of all memory. */
  clear(): void {
    this.#blocks.length = 0;
    this.release(START);
  }
}
