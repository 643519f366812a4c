/** What is read at the scored positions, as commands: the last norm, logits or scores, and the loss's gradient. */
import { matrixOf, rowsOf, valuesOf, type Matrix } from "./matrix.ts";
import { Normed } from "./normed.ts";
import { outputsOf, project, projectBackward } from "./projection.ts";
import { rowBlocks } from "./row-blocks.ts";
import type { Context } from "./training-program.ts";

/** So many logits may be in memory at once, */
const MOST_LOGITS = 1 << 20;
/** but as many rows of them as a product needs to be quick. */
const LEAST_LOGIT_ROWS = 64;

/** Reads the values of the stream [M, width]; gives the gradient of the stream if one is asked for. */
export function writeReading(context: Context, stream: Matrix): Matrix | undefined {
  const { program, arena, temporary, weights, config, batch, values, withGradients } = context;
  const { head } = weights;
  const norm = new Normed(context, weights.finalNorm, stream);
  const normed = norm.write(0, stream.rows);
  const flow = withGradients ? arena.matrix(stream.rows, stream.columns) : undefined;
  const vocabulary = outputsOf(head);
  const mostRows = Math.max(LEAST_LOGIT_ROWS, Math.floor(MOST_LOGITS / vocabulary));
  rowBlocks(stream.rows, mostRows).forEach(({ start, count }, block) => {
    const mark = temporary.mark;
    const x = rowsOf(normed, start, count);
    const lossWeights = valuesOf(batch.weights, start, count);
    let gradient: Matrix;
    if (config.output === "score") {
      project(context, head, x, { to: matrixOf(values, count, 1, start) });
      // d(value) = −w
      gradient = matrixOf(
        Float32Array.from({ length: count }, (_, i) => -batch.weights[start + i]!),
        count,
        1,
      );
    } else {
      gradient = temporary.matrix(count, vocabulary);
      project(context, head, x, { to: gradient });
      const targets = { data: batch.targets, offset: start };
      // With weights the logits become the loss's gradient in place.
      program.crossEntropy(gradient, targets, flow && lossWeights, valuesOf(values, start, count));
    }
    if (flow) {
      const to = rowsOf(flow, start, count);
      const accumulate = context.accumulate || block > 0;
      projectBackward(context, head, { x, gradient, record: [] }, { to, accumulate });
    }
    temporary.release(mark);
  });
  // Its own gradient takes its place: each row is read before it is written.
  if (flow) norm.backward(flow, { to: flow, start: 0, add: false });
  return flow;
}
