/** The training graph of a low-rank adapter: the base model's tensors are inputs without gradients, read where they lie. */
import type { Value } from "./autodiff.ts";
import { headSize, layerFeatures, type LlamaConfig, type ParameterLayout } from "./llama-parameters.ts";
import {
  assembleGraph,
  attend,
  gatherAll,
  rotaryConstants,
  type GraphModel,
  type TrainingGraph,
} from "./llama-training-graph.ts";
import { adapterNames, type LoraSettings } from "./low-rank-adapter.ts";
import { adaptedLinear, add, frozenLinear, linear, reshape, transpose } from "./operators.ts";
import { frozenRmsNorm, rotate, swiGlu } from "./transformer-operators.ts";

export interface LoraGraphOptions {
  readonly withGradients: boolean;
  readonly settings: LoraSettings;
  /** The adapter's parameters: inputs under their names; each gets a gradient. */
  readonly adapter: ParameterLayout;
}

/** The base's tensors are inputs under their names in a checkpoint; all of them but a score head are used. */
export function buildLoraTrainingGraph(
  config: LlamaConfig,
  base: ParameterLayout,
  options: LoraGraphOptions,
): TrainingGraph {
  const { settings, adapter } = options;
  const scale = settings.alpha / settings.rank;
  const { headCount, keyValueHeadCount } = config;
  const features = layerFeatures(config);
  const size = headSize(config);

  return assembleGraph(config, options, (tape): GraphModel => {
    const frozen = new Map<string, Value>();
    for (const { tensors } of base.parameters) {
      for (const { name, shape } of tensors) {
        if (name !== "score.weight") frozen.set(name, tape.input(name, shape));
      }
    }
    const trained = new Map(adapter.parameters.map(({ name, shape }) => [name, tape.input(name, shape)]));
    const constant = (name: string): Value => frozen.get(name)!;

    /** x through a module: its matrix, its bias if there is one, its adapter if there is one. */
    const apply = (x: Value, module: string, hasBias: boolean): Value => {
      const w = constant(`${module}.weight`);
      const c = hasBias ? constant(`${module}.bias`) : undefined;
      const names = adapterNames(module);
      const [a, b] = [trained.get(names.a), trained.get(names.b)];
      return a && b ? adaptedLinear(tape, x, { w, c }, { a, b, scale }) : frozenLinear(tape, x, w, c);
    };
    const normalize = (x: Value, weight: string): Value =>
      frozenRmsNorm(tape, x, constant(weight), { epsilon: config.rmsNormEpsilon });

    return {
      embedding: constant("model.embed_tokens.weight"),
      trainsEmbedding: false,
      trained: [...trained],
      layers: (blocks) => {
        const tables = rotaryConstants(tape, config);
        const byHead = (x: Value, heads: number): Value =>
          transpose(tape, reshape(tape, x, ["B", "T", heads, size]), [0, 2, 1, 3]);
        const turn = (x: Value, norm: string): Value =>
          rotate(tape, features.queryKeyNorm ? normalize(x, norm) : x, tables);
        return (hidden, index, scored) => {
          const prefix = `model.layers.${index}`;
          const attention = `${prefix}.self_attn`;
          const x = normalize(hidden, `${prefix}.input_layernorm.weight`);
          const project = (name: string, heads: number): Value =>
            byHead(apply(x, `${attention}.${name}`, features.queryKeyValueBias), heads);
          const query = turn(project("q_proj", headCount), `${attention}.q_norm.weight`);
          const key = turn(project("k_proj", keyValueHeadCount), `${attention}.k_norm.weight`);
          const value = project("v_proj", keyValueHeadCount);
          const joined = attend(tape, config, { query, key, value }, blocks);
          const [stream, attended] = gatherAll(tape, [hidden, joined], scored);
          const output = apply(attended!, `${attention}.o_proj`, features.attentionOutputBias);
          const afterAttention = add(tape, stream!, output);

          const y = normalize(afterAttention, `${prefix}.post_attention_layernorm.weight`);
          const gate = apply(y, `${prefix}.mlp.gate_proj`, features.feedForwardBias);
          const up = apply(y, `${prefix}.mlp.up_proj`, features.feedForwardBias);
          const down = apply(swiGlu(tape, gate, up), `${prefix}.mlp.down_proj`, features.feedForwardBias);
          return add(tape, afterAttention, down);
        };
      },
      read: (rows) => {
        const normalized = normalize(rows, "model.norm.weight");
        if (config.output === "score") return linear(tape, normalized, trained.get("score")!);
        return frozenLinear(
          tape,
          normalized,
          constant(config.tieEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"),
        );
      },
    };
  });
}
