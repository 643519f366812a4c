/**
 * Decoding with the engine's own kernels. A step has exactly the rows of the sequences under way, those of one prompt side
 * by side, so that the prompt is read once for all of them.
 */
import type { DecodedSequence, Decoder, PrefilledPrompt, SampledWeights, StepResult } from "../decoder.ts";
import type { LlamaConfig } from "../llama-parameters.ts";
import type { Kernels } from "./addon.ts";
import { Arena } from "./arena.ts";
import { DecodeProgram, runPrefill, type DecodeMeans, type PageLimits } from "./decode-program.ts";
import { DecodeWeights } from "./decode-weights.ts";
import { positionTables } from "./llama-weights.ts";
import { PagedCache, type PagedPositions } from "./paged-cache.ts";

/** Prompts are prefilled together up to so many tokens: enough for products, few enough for other calls to come in between. */
const PREFILL_TOKENS = 1024;

interface Prompt extends PagedPositions {
  /** Those under way, in the order in which they were started. */
  readonly sequences: Set<Sequence>;
  released: boolean;
}

interface Sequence extends DecodedSequence, PagedPositions {
  readonly inverseTemperature: number;
  row: number;
}

export class KernelDecoder implements Decoder {
  readonly #config: LlamaConfig;
  readonly #store: SampledWeights;
  readonly #options: { readonly kernels: Kernels; readonly mostPackedBytes?: number };
  readonly #cache: PagedCache;
  readonly #arena = new Arena();
  #means: DecodeMeans | undefined;
  /** Of which sequences are under way, in the order of their rows. */
  readonly #prompts = new Set<Prompt>();
  /** By number of rows; they name the pool of pages that there is, and lists of pages as long as the limits. */
  readonly #programs = new Map<number, DecodeProgram>();
  #programPages: Float32Array | undefined;
  #limits: PageLimits = { mostPromptPages: 1, mostOwnPages: 1 };

  constructor(
    config: LlamaConfig,
    store: SampledWeights,
    options: { readonly kernels: Kernels; readonly mostPackedBytes?: number },
  ) {
    this.#config = config;
    this.#store = store;
    this.#options = options;
    this.#cache = new PagedCache(config, { pagePositions: options.kernels.pagePositions });
  }

  /** Pages that hold keys and values. */
  get usedPages(): number {
    return this.#cache.usedPages;
  }

  async prefill(waiting: readonly Int32Array[]): Promise<readonly (PrefilledPrompt | undefined)[]> {
    const means = this.#ready();
    let total = 0;
    const chosen = waiting.filter((tokens, i) => (total += tokens.length) <= PREFILL_TOKENS || i === 0);
    const prompts = chosen.map((): Prompt => ({ pages: [], length: 0, sequences: new Set(), released: false }));
    const starts = new Int32Array(chosen.length + 1);
    for (const [i, { length }] of chosen.entries()) starts[i + 1] = starts[i]! + length;
    const tokens = new Int32Array(starts.at(-1)!);
    const places = new Int32Array(tokens.length);
    for (const [i, prompt] of prompts.entries()) {
      tokens.set(chosen[i]!, starts[i]);
      for (let row = starts[i]!; row < starts[i + 1]!; row++) places[row] = this.#cache.append(prompt);
    }
    if (tokens.length > 0) runPrefill(means, { tokens, starts, places });
    await turnOfOthers();
    const prefilled = new Map(prompts.map((prompt, i) => [chosen[i]!, this.#prefilled(prompt)]));
    return waiting.map((prompt) => prefilled.get(prompt));
  }

  async step(): Promise<StepResult> {
    const means = this.#ready();
    const sequences = [...this.#prompts].flatMap((prompt) => [...prompt.sequences]);
    const places = sequences.map((sequence) => this.#cache.append(sequence));
    const program = this.#programFor(means, sequences);
    program.places.set(places);
    this.#fill(program);
    program.run();
    await turnOfOthers();
    return program;
  }

  reset(): void {
    this.#prompts.clear();
    this.#programs.clear();
    this.#arena.clear();
    this.#cache.clear();
    this.#limits = { mostPromptPages: 1, mostOwnPages: 1 };
  }

  async close(): Promise<void> {
    this.reset();
    this.#means = undefined;
  }

  #ready(): DecodeMeans {
    const { kernels } = this.#options;
    this.#means ??= {
      config: this.#config,
      kernels,
      weights: new DecodeWeights(this.#config, this.#store, this.#options),
      tables: positionTables(this.#config),
      cache: this.#cache,
      arena: this.#arena,
    };
    this.#means.weights.refresh();
    return this.#means;
  }

  #prefilled(prompt: Prompt): PrefilledPrompt {
    const freeUnneeded = (): void => {
      if (prompt.sequences.size > 0) return;
      this.#prompts.delete(prompt);
      if (prompt.released) this.#cache.free(prompt);
    };
    return {
      start: (options) => {
        const sequence: Sequence = {
          ...options,
          pages: [],
          length: 0,
          row: -1,
          end: () => {
            prompt.sequences.delete(sequence);
            this.#cache.free(sequence);
            freeUnneeded();
          },
        };
        prompt.sequences.add(sequence);
        this.#prompts.add(prompt);
        return sequence;
      },
      release: () => {
        prompt.released = true;
        freeUnneeded();
      },
    };
  }

  /** The program for so many rows, written if there is none that fits the pages. */
  #programFor(means: DecodeMeans, sequences: readonly Sequence[]): DecodeProgram {
    const mostPages = (all: Iterable<PagedPositions>): number =>
      Array.from(all).reduce((most, { pages }) => Math.max(most, pages.length), 0);
    const mostPromptPages = roomFor(mostPages(this.#prompts), this.#limits.mostPromptPages);
    const mostOwnPages = roomFor(mostPages(sequences), this.#limits.mostOwnPages);
    const isRoomy = mostPromptPages === this.#limits.mostPromptPages && mostOwnPages === this.#limits.mostOwnPages;
    if (!isRoomy || this.#programPages !== this.#cache.pages) this.#programs.clear();
    this.#limits = { mostPromptPages, mostOwnPages };
    this.#programPages = this.#cache.pages;
    const rows = sequences.length;
    let program = this.#programs.get(rows);
    if (program === undefined) {
      program = new DecodeProgram(means, rows, this.#limits);
      this.#programs.set(rows, program);
    }
    return program;
  }

  /** Writes the inputs of a step but for the places, and gives the sequences their rows. */
  #fill(program: DecodeProgram): void {
    const { mostPromptPages, mostOwnPages } = this.#limits;
    let row = 0;
    let group = 0;
    for (const prompt of this.#prompts) {
      program.groupStarts[group] = row;
      program.promptPages.set(prompt.pages, group * mostPromptPages);
      program.promptLengths[group] = prompt.length;
      group++;
      for (const sequence of prompt.sequences) {
        program.tokens[row] = sequence.token;
        program.positions[row] = prompt.length + sequence.length - 1;
        program.inverseTemperatures[row] = sequence.inverseTemperature;
        program.ownPages.set(sequence.pages, row * mostOwnPages);
        program.ownLengths[row] = sequence.length;
        sequence.row = row++;
      }
    }
    program.groupStarts.fill(row, group);
    program.promptLengths.fill(0, group);
  }
}

/** Doubled until it is enough. */
function roomFor(count: number, room: number): number {
  let enough = room;
  while (enough < count) enough *= 2;
  return enough;
}

/** Kernels compute in this thread: what else waits in it, calls and aborts, has its turn after each of them. */
const turnOfOthers = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
