/** A layer's second half, as commands: what was attended to goes back into the stream, then the feed-forward part. */
import { columnsOf, rowsOf, type Matrix } from "./matrix.ts";
import { Normed } from "./normed.ts";
import { outputsOf, project, projectBackward, type ProjectionRecord } from "./projection.ts";
import { rowBlocks, type RowBlock } from "./row-blocks.ts";
import type { Context } from "./training-program.ts";
import type { LayerWeights } from "./training-weights.ts";

/** What the gradient of a block of rows needs. */
interface BlockRecord {
  readonly attended: ProjectionRecord;
  readonly gateAndUp: ProjectionRecord;
  readonly down: ProjectionRecord;
}

interface FeedForwardOperands {
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
    const keptRows = withGradients ? rows : Math.max(...blocks.map(({ count }) => count));
    const middle = arena.matrix(rows, stream.columns);
    this.#norm = new Normed(context, weights.feedForwardNorm, middle);
    this.#gateAndUp = arena.matrix(keptRows, 2 * width);
    this.#gated = arena.matrix(keptRows, width);
    this.#records = blocks.map(({ start, count }) => {
      const part = (matrix: Matrix): Matrix => rowsOf(matrix, start, count);
      const kept = (matrix: Matrix): Matrix => rowsOf(matrix, withGradients ? start : 0, count);
      const [gateAndUp, gated] = [kept(this.#gateAndUp), kept(this.#gated)];
      const { attentionOutput, down } = weights;
      const ofAttended = { to: part(middle), addend: part(stream) };
      const attendedRecord = project(context, attentionOutput, part(attended), ofAttended);
      const x = this.#norm.write(start, count);
      const gateAndUpRecord = project(context, weights.gateAndUp, x, { to: gateAndUp });
      program.swiGlu(columnsOf(gateAndUp, 0, width), columnsOf(gateAndUp, width, width), gated);
      const ofGated = { to: part(above), addend: part(middle) };
      const downRecord = project(context, down, gated, ofGated);
      return { attended: attendedRecord, gateAndUp: gateAndUpRecord, down: downRecord };
    });
  }

  /** Makes `flow`, the gradient of the stream above, that of the stream below; writes the gradient of `attended`. */
  backward(flow: Matrix, attendedGradient: Matrix): void {
    rowBlocks(flow.rows).forEach((rows, block) => this.#backwardBlock(rows, block, { flow, attendedGradient }));
  }

  #backwardBlock(
    { start, count }: RowBlock,
    block: number,
    whole: { readonly flow: Matrix; readonly attendedGradient: Matrix },
  ): void {
    const { program, temporary } = this.#context;
    const { attentionOutput, gateAndUp, down } = this.#weights;
    const record = this.#records[block]!;
    const accumulate = this.#context.accumulate || block > 0;
    const width = this.#gated.columns;
    const part = (matrix: Matrix): Matrix => rowsOf(matrix, start, count);
    const flow = part(whole.flow);
    const mark = temporary.mark;

    const gated = temporary.matrix(count, width);
    const throughDown = { x: part(this.#gated), gradient: flow, record: record.down };
    projectBackward(this.#context, down, throughDown, { to: gated, accumulate });

    const both = temporary.matrix(count, 2 * width);
    program.swiGluBackward(part(columnsOf(this.#gateAndUp, 0, width)), part(columnsOf(this.#gateAndUp, width, width)), {
      to: gated,
      gate: columnsOf(both, 0, width),
      up: columnsOf(both, width, width),
    });

    const normed = temporary.matrix(count, flow.columns);
    const throughBoth = { x: this.#norm.rows(start, count), gradient: both, record: record.gateAndUp };
    projectBackward(this.#context, gateAndUp, throughBoth, { to: normed, accumulate });
    this.#norm.backward(normed, { to: flow, start, add: true });

    const throughAttended = { x: part(this.#attended), gradient: flow, record: record.attended };
    projectBackward(this.#context, attentionOutput, throughAttended, { to: part(whole.attendedGradient), accumulate });
    temporary.release(mark);
  }
}
