/** A layer's second half, as commands: what was attended to goes back into the stream, then the feed-forward part. */
import { columnsOf, rowsOf, type Matrix } from "./matrix.ts";
import { Normed } from "./normed.ts";
import { outputsOf, project, projectBackward, type ProjectionRecord } from "./projection.ts";
import { rowBlocks } from "./row-blocks.ts";
import type { Context } from "./training-program.ts";
import type { LayerWeights } from "./training-weights.ts";

/** What the gradient of a block of rows needs. */
interface BlockRecord {
  readonly attended: ProjectionRecord;
  readonly gateAndUp: ProjectionRecord;
  readonly down: ProjectionRecord;
}

export interface FeedForwardOperands {
  /** [R, width] */
  readonly stream: Matrix;
  /** [R, heads · size] */
  readonly attended: Matrix;
  /** [R, width]: where the stream above goes. */
  readonly above: Matrix;
}

export class FeedForwardPart {
  readonly #context: Context;
  readonly #weights: LayerWeights;
  readonly #attended: Matrix;
  readonly #norm: Normed;
  /** [R, 2F]: gate and up side by side. */
  readonly #gateAndUp: Matrix;
  /** [R, F]: silu(gate) ∘ up */
  readonly #gated: Matrix;
  readonly #records: BlockRecord[];

  constructor(context: Context, weights: LayerWeights, { stream, attended, above }: FeedForwardOperands) {
    const { program, arena, withGradients } = context;
    this.#context = context;
    this.#weights = weights;
    this.#attended = attended;
    const rows = stream.rows;
    const blocks = rowBlocks(rows);
    const width = outputsOf(weights.gateAndUp) / 2;
    // Without gradients the next block may use the same memory.
    const kept = withGradients ? rows : Math.max(...blocks.map(({ count }) => count));
    const middle = arena.matrix(rows, stream.columns);
    this.#norm = new Normed(context, weights.feedForwardNorm, middle);
    this.#gateAndUp = arena.matrix(kept, 2 * width);
    this.#gated = arena.matrix(kept, width);
    this.#records = blocks.map(({ start, count }) => {
      const part = (matrix: Matrix): Matrix => rowsOf(matrix, start, count);
      const temporary = (matrix: Matrix): Matrix => rowsOf(matrix, withGradients ? start : 0, count);
      const [gateAndUp, gated] = [temporary(this.#gateAndUp), temporary(this.#gated)];
      const attendedRecord = project(context, weights.attentionOutput, part(attended), {
        to: part(middle),
        addend: part(stream),
      });
      const x = this.#norm.write(start, count);
      const gateAndUpRecord = project(context, weights.gateAndUp, x, { to: gateAndUp });
      program.swiGlu(columnsOf(gateAndUp, 0, width), columnsOf(gateAndUp, width, width), gated);
      const down = project(context, weights.down, gated, { to: part(above), addend: part(middle) });
      return { attended: attendedRecord, gateAndUp: gateAndUpRecord, down };
    });
  }

  /** Makes `flow`, the gradient of the stream above, that of the stream below; gives the gradient of `attended`. */
  backward(flow: Matrix): Matrix {
    const { program, arena, accumulate: always } = this.#context;
    const { attentionOutput, gateAndUp, down } = this.#weights;
    const attendedGradient = arena.matrix(flow.rows, this.#attended.columns);
    const width = this.#gated.columns;
    rowBlocks(flow.rows).forEach(({ start, count }, block) => {
      const part = (matrix: Matrix): Matrix => rowsOf(matrix, start, count);
      const accumulate = always || block > 0;
      const record = this.#records[block]!;
      const mark = arena.mark;
      const gatedGradient = arena.matrix(count, width);
      const ofDown = { x: part(this.#gated), gradient: part(flow), record: record.down };
      projectBackward(this.#context, down, ofDown, { to: gatedGradient, accumulate });

      const [gate, up] = [0, width].map((first) => part(columnsOf(this.#gateAndUp, first, width))) as [Matrix, Matrix];
      const both = arena.matrix(count, 2 * width);
      const gradients = { to: gatedGradient, gate: columnsOf(both, 0, width), up: columnsOf(both, width, width) };
      program.swiGluBackward(gate, up, gradients);

      const normed = arena.matrix(count, flow.columns);
      const ofBoth = { x: this.#norm.rows(start, count), gradient: both, record: record.gateAndUp };
      projectBackward(this.#context, gateAndUp, ofBoth, { to: normed, accumulate });
      this.#norm.backward(normed, { to: part(flow), start, add: true });

      const ofAttended = { x: part(this.#attended), gradient: part(flow), record: record.attended };
      projectBackward(this.#context, attentionOutput, ofAttended, { to: part(attendedGradient), accumulate });
      arena.release(mark);
    });
    return attendedGradient;
  }
}
