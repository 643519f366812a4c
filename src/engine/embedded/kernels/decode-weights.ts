/** A model's weights as prefill and steps multiply by them: packed once for every version, unless that is much memory. */
import { MOST_PACKED_BYTES, type SampledWeights } from "../decoder.ts";
import { layerParameterNames, type LlamaConfig } from "../llama-parameters.ts";
import type { Kernels } from "./addon.ts";
import { Arena } from "./arena.ts";
import { KernelProgram, type Product } from "./kernel-program.ts";
import { LlamaWeights } from "./llama-weights.ts";
import type { Matrix, Values } from "./matrix.ts";

/** x·Wᵀ + bias: its right side, and the number of its columns. */
export interface Linear extends Pick<Product, "right" | "transposeRight" | "bias"> {
  readonly columns: number;
}

interface LayerWeights {
  readonly attentionNorm: Values;
  readonly queryKeyValue: Linear;
  readonly queryNorm: Values | undefined;
  readonly keyNorm: Values | undefined;
  readonly attentionOutput: Linear;
  readonly feedForwardNorm: Values;
  /** Gate and up: one product [N, 2F] where their matrices lie side by side, else two [N, F]. */
  readonly gateAndUp: readonly Linear[];
  readonly down: Linear;
}

export class DecodeWeights {
  /** [vocabulary, width] */
  readonly embedding: Matrix;
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: Values;
  readonly head: Linear;
  readonly #store: SampledWeights;
  /** Packs all matrices. */
  readonly #packing: KernelProgram | undefined;
  #version: number;

  constructor(
    config: LlamaConfig,
    store: SampledWeights,
    { kernels, mostPackedBytes = MOST_PACKED_BYTES }: { readonly kernels: Kernels; readonly mostPackedBytes?: number },
  ) {
    this.#store = store;
    const { layout, weights } = store;
    if (4 * layout.totalLength <= mostPackedBytes) this.#packing = new KernelProgram(kernels);
    const arena = new Arena();
    const views = new LlamaWeights(layout, weights);
    const linearOf = (matrix: Matrix, bias: Values | undefined): Linear => {
      const columns = matrix.rows;
      if (this.#packing === undefined) return { right: matrix, transposeRight: true, bias, columns };
      const to = arena.values(kernels.packedLength(columns, matrix.columns));
      return { right: this.#packing.pack(matrix, true, to), bias, columns };
    };
    const linear = (name: string, bias?: string): Linear =>
      linearOf(views.matrix(name), bias === undefined ? undefined : views.optionalValues(bias));

    this.embedding = views.matrix("embedding");
    this.layers = Array.from({ length: config.layerCount }, (_, index) => {
      const names = layerParameterNames(index);
      const joint = views.gateAndUp(index);
      return {
        attentionNorm: views.values(names.attentionNorm),
        queryKeyValue: linear(names.queryKeyValue, names.queryKeyValueBias),
        queryNorm: views.optionalValues(names.queryNorm),
        keyNorm: views.optionalValues(names.keyNorm),
        attentionOutput: linear(names.attentionOutput, names.attentionOutputBias),
        feedForwardNorm: views.values(names.feedForwardNorm),
        gateAndUp: joint
          ? [linearOf(joint.matrix, joint.bias)]
          : [linear(names.gate, names.gateBias), linear(names.up, names.upBias)],
        down: linear(names.down, names.downBias),
      };
    });
    this.finalNorm = views.values("finalNorm");
    this.head = linear(config.tieEmbeddings ? "embedding" : "head");
    this.#version = store.version;
    this.#packing?.run();
  }

  /** Brings what is packed up to date with the weights. */
  refresh(): void {
    // What is in the memory of a base and an adapter in one is only then what it should be.
    void this.#store.weights;
    if (this.#version === this.#store.version) return;
    this.#packing?.run();
    this.#version = this.#store.version;
  }
}
