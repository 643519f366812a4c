/**
 * Keys and values of prompts and of the sequences after them, in pages (`native/kernels.h` has their layout). A page holds
 * some positions of one prompt or of one sequence in all layers. Sequences share the pages of their prompt; their own tokens
 * begin in a page of their own. Pages that nobody needs any more are used again.
 */
import { headSize, type LlamaConfig } from "../llama-parameters.ts";
import { newValues } from "./addon.ts";
import type { CacheLayer } from "./kernel-program.ts";

/** The pages of the first pool; a larger one has twice as many as the one before. */
const FIRST_PAGES = 64;

/** A run of positions. */
export interface PagedPositions {
  readonly pages: number[];
  length: number;
}

export class PagedCache {
  readonly #config: LlamaConfig;
  /** Positions of a page. */
  readonly #pagePositions: number;
  readonly #pageLength: number;
  #pages: Float32Array = new Float32Array();
  #pageCount = 0;
  readonly #free: number[] = [];

  constructor(config: LlamaConfig, options: { readonly pagePositions: number }) {
    const { layerCount, keyValueHeadCount } = config;
    this.#config = config;
    this.#pagePositions = options.pagePositions;
    this.#pageLength = layerCount * keyValueHeadCount * headSize(config) * 2 * options.pagePositions;
  }

  /** Pages in use. */
  get usedPages(): number {
    return this.#pageCount - this.#free.length;
  }

  /** The pool, another one when it has grown. */
  get pages(): Float32Array {
    return this.#pages;
  }

  layer(layer: number): CacheLayer {
    const { layerCount, keyValueHeadCount } = this.#config;
    return {
      pages: this.pages,
      pageCount: this.#pageCount,
      layerCount,
      layer,
      keyValueHeadCount,
      headSize: headSize(this.#config),
    };
  }

  /** Makes room for one more position, and returns its place: its page times the positions of a page, plus which of them. */
  append(positions: PagedPositions): number {
    const inPage = positions.length % this.#pagePositions;
    if (inPage === 0) positions.pages.push(this.#take());
    positions.length++;
    return positions.pages.at(-1)! * this.#pagePositions + inPage;
  }

  /** Gives all pages back. */
  free(positions: PagedPositions): void {
    this.#free.push(...positions.pages.splice(0));
    positions.length = 0;
  }

  /** Lets go of all pages and their memory. */
  clear(): void {
    this.#pages = new Float32Array();
    this.#pageCount = 0;
    this.#free.length = 0;
  }

  #take(): number {
    if (this.#free.length === 0) this.#grow();
    return this.#free.pop()!;
  }

  #grow(): void {
    const before = this.#pageCount;
    this.#pageCount = Math.max(FIRST_PAGES, 2 * before);
    const larger = newValues(this.#pageCount * this.#pageLength);
    larger.set(this.pages);
    this.#pages = larger;
    for (let page = this.#pageCount - 1; page >= before; page--) this.#free.push(page);
  }
}
