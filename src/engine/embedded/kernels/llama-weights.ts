/** A model's parameters where kernels read them: views of its flat memory, and the tables of its positions. */
import { layerParameterNames, headSize, type LlamaConfig, type ParameterLayout } from "../llama-parameters.ts";
import { rotaryTables, type RotaryTables } from "../transformer-operators.ts";
import { matrixOf, valuesOf, type Matrix, type Values } from "./matrix.ts";

export class LlamaWeights {
  readonly #layout: ParameterLayout;
  readonly #data: Float32Array;

  /** `data` is a flat vector of this layout: the weights, or their gradient. */
  constructor(layout: ParameterLayout, data: Float32Array) {
    this.#layout = layout;
    this.#data = data;
  }

  /** [out, in] */
  matrix(name: string): Matrix {
    const { offset, shape } = this.#layout.byName.get(name)!;
    return matrixOf(this.#data, shape[0]!, shape[1]!, offset);
  }

  values(name: string): Values {
    const { offset, length } = this.#layout.byName.get(name)!;
    return valuesOf(this.#data, offset, length);
  }

  /** What the model may be without. */
  optionalValues(name: string): Values | undefined {
    return this.#layout.byName.has(name) ? this.values(name) : undefined;
  }

  /** Gate and up of a layer as one matrix [2F, in] with its bias, where they lie side by side. */
  gateAndUp(index: number): { readonly matrix: Matrix; readonly bias: Values | undefined } | undefined {
    const names = layerParameterNames(index);
    const gate = this.matrix(names.gate);
    const bias = this.optionalValues(names.gateBias);
    const upBias = this.optionalValues(names.upBias);
    if (this.matrix(names.up).offset !== gate.offset + gate.rows * gate.columns) return undefined;
    if (bias && upBias && upBias.offset !== bias.offset + bias.length) return undefined;
    return { matrix: { ...gate, rows: 2 * gate.rows }, bias: bias && { ...bias, length: 2 * bias.length } };
  }
}

/** Cosine and sine of every position that a sequence may have. */
export const positionTables = (config: LlamaConfig): RotaryTables =>
  rotaryTables({
    positions: config.contextLength,
    headSize: headSize(config),
    theta: config.ropeTheta,
    scaling: config.ropeScaling,
  });
