/** One step of so many sequences as commands, written once: what changes from step to step is in its integers. */
import { type LlamaConfig } from "../llama-parameters.ts";
import type { RotaryTables } from "../transformer-operators.ts";
import type { Kernels } from "./addon.ts";
import { Arena } from "./arena.ts";
import type { DecodeWeights } from "./decode-weights.ts";
import { ForwardLayers } from "./forward-layers.ts";
import { KernelProgram } from "./kernel-program.ts";
import { valuesOf, type Matrix } from "./matrix.ts";
import type { PagedCache } from "./paged-cache.ts";

/** What programs are written with. */
export interface DecodeMeans {
  readonly config: LlamaConfig;
  readonly kernels: Kernels;
  readonly weights: DecodeWeights;
  readonly tables: RotaryTables;
  readonly cache: PagedCache;
  /** Of activations, which no program needs after it has run but for its results. */
  readonly arena: Arena;
}

/** Room for the lists of pages in a program's integers. */
export interface PageLimits {
  readonly mostPromptPages: number;
  readonly mostOwnPages: number;
}

/** The inputs of a step; one row per sequence. Groups, of neighbours with a common prompt, are as many as rows: some may be empty. */
export class DecodeProgram {
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  /** Where the cache takes this token's keys and values. */
  readonly places: Int32Array;
  readonly inverseTemperatures: Float32Array;
  /** [groups + 1] */
  readonly groupStarts: Int32Array;
  /** [groups, mostPromptPages] */
  readonly promptPages: Int32Array;
  readonly promptLengths: Int32Array;
  /** [rows, mostOwnPages] */
  readonly ownPages: Int32Array;
  /** With this token. */
  readonly ownLengths: Int32Array;
  /** By row, then by token. */
  readonly logProbabilities: readonly Float32Array[];
  readonly probabilities: readonly Float32Array[];
  readonly #program: KernelProgram;

  constructor(means: DecodeMeans, rows: number, limits: PageLimits) {
    const { config, kernels, arena, cache } = means;
    this.tokens = new Int32Array(rows);
    this.positions = new Int32Array(rows);
    this.places = new Int32Array(rows);
    this.inverseTemperatures = new Float32Array(rows);
    this.groupStarts = new Int32Array(rows + 1);
    this.promptPages = new Int32Array(rows * limits.mostPromptPages);
    this.promptLengths = new Int32Array(rows);
    this.ownPages = new Int32Array(rows * limits.mostOwnPages);
    this.ownLengths = new Int32Array(rows);

    const program = new KernelProgram(kernels);
    const mark = arena.mark;
    const layers = new ForwardLayers(config, { ...means, program, positions: this.positions });
    layers.embed(this.tokens);
    for (let index = 0; index < config.layerCount; index++) {
      const { queries, keys, values } = layers.project(index);
      const layer = cache.layer(index);
      program.cacheWrite(layer, { data: this.places }, keys, values);
      program.decodeAttention(layer, {
        groupStarts: this.groupStarts,
        promptPages: this.promptPages,
        mostPromptPages: limits.mostPromptPages,
        promptLengths: this.promptLengths,
        ownPages: this.ownPages,
        mostOwnPages: limits.mostOwnPages,
        ownLengths: this.ownLengths,
        headCount: config.headCount,
        queries,
        attended: layers.attended,
      });
      layers.finish(index);
    }
    const { vocabularySize } = config;
    const logits = arena.matrix(rows, vocabularySize);
    const probabilities = arena.matrix(rows, vocabularySize);
    layers.logits(logits);
    const probabilityValues = { ...probabilities, length: rows * vocabularySize };
    program.tokenProbabilities(logits, valuesOf(this.inverseTemperatures), probabilityValues);
    arena.release(mark);
    this.#program = program;
    this.logProbabilities = rowsIn(logits);
    this.probabilities = rowsIn(probabilities);
  }

  run(): void {
    this.#program.run();
  }
}

/** Writes the keys and values of prompts of given lengths, laid end to end, at `places`. */
export function runPrefill(
  means: DecodeMeans,
  prompts: { readonly tokens: Int32Array; readonly starts: Int32Array; readonly places: Int32Array },
): void {
  const { config, kernels, arena, cache } = means;
  const { tokens, starts, places } = prompts;
  const positions = new Int32Array(tokens.length);
  for (let s = 0; s + 1 < starts.length; s++) {
    for (let row = starts[s]!; row < starts[s + 1]!; row++) positions[row] = row - starts[s]!;
  }
  const program = new KernelProgram(kernels);
  const mark = arena.mark;
  const layers = new ForwardLayers(config, { ...means, program, positions });
  const { headCount, keyValueHeadCount, layerCount } = config;
  layers.embed(tokens);
  for (let index = 0; index < layerCount; index++) {
    const { queries, keys, values } = layers.project(index);
    const { headSize, ...layer } = cache.layer(index);
    program.cacheWrite({ headSize, ...layer }, { data: places }, keys, values);
    // The last layer's keys and values are all that is asked of it.
    if (index === layerCount - 1) break;
    const { attended } = layers;
    const heads = { headCount, keyValueHeadCount, headSize };
    program.attention({ starts, ...heads, queries, keys, values, attended, logSums: undefined });
    layers.finish(index);
  }
  arena.release(mark);
  program.run();
}

const rowsIn = ({ data, offset, rows, columns, stride }: Matrix): Float32Array[] =>
  Array.from({ length: rows }, (_, row) => data.subarray(offset + row * stride, offset + row * stride + columns));
