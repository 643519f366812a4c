// Tells what part of a transformer an operator of a profile belongs to, by its name and the shapes it works on.

/**
 * @typedef {object} Extents
 * @property {readonly number[]} tokens rows that the residual stream may have
 * @property {number} width
 * @property {number} feedForward
 * @property {number} vocabulary
 */

export const KINDS = {
  weightProducts: "products with weights",
  attentionProducts: "products of attention",
  softmax: "attention: softmax",
  attentionRest: "attention: mask, softmax's gradient",
  rotary: "rotary positions",
  copies: "copies: transpose, split, slice, concat",
  norms: "norms and residual sums",
  feedForward: "SwiGLU",
  loss: "loss and probabilities",
  gathers: "gather and scatter",
  other: "other operators",
};

const COPIES = new Set(["Transpose", "Concat", "Split", "Slice", "Reshape", "Expand", "Unsqueeze", "Squeeze", "Cast"]);

/**
 * @param {{ operator: string, inputs: number[][], outputs: number[][] }} node
 * @param {Extents} extents
 * @returns {{ kind: string, flops: number }} floating-point operations of products alone
 */
export function kindOf({ operator, inputs, outputs }, extents) {
  const output = outputs[0] ?? [];
  if (/Gemm|MatMul/.test(operator)) {
    const kind = output.length > 2 ? KINDS.attentionProducts : KINDS.weightProducts;
    return { kind, flops: flopsOfProduct(inputs[0] ?? [], output) };
  }
  return { kind: kindByShape(operator, inputs, output, extents), flops: 0 };
}

/** 2·m·k·n, whichever way the operands lie: the left one has m·k elements, the result m·n. @param {number[]} left @param {number[]} result */
function flopsOfProduct(left, result) {
  return 2 * count(left) * (result.at(-1) ?? 1);
}

/** @param {string} operator @param {number[][]} inputs @param {number[]} output @param {Extents} extents */
function kindByShape(operator, inputs, output, { tokens, width, feedForward, vocabulary }) {
  if (operator === "RotaryEmbedding") return KINDS.rotary;
  if (/^(?:Gather|Scatter)/.test(operator)) return KINDS.gathers;
  // A reduction is told by what it reads.
  const shape = operator.startsWith("Reduce") ? (inputs[0] ?? []) : output;
  if (operator.includes("Softmax")) return shape.length > 2 ? KINDS.softmax : KINDS.loss;
  if (COPIES.has(operator)) return KINDS.copies;
  if (operator.includes("LayerNormalization")) return KINDS.norms;
  // The sums of the parts of keys' and values' gradients are counted with attention.
  if (shape.length > 2) return KINDS.attentionRest;
  const [rows, columns] = shape;
  const isStream = rows !== undefined && tokens.includes(rows);
  if (columns === vocabulary) return KINDS.loss;
  if (isStream && columns === feedForward) return KINDS.feedForward;
  if (isStream && (columns === width || columns === 1)) return KINDS.norms;
  return KINDS.other;
}

/** @param {number[]} shape */
function count(shape) {
  return shape.reduce((product, extent) => product * extent, 1);
}
