/**
 * The commands that score a micro-batch and, if asked, differentiate the weighted sum of the values read at M positions:
 * log-probabilities of the tokens that follow them, or scores. Sequences lie end to end, N tokens in all. The residual
 * stream goes up through the parts of every layer (`attention-part.ts`, `feed-forward-part.ts`, `reading-part.ts`); its
 * gradient, `flow`, comes down the same way, and every part adds to it what flows through the part.
 */
import type { LlamaConfig } from "../llama-parameters.ts";
import type { RotaryTables } from "../transformer-operators.ts";
import { AttentionPart } from "./attention-part.ts";
import { FeedForwardPart } from "./feed-forward-part.ts";
import { rowsOf, type Matrix } from "./matrix.ts";
import type { Writing } from "./projection.ts";
import { writeReading } from "./reading-part.ts";
import type { TrainingWeights } from "./training-weights.ts";

/** A micro-batch. */
export interface Batch {
  /** [N] */
  readonly tokens: Int32Array;
  /** [N]: each token's place in its sequence. */
  readonly positions: Int32Array;
  /** [sequences + 1]: where each sequence begins, and the end. */
  readonly starts: Int32Array;
  /** [M], at least one: the rows at which a value is read. */
  readonly scored: Int32Array;
  /** [M]: the tokens whose log-probabilities are read; of no effect with a score head. */
  readonly targets: Int32Array;
  /** [M]: of each value in the loss, Σ w·(−value). */
  readonly weights: Float32Array;
}

export interface TrainingModel {
  readonly config: LlamaConfig;
  readonly weights: TrainingWeights;
  readonly tables: RotaryTables;
}

export interface BatchOptions {
  /** [M]: filled when the commands run. */
  readonly values: Float32Array;
  readonly withGradients: boolean;
  /**
   * Whether gradients are added to what is there, or, those of matrices, take its place. Those of norms and biases are
   * always added.
   */
  readonly accumulate: boolean;
}

export interface Context extends Writing, TrainingModel, BatchOptions {
  readonly batch: Batch;
}

/** Writes the commands of a micro-batch. */
export function writeBatch(writing: Writing, model: TrainingModel, batch: Batch, options: BatchOptions): void {
  const context: Context = { ...writing, ...model, ...options, batch };
  const { program, arena, weights, withGradients } = context;
  const { hiddenSize, layerCount } = model.config;
  const count = batch.tokens.length;
  const newStream = (): Matrix => arena.matrix(count, hiddenSize);
  // Without gradients a stream is of no use any more once the next is there.
  const twoStreams = [newStream(), newStream()];
  let stream = twoStreams[0]!;
  program.gatherRows(weights.embedding.value, { data: batch.tokens }, stream);
  const layers: Layer[] = [];
  for (let index = 0; index < layerCount; index++) {
    const above = withGradients && index > 0 ? newStream() : twoStreams[(index + 1) % 2]!;
    const mark = arena.mark;
    const layer = new Layer(context, index, stream, above);
    if (withGradients) layers.push(layer);
    else arena.release(mark);
    stream = layer.above;
  }
  let flow = writeReading(context, stream);
  if (flow === undefined) return;
  for (let index = layerCount - 1; index >= Math.max(0, weights.lowestLayer); index--) {
    flow = layers[index]!.backward(flow);
  }
  const { gradient } = weights.embedding;
  if (gradient === undefined) return;
  if (!weights.headIsEmbedding && !options.accumulate) program.fill(gradient, 0);
  program.scatterAddRows(flow, { data: batch.tokens }, gradient);
}

/** One layer, from a stream [N, width] to the one above it: of the last layer, only the M scored rows. */
class Layer {
  readonly above: Matrix;
  readonly #context: Context;
  readonly #isLast: boolean;
  readonly #attention: AttentionPart;
  readonly #feedForward: FeedForwardPart;

  constructor(context: Context, index: number, stream: Matrix, above: Matrix) {
    const { arena, program, batch, config, weights } = context;
    this.#context = context;
    this.#isLast = index === config.layerCount - 1;
    this.#attention = new AttentionPart(context, index, stream);
    this.above = this.#isLast ? rowsOf(above, 0, batch.scored.length) : above;
    const goingOn = (x: Matrix): Matrix => {
      if (!this.#isLast) return x;
      const scored = arena.matrix(batch.scored.length, x.columns);
      program.gatherRows(x, { data: batch.scored }, scored);
      return scored;
    };
    const below = { stream: goingOn(stream), attended: goingOn(this.#attention.attended) };
    this.#feedForward = new FeedForwardPart(context, weights.layers[index]!, { ...below, above: this.above });
  }

  /** The gradient of the stream below, in the memory of the one above unless that has fewer rows. */
  backward(flow: Matrix): Matrix {
    const { arena, temporary } = this.#context;
    const { attended } = this.#attention;
    const mark = temporary.mark;
    const attendedGradient = temporary.matrix(flow.rows, attended.columns);
    this.#feedForward.backward(flow, attendedGradient);
    if (!this.#isLast) {
      this.#attention.backward(attendedGradient, flow);
      temporary.release(mark);
      return flow;
    }
    const below = this.#scatter(flow, arena.matrix(attended.rows, flow.columns));
    this.#attention.backward(this.#scatter(attendedGradient, temporary.matrix(attended.rows, attended.columns)), below);
    temporary.release(mark);
    return below;
  }

  /** The gradient of all rows: 0 but for the scored ones. */
  #scatter(scored: Matrix, to: Matrix): Matrix {
    const { program, batch } = this.#context;
    program.fill(to, 0);
    program.scatterAddRows(scored, { data: batch.scored }, to);
    return to;
  }
}
