/**
 * Fused differentiable operators of a Llama-style transformer. In the comments g is the gradient of the loss with
 * respect to the output, d(x) the gradient with respect to x, ∘ the elementwise product.
 */
import type { Shape, Tape, Value } from "./autodiff.ts";
import type { RopeScaling } from "./llama-parameters.ts";
import { MICROSOFT_DOMAIN, type Dimension } from "./onnx-writer.ts";

/**
 * y = w ∘ x̂ with x̂ = x / rms(x) over the last axis, rms(x) = √(mean(x²) + ε), and a weight w [width]. With r = 1 / rms(x),
 * the operator's second output: d(w) = Σ over the rows of r ∘ g ∘ x; d(x) = r ∘ (g ∘ w − x̂ ∘ mean(g ∘ w ∘ x̂)).
 * Both need t = g ∘ x, and their sums are products of t with a vector: d(w) = rᵀ·t and
 * d(x) = g ∘ w ∘ r − x ∘ c with c = r³ ∘ (t·w) / width, which has one number per row.
 */
export function rmsNorm(tape: Tape, x: Value, weight: Value, options: { readonly epsilon: number }): Value {
  const { y, backward } = normalize(tape, x, weight, options.epsilon);
  return tape.record(y, [x, weight], (g) => {
    const { products, inverseRms, dx } = backward(g);
    const rows = tape.reshapeOnly(inverseRms, [1, products.shape[0]!]);
    const dw = tape.operator("Gemm", [rows, products], [1, weight.shape[0]!]);
    return [dx, tape.reshapeOnly(dw, weight.shape)];
  });
}

/** `rmsNorm` with a constant weight, which gets no gradient. */
export function frozenRmsNorm(tape: Tape, x: Value, weight: Value, options: { readonly epsilon: number }): Value {
  const { y, backward } = normalize(tape, x, weight, options.epsilon);
  return tape.record(y, [x], (g) => [backward(g).dx]);
}

/** What both norms compute. Backward works on rows: x of any shape is seen as a matrix [rows, width]. */
function normalize(tape: Tape, x: Value, weight: Value, epsilon: number) {
  const width = x.shape.at(-1);
  if (typeof width !== "number") throw new Error("the normalized axis must have a known extent");
  const attributes = { axis: -1, epsilon: { float: epsilon } };
  const names = tape.graph.nodeWithOutputs("SimplifiedLayerNormalization", [x.name, weight.name], 2, attributes);
  const y: Value = { name: names[0]!, shape: x.shape };
  const backward = (g: Value) => {
    const rowShape = x.shape.slice(0, -1);
    const rows = rowShape.every((extent) => typeof extent === "number")
      ? rowShape.reduce((product, extent) => product * extent, 1)
      : rowShape.join("·");
    const shape = [rows, width];
    const elementwise = (operator: string, a: Value, b: Value): Value => tape.operator(operator, [a, b], a.shape);
    const matrix = tape.reshapeOnly(x, shape);
    const gradient = tape.reshapeOnly(g, shape);
    const inverseRms = tape.reshapeOnly({ name: names[1]!, shape: [...rowShape, 1] }, [rows, 1]);
    const products = elementwise("Mul", gradient, matrix);
    const column = tape.reshapeOnly(weight, [width, 1]);
    const means = tape.operator("Gemm", [products, column], [rows, 1], { alpha: { float: 1 / width } });
    const cube = elementwise("Mul", elementwise("Mul", inverseRms, inverseRms), inverseRms);
    const weighted = elementwise("Mul", elementwise("Mul", gradient, weight), inverseRms);
    const dx = elementwise("Sub", weighted, elementwise("Mul", matrix, elementwise("Mul", means, cube)));
    return { products, inverseRms, dx: tape.reshapeOnly(dx, x.shape) };
  };
  return { y, backward };
}

/**
 * y = silu(gate) ∘ up with silu(z) = z·σ(z), QuickGelu with α = 1.
 * d(up) = g ∘ silu(gate). As silu'(z) = silu(z) + σ(z)·(1 − silu(z)), d(gate) = g ∘ up ∘ silu'(gate)
 * = g ∘ (y + σ(gate) ∘ (up − y)), one pass over the widest activations less than with silu' itself.
 */
export function swiGlu(tape: Tape, gate: Value, up: Value): Value {
  const { shape } = gate;
  const elementwise = (operator: string, a: Value, b: Value): Value => tape.operator(operator, [a, b], shape);
  const silu = tape.operator("QuickGelu", [gate], shape, { alpha: { float: 1 } }, MICROSOFT_DOMAIN);
  const y = elementwise("Mul", silu, up);
  return tape.record(y, [gate, up], (g) => {
    const sigma = tape.operator("Sigmoid", [gate], shape);
    const slope = elementwise("Add", elementwise("Mul", elementwise("Sub", up, y), sigma), y);
    return [elementwise("Mul", slope, g), elementwise("Mul", silu, g)];
  });
}

/** cos and sin of position / s_i with s_i = θ^(2i/d), stretched if scaled; both [positions, d/2]. */
export interface RotaryTables {
  readonly cosine: Float32Array;
  readonly sine: Float32Array;
}

/**
 * Llama 3.1's stretching of s_i: over the original context of L positions a frequency makes n = L / (2π·s_i) turns.
 * n < low: s_i · factor. n > high: s_i. Between: s_i / ((1 − m) / factor + m) with m = (n − low) / (high − low).
 */
function stretch(divisor: number, scaling: RopeScaling | undefined): number {
  if (scaling === undefined) return divisor;
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength } = scaling;
  const turns = originalContextLength / (2 * Math.PI * divisor);
  const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return divisor / ((1 - kept) / factor + kept);
}

export function rotaryTables(options: {
  readonly positions: number;
  readonly headSize: number;
  readonly theta: number;
  readonly scaling?: RopeScaling | undefined;
}): RotaryTables {
  const half = options.headSize / 2;
  const divisors = Array.from({ length: half }, (_, i) =>
    stretch(options.theta ** ((2 * i) / options.headSize), options.scaling),
  );
  const cosine = new Float32Array(options.positions * half);
  const sine = new Float32Array(options.positions * half);
  for (let position = 0; position < options.positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position / divisors[i]!;
      cosine[position * half + i] = Math.cos(angle);
      sine[position * half + i] = Math.sin(angle);
    }
  }
  return { cosine, sine };
}

/**
 * Rotary positions 0 … T−1 on x [B, heads, T, d]: the pair (x_i, x_{i+d/2}) is turned by its angle.
 * d(x) = g turned back, the same operator with −sin.
 */
export function rotate(tape: Tape, x: Value, tables: { cosine: Value; sine: Value; negativeSine: Value }): Value {
  const turn = (v: Value, sine: Value): Value => {
    const inputs = [v, tape.graph.integers(0), tables.cosine, sine];
    return tape.operator("RotaryEmbedding", inputs, v.shape, {}, MICROSOFT_DOMAIN);
  };
  return tape.record(turn(x, tables.sine), [x], (g) => [turn(g, tables.negativeSine)]);
}

/** One of several equally long blocks of queries of causal attention: queries [start, end), which see the keys [0, end). */
export interface QueryBlock {
  readonly start: Dimension;
  readonly end: Dimension;
  /** end − start. */
  readonly extent: Dimension;
  /** group · extent: the rows of one product. */
  readonly rows: Dimension;
  /** [rows, end]: 0 where a query may look, −1e30 elsewhere. */
  readonly mask: Value;
}

/** The mask of a query block with known bounds, [group·(end − start), end]. */
export function causalMask(options: { group: number; start: number; end: number }): Float32Array {
  const { group, start, end } = options;
  const extent = end - start;
  const mask = new Float32Array(group * extent * end);
  for (let row = 0; row < group * extent; row++) {
    mask.fill(-1e30, row * end + start + (row % extent) + 1, (row + 1) * end);
  }
  return mask;
}

/**
 * Causal grouped-query attention: q [B, K, G, T, d], k and v [B, K, T, d] → [B, K, G, T, d]; the G query heads of a
 * group are rows of one product with their shared keys. Per block of queries, with α = 1/√d:
 * P = softmax(α·q·kᵀ + mask), o = P·v.
 * Backward: dP = g·vᵀ, dS = P ∘ (dP − rowsum(g ∘ o)), d(q) = α·dS·k, d(k) = α·dSᵀ·q, d(v) = Pᵀ·g. The row sums are
 * computed for all blocks at once.
 * The blocks let early queries skip the keys that come after them.
 */
export function causalAttention(tape: Tape, q: Value, k: Value, v: Value, blocks: readonly QueryBlock[]): Value {
  const [batch, keyValueHeads, group, time, headSize] = q.shape as [Dimension, number, number, Dimension, number];
  const alpha = 1 / Math.sqrt(headSize);
  /** Blocks of x [B, K, G, T, …], the heads of a group one below the other. */
  const queryRows = (x: Value): Value[] =>
    tape
      .cut(x, 3, { count: blocks.length, extent: blocks[0]!.extent })
      .map((piece, i) => tape.reshapeOnly(piece, [batch, keyValueHeads, blocks[i]!.rows, x.shape[4]!]));
  const unfold = (x: Value, block: QueryBlock): Value =>
    tape.reshapeOnly(x, [batch, keyValueHeads, group, block.extent, headSize]);
  const concatenate = (pieces: Value[], shape: Shape, axis: number): Value =>
    pieces.length === 1 ? pieces[0]! : tape.operator("Concat", pieces, shape, { axis });

  const queryPieces = queryRows(q);
  const states = blocks.map((block, i) => {
    const visible = { start: 0, end: block.end, extent: block.end };
    const queries = queryPieces[i]!;
    const keys = tape.slice(k, 2, visible);
    const values = tape.slice(v, 2, visible);
    const scores = tape.batchedProduct(queries, keys, { transposeB: true, alpha });
    const masked = tape.operator("Add", [scores, block.mask], scores.shape);
    const probabilities = tape.operator("Softmax", [masked], scores.shape, { axis: -1 });
    return { block, queries, keys, values, probabilities, output: tape.batchedProduct(probabilities, values) };
  });
  const y = concatenate(
    states.map(({ output, block }) => unfold(output, block)),
    q.shape,
    3,
  );

  return tape.record(y, [q, k, v], (g) => {
    const dOutputs = queryRows(g);
    const rowSums = queryRows(tape.reduce("ReduceSum", tape.operator("Mul", [g, y], y.shape), [4]));
    const parts = states.map(({ block, queries, keys, values, probabilities }, i) => {
      const dOutput = dOutputs[i]!;
      const dProbabilities = tape.batchedProduct(dOutput, values, { transposeB: true });
      const centred = tape.operator("Sub", [dProbabilities, rowSums[i]!], dProbabilities.shape);
      const dScores = tape.operator("Mul", [probabilities, centred], centred.shape);
      return {
        queries: unfold(tape.batchedProduct(dScores, keys, { alpha }), block),
        keys: tape.batchedProduct(dScores, queries, { transposeA: true, alpha }),
        values: tape.batchedProduct(probabilities, dOutput, { transposeA: true }),
      };
    });
    // A key in block j is seen by the queries of the blocks j, j + 1, …: sum their parts piece by piece.
    const sumVisible = (gradients: readonly Value[]): Value => {
      const cut = gradients.map((gradient, i) => tape.cut(gradient, 2, { count: i + 1, extent: blocks[0]!.extent }));
      const sums = blocks.map((_, j) => {
        const pieces = cut.slice(j).map((of) => of[j]!);
        return pieces.length === 1 ? pieces[0]! : tape.operator("Sum", pieces, pieces[0]!.shape);
      });
      return concatenate(sums, [batch, keyValueHeads, time, headSize], 2);
    };
    return [
      concatenate(
        parts.map((part) => part.queries),
        q.shape,
        3,
      ),
      sumVisible(parts.map((part) => part.keys)),
      sumVisible(parts.map((part) => part.values)),
    ];
  });
}

/** log p(target) of each row under softmax(logits): logits [M, V], targets [M, 1] → [M, 1]. */
function targetLogProbabilities(tape: Tape, logits: Value, targets: Value): { all: Value; chosen: Value } {
  const all = tape.operator("LogSoftmax", [logits], logits.shape, { axis: -1 });
  return { all, chosen: tape.operator("GatherElements", [all, targets], targets.shape, { axis: 1 }) };
}

/**
 * loss = Σ_i w_i · (−log p_i(target_i)), p_i = softmax(logits_i); logits [M, V], targets and weights [M, 1].
 * d(logits)_i = g · w_i · (p_i − onehot(target_i)). Weights may have either sign and get no gradient.
 */
export function weightedCrossEntropy(
  tape: Tape,
  logits: Value,
  targets: Value,
  weights: Value,
): { loss: Value; logProbabilities: Value } {
  const { all, chosen } = targetLogProbabilities(tape, logits, targets);
  const weighted = tape.operator("Mul", [chosen, weights], weights.shape);
  const loss = tape.operator("Neg", [tape.operator("ReduceSum", [weighted], [], { keepdims: 0 })], []);
  tape.record(loss, [logits], (g) => {
    const scaled = tape.operator("Mul", [weights, g], weights.shape);
    const probabilities = tape.operator("Exp", [all], all.shape);
    const pulled = tape.operator("Mul", [probabilities, scaled], all.shape);
    const negative = tape.operator("Neg", [scaled], weights.shape);
    const attributes = { axis: 1, reduction: "add" };
    return [tape.operator("ScatterElements", [pulled, targets, negative], all.shape, attributes)];
  });
  return { loss, logProbabilities: chosen };
}

/** loss = −Σ_i w_i · z_i; values z and weights [M, 1]. d(z)_i = −g · w_i. Weights get no gradient. */
export function weightedSum(tape: Tape, values: Value, weights: Value): Value {
  const weighted = tape.operator("Mul", [values, weights], weights.shape);
  const loss = tape.operator("Neg", [tape.operator("ReduceSum", [weighted], [], { keepdims: 0 })], []);
  return tape.record(loss, [values], (g) => {
    const scaled = tape.operator("Mul", [weights, g], weights.shape);
    return [tape.operator("Neg", [scaled], weights.shape)];
  });
}
