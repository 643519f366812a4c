/**
 * `adapter_config.json` of Hugging Face's PEFT, key by key: what is read, what means nothing to an adapter that is
 * trained already, and what would make it compute something else.
 */
import { ConfigError } from "../../errors.ts";
import type { Json } from "../read-files.ts";
import { readModuleChoice, type Expect } from "./adapter-modules.ts";

/** What is read of an adapter's configuration. */
export interface AdapterSettings {
  readonly rank: number;
  /** Such that the scale is alpha / rank. */
  readonly alpha: number;
  /** Name of the base model, as its directory. */
  readonly base: string;
  /** Which modules have an adapter. */
  readonly isTargeted: (module: string) => boolean;
}

/** Says nothing of what a trained adapter computes: how it was trained, begun, stored, or for whom. */
const HARMLESS = new Set([
  "auto_mapping",
  "corda_config",
  "ensure_weight_tying",
  "eva_config",
  // Of modules of another kind than these models have.
  "fan_in_fan_out",
  "inference_mode",
  "loftq_config",
  "lora_dropout",
  "lora_ga_config",
  "megatron_core",
  "peft_version",
  "qalora_group_size",
  "revision",
  "runtime_config",
]);

/** Has a meaning, and is read below. */
const READ = new Set([
  "base_model_name_or_path",
  "bias",
  "exclude_modules",
  "init_lora_weights",
  "layers_pattern",
  "layers_to_transform",
  "lora_alpha",
  "modules_to_save",
  "peft_type",
  "r",
  "target_modules",
  "task_type",
  "use_rslora",
]);

/**
 * Values of `init_lora_weights` after which the base's weights are what they were. PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA
 * take a part out of them, on which A and B stand.
 */
const HARMLESS_BEGINNINGS: readonly unknown[] = [true, false, "gaussian", "eva", "orthogonal"];

/** @throws {ConfigError} naming the key, when something is missing or asks for another kind of adapter. */
export function readAdapterSettings(json: Json, file: string): AdapterSettings {
  const expect: Expect = (key, accepted, expected) => {
    if (accepted) return;
    const found = JSON.stringify(json[key])?.slice(0, 200) ?? "missing";
    throw new ConfigError(`${file}: ${key} is ${found}; expected ${expected}`, { file, key, found, expected });
  };
  expect("peft_type", json["peft_type"] === "LORA", '"LORA"');
  const task = json["task_type"] ?? null;
  expect("task_type", [null, "CAUSAL_LM", "SEQ_CLS"].includes(task as string), '"CAUSAL_LM", "SEQ_CLS" or null');
  for (const key of Object.keys(json)) {
    if (HARMLESS.has(key) || READ.has(key)) continue;
    expect(key, isOff(json[key]), "null, false or nothing in it: it asks for a kind of LoRA that is not supported");
  }
  expect("bias", [undefined, null, "none"].includes(json["bias"] as string), '"none"');
  const beginning = json["init_lora_weights"] ?? true;
  expect(
    "init_lora_weights",
    HARMLESS_BEGINNINGS.includes(typeof beginning === "string" ? beginning.toLowerCase() : beginning),
    `one that leaves the base's weights as they are (${HARMLESS_BEGINNINGS.join(", ")}): merge it with PEFT (merge_and_unload) and open the merged model, or save it with path_initial_model_for_weight_conversion`,
  );
  const saved = json["modules_to_save"] ?? [];
  const isHead = Array.isArray(saved) && saved.every((name) => name === "score" || name === "classifier");
  expect("modules_to_save", isHead, 'null or ["score"]');
  const stabilized = json["use_rslora"] ?? false;
  expect("use_rslora", typeof stabilized === "boolean", "true or false");
  const { r: rank = 8, lora_alpha: alpha = 8, base_model_name_or_path: base } = json;
  expect("r", Number.isSafeInteger(rank) && (rank as number) > 0, "a positive integer");
  expect("lora_alpha", typeof alpha === "number" && alpha > 0, "a positive number");
  expect("base_model_name_or_path", typeof base === "string" && base !== "", "the base model's directory");
  return {
    rank: rank as number,
    // Rank-stabilized LoRA scales by alpha / √r: the same as alpha · √r over r.
    alpha: (alpha as number) * (stabilized ? Math.sqrt(rank as number) : 1),
    base: base as string,
    isTargeted: readModuleChoice(json, expect),
  };
}

/** Left out, null, false and empty are the same to PEFT: of a key that is not known here, too. */
function isOff(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
