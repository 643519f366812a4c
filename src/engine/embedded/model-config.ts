/**
 * `config.json` of Hugging Face `transformers`, as its version 4 writes it (`rope_theta`, `rope_scaling`) and as its
 * version 5 does (`rope_parameters`).
 */
import { ConfigError } from "../../errors.ts";
import type { Json } from "../read-files.ts";
import {
  ARCHITECTURES,
  headSize,
  validateLlamaConfig,
  type Architecture,
  type LlamaConfig,
  type RopeScaling,
} from "./llama-parameters.ts";

/** How `transformers` names its classes. */
const CLASS_PREFIX = { llama: "Llama", mistral: "Mistral", qwen2: "Qwen2", qwen3: "Qwen3" } as const satisfies Record<
  Architecture,
  string
>;
const causalClass = (architecture: Architecture): string => `${CLASS_PREFIX[architecture]}ForCausalLM`;
const scoreClass = (architecture: Architecture): string => `${CLASS_PREFIX[architecture]}ForSequenceClassification`;

/** `endTokens`: the tokens that end a text, that of the tokenizer first. */
export function toConfigJson(config: LlamaConfig, endTokens: readonly number[]): Json {
  const { architecture = "llama", ropeScaling } = config;
  const endToken = endTokens[0] ?? null;
  return {
    ...(config.output === "score"
      ? {
          architectures: [scoreClass(architecture)],
          num_labels: 1,
          id2label: { 0: "score" },
          label2id: { score: 0 },
          // Shorter sequences of a batch are filled up with it; the score is read before it.
          pad_token_id: endToken,
        }
      : { architectures: [causalClass(architecture)] }),
    model_type: architecture,
    torch_dtype: "float32",
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layerCount,
    num_attention_heads: config.headCount,
    num_key_value_heads: config.keyValueHeadCount,
    head_dim: headSize(config),
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.contextLength,
    tie_word_embeddings: config.tieEmbeddings,
    rope_theta: config.ropeTheta,
    ...(ropeScaling !== undefined && { rope_scaling: toRopeScalingJson(ropeScaling) }),
    rms_norm_eps: config.rmsNormEpsilon,
    hidden_act: "silu",
    ...(architecture === "llama" && { attention_bias: config.attentionBias ?? false }),
    ...(architecture === "llama" && { mlp_bias: config.feedForwardBias ?? false }),
    ...(architecture === "qwen3" && { attention_bias: config.attentionBias ?? false }),
    ...(architecture === "mistral" && { sliding_window: null }),
    bos_token_id: null,
    eos_token_id: endTokens.length > 1 ? endTokens : endToken,
  };
}

const toRopeScalingJson = (scaling: RopeScaling): Json => ({
  rope_type: "llama3",
  factor: scaling.factor,
  low_freq_factor: scaling.lowFrequencyFactor,
  high_freq_factor: scaling.highFrequencyFactor,
  original_max_position_embeddings: scaling.originalContextLength,
});

/** Refuses a value: names the file, the key and what is supported. */
type Expect = (key: string, found: unknown, accepted: boolean, expected: string) => void;

/** @throws {ConfigError} for another architecture, an unsupported variant, or a missing or impossible value. */
export function fromConfigJson(json: Json, file: string): LlamaConfig {
  const expect: Expect = (key, found, accepted, expected) => {
    if (accepted) return;
    const message = `${file}: ${key} is ${JSON.stringify(found) ?? "missing"}; expected ${expected}`;
    throw new ConfigError(message, { file, key, found, expected });
  };
  const number = (key: string, fallback?: number): number => {
    const found = json[key] ?? fallback;
    expect(key, json[key], typeof found === "number", "a number");
    return found as number;
  };
  const architecture = json["model_type"] as Architecture;
  const supported = ARCHITECTURES.map((name) => `"${name}"`).join(", ");
  expect("model_type", architecture, ARCHITECTURES.includes(architecture), `one of ${supported}`);
  const output = readOutput(json, architecture, expect);
  refuseVariants(json, architecture, expect);
  const headCount = number("num_attention_heads");
  const hiddenSize = number("hidden_size");
  const evenWidth = hiddenSize / headCount;
  const width = number("head_dim", architecture === "qwen3" ? 128 : evenWidth);
  const contextLength = number("max_position_embeddings");
  const hasBiasKeys = architecture === "llama" || architecture === "qwen3";
  const config: LlamaConfig = {
    ...(architecture !== "llama" && { architecture }),
    vocabularySize: number("vocab_size"),
    hiddenSize,
    layerCount: number("num_hidden_layers"),
    headCount,
    keyValueHeadCount: number("num_key_value_heads", defaultGroups(json, architecture, headCount)),
    intermediateSize: number("intermediate_size"),
    contextLength,
    tieEmbeddings: json["tie_word_embeddings"] === true,
    ...output,
    ...readRope(json, contextLength, expect),
    rmsNormEpsilon: number("rms_norm_eps", 1e-6),
    ...(width !== evenWidth && { headSize: width }),
    ...(hasBiasKeys && json["attention_bias"] === true && { attentionBias: true }),
    ...(architecture === "llama" && json["mlp_bias"] === true && { feedForwardBias: true }),
  };
  try {
    validateLlamaConfig(config);
  } catch (error) {
    const { message, fields } = error as ConfigError;
    throw new ConfigError(`${file}: ${message}`, { file, ...fields }, { cause: error });
  }
  return config;
}

/** Where the number is left out, and not only null, each class has its own. */
function defaultGroups(json: Json, architecture: Architecture, headCount: number): number {
  if (json["num_key_value_heads"] === null || architecture === "llama") return headCount;
  return architecture === "mistral" ? 8 : 32;
}

/** What the class's name says is read from the last layer. */
function readOutput(json: Json, architecture: Architecture, expect: Expect): Pick<LlamaConfig, "output"> {
  const [causal, score] = [causalClass(architecture), scoreClass(architecture)];
  const names = json["architectures"] ?? [causal];
  const name: unknown = Array.isArray(names) ? names[0] : names;
  expect("architectures", name, name === causal || name === score, `${causal} or ${score}`);
  if (name !== score) return {};
  const labels = json["num_labels"] ?? Object.keys((json["id2label"] ?? {}) as object).length;
  expect("num_labels", labels, labels === 1, "1 (a score)");
  return { output: "score" };
}

/** Refuses whatever would make the same weights mean something else. */
function refuseVariants(json: Json, architecture: Architecture, expect: Expect): void {
  const quantization = json["quantization_config"];
  expect("quantization_config", quantization, !quantization, "none: weights in F32, F16 or BF16");
  const compression = json["compression_config"];
  expect("compression_config", compression, !compression, "none: weights in F32, F16 or BF16");
  const pruned = json["pruned_heads"] ?? {};
  expect("pruned_heads", pruned, typeof pruned === "object" && Object.keys(pruned).length === 0, "none");
  expect("hidden_act", json["hidden_act"], (json["hidden_act"] ?? "silu") === "silu", '"silu"');
  const layers = json["layer_types"] ?? [];
  const isFull = Array.isArray(layers) && layers.every((type) => type === "full_attention");
  expect("layer_types", layers, isFull, '"full_attention" in every layer');
  const isQwen = architecture === "qwen2" || architecture === "qwen3";
  expect("use_sliding_window", json["use_sliding_window"], !isQwen || !json["use_sliding_window"], "false");
  if (architecture !== "mistral") return;
  const window = json["sliding_window"];
  const most = json["max_position_embeddings"];
  const isWide = typeof window === "number" && typeof most === "number" && window >= most;
  expect("sliding_window", window, window === null || isWide, "null, or at least max_position_embeddings");
}

/** Rotary positions; a stretching comes as `rope_parameters` or `rope_scaling`. */
function readRope(json: Json, contextLength: number, expect: Expect): Pick<LlamaConfig, "ropeTheta" | "ropeScaling"> {
  const scaling = json["rope_scaling"];
  const isScaled = Boolean(scaling) && JSON.stringify(scaling) !== "{}";
  const key = isScaled ? "rope_scaling" : "rope_parameters";
  const rope = (json[key] ?? {}) as Json;
  expect(key, rope, typeof rope === "object" && !Array.isArray(rope), "an object");
  const kind = rope["rope_type"] ?? rope["type"] ?? "default";
  expect(key, rope, kind === "default" || kind === "llama3", 'null, or rope_type "default" or "llama3"');
  const nested = Object.entries(rope).find(([, value]) => typeof value === "object" && value !== null);
  expect(`${key}.${nested?.[0]}`, nested?.[1], nested === undefined, "a number or a text: all layers are alike");
  const share = rope["partial_rotary_factor"] ?? json["partial_rotary_factor"] ?? 1;
  expect("partial_rotary_factor", share, share === 1, "1");
  const ropeTheta = rope["rope_theta"] ?? json["rope_theta"] ?? 10_000;
  expect("rope_theta", ropeTheta, typeof ropeTheta === "number", "a number");
  if (kind === "default") return { ropeTheta: ropeTheta as number };
  const number = (name: string, fallback?: number): number => {
    const found = rope[name] ?? fallback;
    expect(`${key}.${name}`, found, typeof found === "number", "a number");
    return found as number;
  };
  const ropeScaling: RopeScaling = {
    factor: number("factor"),
    lowFrequencyFactor: number("low_freq_factor"),
    highFrequencyFactor: number("high_freq_factor"),
    originalContextLength: number("original_max_position_embeddings", contextLength),
  };
  return { ropeTheta: ropeTheta as number, ropeScaling };
}

/**
 * The tokens that end a text by `eos_token_id` of a `config.json` or `generation_config.json`: one, a list or none.
 * @throws {ConfigError} when one is no token.
 */
export function readEndTokens(json: Json, file: string, vocabularySize: number): number[] {
  const found = json["eos_token_id"] ?? [];
  const tokens: unknown[] = Array.isArray(found) ? found : [found];
  const isToken = (token: unknown): token is number =>
    Number.isSafeInteger(token) && (token as number) >= 0 && (token as number) < vocabularySize;
  if (tokens.every(isToken)) return tokens;
  const message = `${file}: eos_token_id is ${JSON.stringify(found)}; expected tokens below vocab_size (${vocabularySize})`;
  throw new ConfigError(message, { file, key: "eos_token_id", found });
}
