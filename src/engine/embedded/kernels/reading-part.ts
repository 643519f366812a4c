/** What is read at the scored positions, as commands: the last norm, logits or scores, and the loss's gradient. */
import { matrixOf, rowsOf, valuesOf, type Matrix } from "./matrix.ts";
import { Normed } from "./normed.ts";
import { outputsOf, project, projectBackward, withPacked, type RightSide } from "./projection.ts";
import { rowBlocks } from "./row-blocks.ts";
import type { Context } from "./training-program.ts";

/** So many logits may be in memory at once, */
const MOST_LOGITS = 1 << 20;
/** but as many rows of them as a product needs to be quick. */
const LEAST_LOGIT_ROWS = 64;

/** Reads the values of the stream [M, width]; gives the gradient of the stream if one is asked for. */
export function writeReading(context: Context, stream: Matrix): Matrix | undefined {
  const { arena, weights, withGradients } = context;
  const norm = new Normed(context, weights.finalNorm, stream);
  const normed = norm.write(0, stream.rows);
  if (!withGradients) {
    withPacked(context, weights.head, true, (packed) => readBlocks(context, normed, { packed }));
    return undefined;
  }
  const flow = arena.matrix(stream.rows, stream.columns);
  withPacked(context, weights.head, true, (packed) =>
    withPacked(context, weights.head, false, (packedBackward) =>
      readBlocks(context, normed, { packed, backward: { packed: packedBackward, to: flow } }),
    ),
  );
  // Its own gradient takes its place: each row is read before it is written.
  norm.backward(flow, { to: flow, start: 0, add: false });
  return flow;
}

/** Reads the values of normalized rows, and turns their part of the loss into their gradient, a block after the other. */
function readBlocks(
  context: Context,
  normed: Matrix,
  options: {
    readonly packed: readonly RightSide[];
    readonly backward?: { readonly packed: readonly RightSide[]; readonly to: Matrix };
  },
): void {
  const { program, temporary, config, batch, values } = context;
  const { head } = context.weights;
  const { packed, backward } = options;
  const vocabulary = outputsOf(head);
  const mostRows = Math.max(LEAST_LOGIT_ROWS, Math.floor(MOST_LOGITS / vocabulary));
  rowBlocks(normed.rows, mostRows).forEach(({ start, count }, block) => {
    const mark = temporary.mark;
    const x = rowsOf(normed, start, count);
    let gradient: Matrix;
    if (config.output === "score") {
      project(context, head, x, { packed, to: matrixOf(values, count, 1, start) });
      // d(value) = −w
      gradient = matrixOf(negative(batch.weights), count, 1, start);
    } else {
      gradient = temporary.matrix(count, vocabulary);
      project(context, head, x, { packed, to: gradient });
      const targets = { data: batch.targets, offset: start };
      const weights = backward && valuesOf(batch.weights, start, count);
      // With weights the logits become the loss's gradient in place.
      program.crossEntropy(gradient, targets, weights, valuesOf(values, start, count));
    }
    if (backward) {
      const input = { packed: backward.packed, to: rowsOf(backward.to, start, count) };
      const accumulate = context.accumulate || block > 0;
      projectBackward(context, head, { x, gradient, record: [] }, { input, accumulate });
    }
    temporary.release(mark);
  });
}

const negative = (values: Float32Array): Float32Array => values.map((value) => -value);
