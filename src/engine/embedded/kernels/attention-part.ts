/** A layer's first half, as commands: the norm, queries, keys and values, their positions, and causal attention. */
import { headSize } from "../llama-parameters.ts";
import type { AttentionOperands } from "./kernel-program.ts";
import { columnsOf, rowsOf, type Matrix } from "./matrix.ts";
import { Normed } from "./normed.ts";
import { project, projectBackward, type ProjectionRecord } from "./projection.ts";
import { rowBlocks } from "./row-blocks.ts";
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
    const all = this.#newHeads(rows);
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
    const { program, arena, accumulate } = this.#context;
    const { queryKeyValue } = this.#weights;
    if (this.#isLowest && queryKeyValue.adapters.length === 0) return;
    const rows = flow.rows;
    const all = this.#newHeads(rows);
    const { queries, keys, values } = this.#split(all);
    const [queryNorm, keyNorm] = this.#headNorms;
    if (queryNorm && keyNorm) {
      const [turnedQueries, turnedKeys] = [queries, keys].map((x) => arena.matrix(rows, x.columns)) as [Matrix, Matrix];
      const gradients = { attended, queries: turnedQueries, keys: turnedKeys, values };
      program.attentionBackward(this.#operands, gradients);
      this.#turn([turnedQueries, turnedKeys], -1);
      queryNorm.backward(turnedQueries, { to: queries, start: 0, add: false });
      keyNorm.backward(turnedKeys, { to: keys, start: 0, add: false });
    } else {
      program.attentionBackward(this.#operands, { attended, queries, keys, values });
      this.#turn([queries, keys], -1);
    }
    rowBlocks(rows).forEach(({ start, count }, block) => {
      const mark = arena.mark;
      const normed = this.#isLowest ? undefined : arena.matrix(count, flow.columns);
      const x = this.#norm.rows(start, count);
      const through = { x, gradient: rowsOf(all, start, count), record: this.#records[block]! };
      projectBackward(this.#context, queryKeyValue, through, { to: normed, accumulate: accumulate || block > 0 });
      if (normed) this.#norm.backward(normed, { to: rowsOf(flow, start, count), start, add: true });
      arena.release(mark);
    });
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

  #newHeads(rows: number): Matrix {
    const { headCount, keyValueHeadCount } = this.#context.config;
    return this.#context.arena.matrix(rows, (headCount + 2 * keyValueHeadCount) * headSize(this.#context.config));
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
