/** The tensors that a config.json asks for, for the architectures whose layout is known here. */
import { UnusableFile } from "./tensor-file.ts";

const FAMILY = ["llama", "mistral", "qwen2", "qwen3"];

/**
 * Names and shapes. Of an architecture that is not known, nothing is expected but finite tensors.
 * @throws UnusableFile when a number is missing in the config.
 */
export function expectedTensors(
  config: Readonly<Record<string, unknown>>,
  output: "tokens" | "score",
): Map<string, readonly number[]> {
  const expected = new Map<string, readonly number[]>();
  const type = String(config["model_type"]);
  if (!FAMILY.includes(type)) return expected;
  const number = (key: string, fallback?: number): number => {
    const found = config[key] ?? fallback;
    if (typeof found === "number" && Number.isSafeInteger(found) && found > 0) return found;
    throw new UnusableFile(`config.json: ${key} is ${JSON.stringify(found) ?? "missing"}; expected a positive integer`);
  };
  const width = number("hidden_size");
  const inner = number("intermediate_size");
  const vocabulary = number("vocab_size");
  const heads = number("num_attention_heads");
  const head = number("head_dim", width / heads);
  const queries = heads * head;
  const keys = number("num_key_value_heads", heads) * head;
  const attentionBias = config["attention_bias"] === true || type === "qwen2";

  expected.set("model.embed_tokens.weight", [vocabulary, width]);
  for (let layer = 0; layer < number("num_hidden_layers"); layer++) {
    const set = (name: string, ...shape: number[]): unknown => expected.set(`model.layers.${layer}.${name}`, shape);
    set("input_layernorm.weight", width);
    set("self_attn.q_proj.weight", queries, width);
    set("self_attn.k_proj.weight", keys, width);
    set("self_attn.v_proj.weight", keys, width);
    set("self_attn.o_proj.weight", width, queries);
    set("post_attention_layernorm.weight", width);
    set("mlp.gate_proj.weight", inner, width);
    set("mlp.up_proj.weight", inner, width);
    set("mlp.down_proj.weight", width, inner);
    if (attentionBias) {
      set("self_attn.q_proj.bias", queries);
      set("self_attn.k_proj.bias", keys);
      set("self_attn.v_proj.bias", keys);
    }
    if (type === "qwen3") {
      set("self_attn.q_norm.weight", head);
      set("self_attn.k_norm.weight", head);
    }
  }
  expected.set("model.norm.weight", [width]);
  if (output === "score") expected.set("score.weight", [1, width]);
  else if (config["tie_word_embeddings"] !== true) expected.set("lm_head.weight", [vocabulary, width]);
  return expected;
}
