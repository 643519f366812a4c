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
  const { program, arena, weights, config, batch, values, withGradients } = context;
  const { head } = weights;
  const norm = new Normed(context, weights.finalNorm, stream);
  const normed = norm.write(0, stream.rows);
  const vocabulary = outputsOf(head);
  const flow = withGradients ? arena.matrix(stream.rows, stream.columns) : undefined;
  const mostRows = Math.max(LEAST_LOGIT_ROWS, Math.floor(MOST_LOGITS / vocabulary));
  rowBlocks(stream.rows, mostRows).forEach(({ start, count }, block) => {
    const mark = arena.mark;
    const x = rowsOf(normed, start, count);
    let gradient: Matrix;
    if (config.output === "score") {
      project(context, head, x, { to: matrixOf(values, count, 1, start) });
      // d(value) = −w
      gradient = matrixOf(
        batch.weights.map((weight) => -weight),
        count,
        1,
        start,
      );
    } else {
      gradient = arena.matrix(count, vocabulary);
      project(context, head, x, { to: gradient });
      const places = { targets: { data: batch.targets, offset: start }, values: valuesOf(values, start, count) };
      const lossWeights = withGradients ? valuesOf(batch.weights, start, count) : undefined;
      // The logits become the loss's gradient in place.
      program.crossEntropy(gradient, places.targets, lossWeights, places.values);
    }
    if (flow) {
      const accumulate = context.accumulate || block > 0;
      projectBackward(context, head, { x, gradient, record: [] }, { to: rowsOf(flow, start, count), accumulate });
    }
    arena.release(mark);
  });
  if (flow) {
    // Its own gradient takes its place: each row is read before it is written.
    norm.backward(flow, { to: flow, start: 0, add: false });
  }
  return flow;
}
