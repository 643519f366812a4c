/**
 * The keys and values of the prompts of the sequences being decoded. Rows with the same prompt share one copy of it: a
 * sharing has a number of member places, the same in all of them, for the products of a step have one shape.
 */
import type { Tensor } from "onnxruntime-node";
import { DECODE_INPUTS, PROMPT_GRANULARITY } from "./decode-graph.ts";
import { headSize, type LlamaConfig } from "./llama-parameters.ts";
import { floatTensor, integerTensor } from "./session.ts";

/** Per layer keys then values, each [rows, keyValueHeads, time, headSize]. */
export interface PromptCaches {
  readonly layers: readonly Float32Array[];
  readonly time: number;
}

/** The first `length` positions of row `row` of what a prefill gave. The same prompt is the same object. */
export interface Prompt {
  readonly caches: PromptCaches;
  readonly row: number;
  readonly length: number;
}

/** What reading a copy of a prompt costs in a step, in member places: about this many, by measurement. */
const COST_OF_COPY = 12;

/** What a step spends on sharings, in places. */
const costOf = (sharings: number, members: number): number => sharings * (members + COST_OF_COPY);

/** Sharings that cost more than this times what they might are made anew: that costs no more than a few steps. */
const MOST_WASTE = 1.5;

/** So are copies with more unused positions than this. */
const SPARE_POSITIONS = 256;

export class SharedPrompts {
  readonly #config: LlamaConfig;
  readonly #rows: number;
  readonly #ofRow: (Prompt | undefined)[];
  /** A row's place: its sharing's number times `#members`, plus which member it is; −1 before `arrange`. */
  readonly #places: Int32Array;
  #members = 0;
  /** Padded length of all copies. */
  #positions = 0;
  /** Whose copy each sharing has. */
  #copies: (Prompt | undefined)[] = [];
  /** Per layer keys then values, [sharings, keyValueHeads, positions, headSize]. */
  #buffers: readonly Float32Array[] = [];
  #feeds: Record<string, Tensor> = {};
  #placed = false;

  constructor(config: LlamaConfig, rows: number) {
    this.#config = config;
    this.#rows = rows;
    this.#ofRow = Array.from({ length: rows }, () => undefined);
    this.#places = new Int32Array(rows).fill(-1);
  }

  of(row: number): Prompt | undefined {
    return this.#ofRow[row];
  }

  set(row: number, prompt: Prompt | undefined): void {
    if (this.#ofRow[row] === prompt) return;
    this.#ofRow[row] = prompt;
    this.#places[row] = -1;
    this.#placed = false;
  }

  /** Gives every row a place. Returns the inputs of the decode graph and the padded length of a prompt. */
  arrange(): { readonly feeds: Readonly<Record<string, Tensor>>; readonly positions: number } {
    if (!this.#placed) {
      const longest = this.#ofRow.reduce((most, prompt) => Math.max(most, prompt?.length ?? 0), 1);
      const positions = Math.ceil(longest / PROMPT_GRANULARITY) * PROMPT_GRANULARITY;
      const best = this.#plan();
      const wasted = costOf(this.#copies.length, this.#members) / costOf(best.sharings, best.members);
      const fits = this.#positions >= positions && this.#positions - positions <= SPARE_POSITIONS;
      if (!fits || wasted > MOST_WASTE || !this.#placeRest()) this.#startAnew({ ...best, positions });
      this.#placed = true;
      this.#feeds = { ...this.#feeds, ...this.#indices() };
    }
    return { feeds: this.#feeds, positions: this.#positions };
  }

  /** Whether the rows without a place have found one in the sharings there are. */
  #placeRest(): boolean {
    const taken = new Set(this.#places);
    const used = new Set(Array.from(this.#places, (place) => (place < 0 ? -1 : Math.floor(place / this.#members))));
    const freeIn = (sharing: number): number | undefined => {
      for (let i = 0; i < this.#members; i++) {
        if (!taken.has(sharing * this.#members + i)) return sharing * this.#members + i;
      }
      return undefined;
    };
    for (let row = 0; row < this.#rows; row++) {
      const prompt = this.#ofRow[row];
      if (prompt === undefined || this.#places[row]! >= 0) continue;
      let place: number | undefined;
      for (let sharing = 0; sharing < this.#copies.length && place === undefined; sharing++) {
        if (this.#copies[sharing] === prompt) place = freeIn(sharing);
      }
      if (place === undefined) {
        const unused = this.#copies.findIndex((_, sharing) => !used.has(sharing));
        if (unused < 0) return false;
        this.#copy(prompt, unused);
        place = unused * this.#members;
      }
      this.#places[row] = place;
      taken.add(place);
      used.add(Math.floor(place / this.#members));
    }
    return true;
  }

  /** The sharings that cost least. */
  #plan(): { readonly sharings: number; readonly members: number } {
    const counts = new Map<Prompt, number>();
    for (const prompt of this.#ofRow) if (prompt) counts.set(prompt, (counts.get(prompt) ?? 0) + 1);
    const planOf = (members: number) => {
      const sharings = [...counts.values()].reduce((sum, count) => sum + Math.ceil(count / members), 0);
      return { sharings: Math.max(1, sharings), members };
    };
    let best = planOf(2);
    for (let members = 4; members <= this.#rows; members *= 2) {
      const plan = planOf(members);
      if (costOf(plan.sharings, members) < costOf(best.sharings, best.members)) best = plan;
    }
    return best;
  }

  #startAnew(plan: { readonly sharings: number; readonly members: number; readonly positions: number }): void {
    const { sharings, members, positions } = plan;
    this.#members = members;
    this.#positions = positions;
    this.#copies = Array.from({ length: sharings }, () => undefined);
    this.#places.fill(-1);
    const { keyValueHeadCount, layerCount } = this.#config;
    const shape = [sharings, keyValueHeadCount, positions, headSize(this.#config)];
    const length = shape.reduce((product, extent) => product * extent, 1);
    this.#buffers = Array.from({ length: 2 * layerCount }, () => new Float32Array(length));
    this.#feeds = Object.fromEntries(
      this.#buffers.map((buffer, i) => {
        const layer = i >> 1;
        const name = i % 2 === 0 ? DECODE_INPUTS.promptKeys(layer) : DECODE_INPUTS.promptValues(layer);
        return [name, floatTensor(buffer, shape)];
      }),
    );
    this.#placeRest();
  }

  #copy(prompt: Prompt, sharing: number): void {
    this.#copies[sharing] = prompt;
    const { keyValueHeadCount: heads } = this.#config;
    const width = headSize(this.#config);
    this.#buffers.forEach((buffer, i) => {
      for (let head = 0; head < heads; head++) {
        const source = (prompt.row * heads + head) * prompt.caches.time * width;
        const target = (sharing * heads + head) * this.#positions * width;
        buffer.set(prompt.caches.layers[i]!.subarray(source, source + prompt.length * width), target);
      }
    });
  }

  /** From queries by row to queries by sharing, and back. A row without a sequence gets anything. */
  #indices(): Record<string, Tensor> {
    const { headCount, keyValueHeadCount: heads } = this.#config;
    const group = headCount / heads;
    const members = this.#members;
    const sharings = this.#copies.length;
    const toSharings = new BigInt64Array(sharings * heads * members * group);
    const toRows = new BigInt64Array(this.#rows * heads * group);
    for (let row = 0; row < this.#rows; row++) {
      const place = Math.max(0, this.#places[row]!);
      const sharing = Math.floor(place / members);
      for (let head = 0; head < heads; head++) {
        for (let i = 0; i < group; i++) {
          const query = (row * heads + head) * group + i;
          const shared = ((sharing * heads + head) * members + (place % members)) * group + i;
          toRows[query] = BigInt(shared);
          if (this.#places[row]! >= 0) toSharings[shared] = BigInt(query);
        }
      }
    }
    return {
      [DECODE_INPUTS.toSharings]: integerTensor(toSharings, [sharings, heads, members * group]),
      [DECODE_INPUTS.toRows]: integerTensor(toRows, [this.#rows, heads, group]),
    };
  }
}
