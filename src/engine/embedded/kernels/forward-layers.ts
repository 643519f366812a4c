/**
 * The layers of a forward pass without a gradient as commands: rows of N tokens, of prompts or of sequences being decoded.
 * What lies between a layer's queries, keys and values and what was attended to is the caller's.
 */
import { headSize, type LlamaConfig } from "../llama-parameters.ts";
import type { RotaryTables } from "../transformer-operators.ts";
import type { Arena } from "./arena.ts";
import type { DecodeWeights, Linear } from "./decode-weights.ts";
import type { Indices, KernelProgram } from "./kernel-program.ts";
import { columnsOf, rowsOf, type Matrix, type Values } from "./matrix.ts";

/** The widest activations, those of the feed-forward part, are made for so many rows at a time: they stay in a cache. */
const FEED_FORWARD_ROWS = 256;

export class ForwardLayers {
  readonly #config: LlamaConfig;
  readonly #program: KernelProgram;
  readonly #weights: DecodeWeights;
  readonly #tables: RotaryTables;
  readonly #positions: Int32Array;
  /** The residual stream, [N, width]. */
  readonly #hidden: Matrix;
  readonly #normalized: Matrix;
  readonly #queryKeyValue: Matrix;
  /** What attention gives, [N, heads · size]. */
  readonly attended: Matrix;
  readonly #gateAndUp: Matrix;
  readonly #gated: Matrix;

  /** `positions` are those of the N tokens. */
  constructor(
    config: LlamaConfig,
    options: {
      readonly program: KernelProgram;
      readonly arena: Arena;
      readonly weights: DecodeWeights;
      readonly tables: RotaryTables;
      readonly positions: Int32Array;
    },
  ) {
    const { headCount, keyValueHeadCount, hiddenSize, intermediateSize } = config;
    const { arena, positions } = options;
    const rows = positions.length;
    const size = headSize(config);
    this.#config = config;
    this.#program = options.program;
    this.#weights = options.weights;
    this.#tables = options.tables;
    this.#positions = positions;
    this.#hidden = arena.matrix(rows, hiddenSize);
    this.#normalized = arena.matrix(rows, hiddenSize);
    this.#queryKeyValue = arena.matrix(rows, (headCount + 2 * keyValueHeadCount) * size);
    this.attended = arena.matrix(rows, headCount * size);
    const fewer = Math.min(rows, FEED_FORWARD_ROWS);
    this.#gateAndUp = arena.matrix(fewer, 2 * intermediateSize);
    this.#gated = arena.matrix(fewer, intermediateSize);
  }

  embed(tokens: Int32Array): void {
    this.#program.gatherRows(this.#weights.embedding, { data: tokens }, this.#hidden);
  }

  /** Queries and keys of a layer in their positions, and values; each row's heads side by side. */
  project(index: number): { readonly queries: Matrix; readonly keys: Matrix; readonly values: Matrix } {
    const { headCount, keyValueHeadCount } = this.#config;
    const layer = this.#weights.layers[index]!;
    const size = headSize(this.#config);
    this.#norm(this.#hidden, layer.attentionNorm, this.#normalized);
    this.#linear(this.#normalized, layer.queryKeyValue, this.#queryKeyValue);
    const queries = columnsOf(this.#queryKeyValue, 0, headCount * size);
    const keys = columnsOf(this.#queryKeyValue, headCount * size, keyValueHeadCount * size);
    const values = columnsOf(this.#queryKeyValue, (headCount + keyValueHeadCount) * size, keyValueHeadCount * size);
    if (layer.queryNorm) this.#norm(queries, layer.queryNorm, queries);
    if (layer.keyNorm) this.#norm(keys, layer.keyNorm, keys);
    const positions: Indices = { data: this.#positions };
    // Queries and keys lie side by side.
    const turned = columnsOf(this.#queryKeyValue, 0, (headCount + keyValueHeadCount) * size);
    this.#program.rotate({ x: turned, headSize: size, positions, ...this.#tables, direction: 1 });
    return { queries, keys, values };
  }

  /** The rest of a layer, after `attended` has been written. */
  finish(index: number): void {
    const layer = this.#weights.layers[index]!;
    const { intermediateSize } = this.#config;
    this.#linear(this.attended, layer.attentionOutput, this.#hidden, this.#hidden);
    this.#norm(this.#hidden, layer.feedForwardNorm, this.#normalized);
    for (let start = 0; start < this.#hidden.rows; start += FEED_FORWARD_ROWS) {
      const count = Math.min(FEED_FORWARD_ROWS, this.#hidden.rows - start);
      const gateAndUp = rowsOf(this.#gateAndUp, 0, count);
      const gated = rowsOf(this.#gated, 0, count);
      let column = 0;
      for (const linear of layer.gateAndUp) {
        this.#linear(rowsOf(this.#normalized, start, count), linear, columnsOf(gateAndUp, column, linear.columns));
        column += linear.columns;
      }
      const half = (first: number): Matrix => columnsOf(gateAndUp, first, intermediateSize);
      this.#program.swiGlu(half(0), half(intermediateSize), gated);
      const hidden = rowsOf(this.#hidden, start, count);
      this.#linear(gated, layer.down, hidden, hidden);
    }
  }

  /** [N, vocabulary] */
  logits(to: Matrix): void {
    this.#norm(this.#hidden, this.#weights.finalNorm, this.#normalized);
    this.#linear(this.#normalized, this.#weights.head, to);
  }

  #norm(x: Matrix, weight: Values, to: Matrix): void {
    this.#program.rmsNorm({ x, weight, epsilon: this.#config.rmsNormEpsilon, to, inverses: undefined });
  }

  #linear(left: Matrix, linear: Linear, to: Matrix, addend?: Matrix): void {
    this.#program.product({ left, ...linear, to, addend });
  }
}
