/** A layer's first half, as commands: the norm, queries, keys and values, their positions, and causal attention. */
import { headSize } from "../llama-parameters.ts";
import type { Arena } from "./arena.ts";
import type { AttentionOperands } from "./kernel-program.ts";
import { columnsOf, rowsOf, type Matrix } from "./matrix.ts";
import { Normed } from "./normed.ts";
import { project, projectBackward, type ProjectionRecord } from "./projection.ts";
import { rowBlocks, type RowBlock } from "./row-blocks.ts";
import type { Context } from "./training-program.ts";
import type { LayerWeights } from "./training-weights.ts";

/** Queries, keys and values side by side, and the columns of each. */
interface Heads {
  readonly queries: Matrix;
  readonly keys: Matrix;
  readonly values: Matrix;
}

export class AttentionPart {
  /** [N, heads · size] */
  readonly attended: Matrix;
  readonly #context: Context;
  readonly #weights: LayerWeights;
  readonly #isLowest: boolean;
  readonly #norm: Normed;
  readonly #records: ProjectionRecord[] = [];
  /** Of the product. */
  readonly #projected: Heads;
  /** Queries and keys that each head normalized, where it does. */
  readonly #headNorms: readonly Normed[];
  readonly #operands: AttentionOperands;

  /** Reads the stream [N, width]. */
  constructor(context: Context, index: number, stream: Matrix) {
    const { program, arena, config, batch, withGradients } = context;
    const weights = context.weights.layers[index]!;
    this.#context = context;
    this.#weights = weights;
    this.#isLowest = index === context.weights.lowestLayer;
    const rows = stream.rows;
    this.#norm = new Normed(context, weights.attentionNorm, stream);
    const all = this.#newHeads(rows, arena);
    for (const { start, count } of rowBlocks(rows)) {
      const x = this.#norm.write(start, count);
      this.#records.push(project(context, weights.queryKeyValue, x, { to: rowsOf(all, start, count) }));
    }
    this.#projected = this.#split(all);

    let { queries, keys } = this.#projected;
    this.#headNorms = [];
    if (weights.queryNorm && weights.keyNorm) {
      const norms = [
        new Normed(context, weights.queryNorm, queries),
        new Normed(context, weights.keyNorm, keys),
      ] as const;
      [queries, keys] = [norms[0].write(0, rows), norms[1].write(0, rows)];
      this.#headNorms = norms;
    }
    this.#turn([queries, keys], 1);
    this.attended = arena.matrix(rows, queries.columns);
    this.#operands = {
      starts: batch.starts,
      headCount: config.headCount,
      keyValueHeadCount: config.keyValueHeadCount,
      headSize: headSize(config),
      queries,
      keys,
      values: this.#projected.values,
      attended: this.attended,
      logSums: withGradients ? arena.values(rows * config.headCount) : undefined,
    };
    program.attention(this.#operands);
  }

  /** From the gradient of `attended` [N, heads · size]; adds to that of the stream, `flow`. */
  backward(attended: Matrix, flow: Matrix): void {
    const { program, temporary } = this.#context;
    if (this.#isLowest && this.#weights.queryKeyValue.adapters.length === 0) return;
    const rows = flow.rows;
    const mark = temporary.mark;
    const all = this.#newHeads(rows, temporary);
    const { queries, keys, values } = this.#split(all);
    const [queryNorm, keyNorm] = this.#headNorms;
    if (queryNorm && keyNorm) {
      const [turnedQueries, turnedKeys] = [queries, keys].map((x) => temporary.matrix(rows, x.columns)) as [
        Matrix,
        Matrix,
      ];
      const gradients = { attended, queries: turnedQueries, keys: turnedKeys, values };
      program.attentionBackward(this.#operands, gradients);
      this.#turn([turnedQueries, turnedKeys], -1);
      queryNorm.backward(turnedQueries, { to: queries, start: 0, add: false });
      keyNorm.backward(turnedKeys, { to: keys, start: 0, add: false });
    } else {
      program.attentionBackward(this.#operands, { attended, queries, keys, values });
      this.#turn([queries, keys], -1);
    }
    rowBlocks(rows).forEach((block, index) => this.#projectBackward(block, index, { gradient: all, flow }));
    temporary.release(mark);
  }

  /** From the gradient of queries, keys and values to that of the norm, and of the stream unless nothing lies below. */
  #projectBackward(
    { start, count }: RowBlock,
    index: number,
    { gradient, flow }: { readonly gradient: Matrix; readonly flow: Matrix },
  ): void {
    const { temporary } = this.#context;
    const mark = temporary.mark;
    const to = this.#isLowest ? undefined : temporary.matrix(count, flow.columns);
    const x = this.#norm.rows(start, count);
    const through = { x, gradient: rowsOf(gradient, start, count), record: this.#records[index]! };
    const accumulate = this.#context.accumulate || index > 0;
    projectBackward(this.#context, this.#weights.queryKeyValue, through, { to, accumulate });
    if (to) this.#norm.backward(to, { to: rowsOf(flow, start, count), start, add: true });
    temporary.release(mark);
  }

  /** Turns heads by their rows' positions, in place. */
  #turn(parts: readonly Matrix[], direction: 1 | -1): void {
    const { program, config, batch, tables } = this.#context;
    const { cosine, sine } = tables;
    for (const x of parts) {
      const positions = { data: batch.positions };
      program.rotate({ x, headSize: headSize(config), positions, cosine, sine, direction });
    }
  }

  #newHeads(rows: number, arena: Arena): Matrix {
    const { headCount, keyValueHeadCount } = this.#context.config;
    return arena.matrix(rows, (headCount + 2 * keyValueHeadCount) * headSize(this.#context.config));
  }

  #split(all: Matrix): Heads {
    const { headCount, keyValueHeadCount } = this.#context.config;
    const size = headSize(this.#context.config);
    const part = (first: number, count: number): Matrix => columnsOf(all, first * size, count * size);
    return {
      queries: part(0, headCount),
      keys: part(headCount, keyValueHeadCount),
      values: part(headCount + keyValueHeadCount, keyValueHeadCount),
    };
  }
}
