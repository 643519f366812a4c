/**
 * Adapters in the format of Hugging Face's PEFT: `adapter_config.json` and `adapter_model.safetensors`. Which matrices
 * have an adapter is read from the tensors; one that the configuration does not name, which PEFT passes over, is refused.
 */
import { isAbsolute, join, resolve } from "node:path";
import { ConfigError } from "../../errors.ts";
import { writeFileAtomic } from "../../store/atomic-write.ts";
import { encodeJson, exists, readJson } from "../read-files.ts";
import { readAdapterSettings } from "./adapter-settings.ts";
import { FILES } from "./checkpoint-files.ts";
import { checkpointTensors, type LlamaConfig } from "./llama-parameters.ts";
import {
  layoutAdapter,
  LORA_TARGETS,
  validateLora,
  type LoadedAdapter,
  type LoraSettings,
  type LoraTarget,
} from "./low-rank-adapter.ts";
import { ParameterStore, type StoreOptions } from "./parameter-store.ts";
import { SafetensorsFile } from "./safetensors-file.ts";
import { encodeSafetensors, type StoredTensor } from "./safetensors.ts";

export const ADAPTER_FILES = { config: "adapter_config.json", weights: "adapter_model.safetensors" } as const;

const SCORE_TENSOR = "base_model.model.score.weight";

/** An adapter's directory, before its base model is opened. */
export interface AdapterDescription {
  readonly directory: string;
  readonly settings: LoraSettings;
  /** Directory of the base model's checkpoint. */
  readonly base: string;
  /** What the model with the adapter gives. */
  readonly output: NonNullable<LlamaConfig["output"]>;
}

/**
 * Nothing for a directory that holds no adapter.
 * @throws {ConfigError} for an adapter of a kind that is not supported, or whose base model is not there.
 */
export async function describeAdapter(directory: string): Promise<AdapterDescription | undefined> {
  const file = join(directory, ADAPTER_FILES.config);
  if (!(await exists(file))) return undefined;
  const { rank, alpha, base: name, isTargeted } = readAdapterSettings(await readJson(file), file);
  const weights = join(directory, ADAPTER_FILES.weights);
  const tensors = await withTensors(directory, async (opened) => [...opened.tensors.keys()]);
  const settings = { rank, alpha, targets: targetsOf(tensors) };
  if (settings.targets.length === 0) {
    refuse(weights, "what is there", "no LoRA", `some of ${LORA_TARGETS.join(", ")}`);
  }
  for (const tensor of tensors) {
    const module = /^base_model\.model\.(.+)\.lora_[AB]\.weight$/.exec(tensor)?.[1];
    if (module === undefined || isTargeted(module)) continue;
    refuse(weights, tensor, "there", `no adapter of that module, by target_modules and the like in ${file}`);
  }
  const base = await findBase(name, directory, file);
  return { directory, settings, base, output: tensors.includes(SCORE_TENSOR) ? "score" : "tokens" };
}

function targetsOf(tensors: readonly string[]): LoraTarget[] {
  return LORA_TARGETS.filter((target) => tensors.some((name) => name.endsWith(`.${target}.lora_A.weight`)));
}

/** A directory, from where the program runs or from the adapter. */
async function findBase(name: string, directory: string, file: string): Promise<string> {
  const candidates = isAbsolute(name) ? [name] : [resolve(name), resolve(directory, name)];
  for (const candidate of candidates) {
    if (await exists(join(candidate, FILES.config))) return candidate;
  }
  return refuse(file, "base_model_name_or_path", JSON.stringify(name), "a directory with the base model's checkpoint");
}

/** The adapter's weights for its base model. @throws {ConfigError} where the two do not fit. */
export async function readAdapter(
  description: AdapterDescription,
  base: ParameterStore,
  options: StoreOptions = {},
): Promise<LoadedAdapter> {
  const { directory, settings } = description;
  // An adapter of a model of tokens that is to be one of scores: the head is the base's.
  const isNewHead = description.output === "tokens";
  return withTensors(directory, async (opened) => {
    const layout = layoutAdapter(base.layout, settings, (tensor) => opened.tensors.has(tensor));
    const known = new Set<string>();
    for (const { tensor } of checkpointTensors(layout)) {
      known.add(tensor.name);
      const found = opened.tensors.get(tensor.name)?.shape;
      if (found?.join() === tensor.shape.join() || (tensor.name === SCORE_TENSOR && isNewHead)) continue;
      const shape = found ? `[${found.join(", ")}]` : "missing";
      refuse(opened.file, tensor.name, shape, `shape [${tensor.shape.join(", ")}], as its base model asks for`);
    }
    for (const name of opened.tensors.keys()) {
      if (!known.has(name)) refuse(opened.file, name, "there", "matrices of LoRA and a score head alone");
    }
    const store = new ParameterStore(layout, options);
    for (const { tensor, start, end } of options.shared ? [] : checkpointTensors(layout)) {
      if (tensor.name === SCORE_TENSOR && isNewHead)
        store.view(store.weights, "score").set(base.view(base.weights, "score"));
      else await opened.read(tensor.name, store.weights.subarray(start, end));
    }
    return { settings, base: description.base, store };
  });
}

async function withTensors<T>(directory: string, use: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  const opened = await SafetensorsFile.open(join(directory, ADAPTER_FILES.weights));
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

/** The weights come last: with them the adapter is complete. */
export async function writeAdapter(directory: string, { settings, base, store }: LoadedAdapter): Promise<void> {
  validateLora(settings);
  const tensors = new Map<string, StoredTensor>();
  for (const { tensor, start, end } of checkpointTensors(store.layout)) {
    tensors.set(tensor.name, { shape: tensor.shape, data: store.weights.subarray(start, end) });
  }
  const isScore = tensors.has(SCORE_TENSOR);
  const config = {
    peft_type: "LORA",
    task_type: isScore ? "SEQ_CLS" : "CAUSAL_LM",
    base_model_name_or_path: base,
    revision: null,
    inference_mode: true,
    r: settings.rank,
    lora_alpha: settings.alpha,
    lora_dropout: 0,
    target_modules: settings.targets,
    modules_to_save: isScore ? ["score"] : null,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    use_rslora: false,
    use_dora: false,
  };
  await writeFileAtomic(join(directory, ADAPTER_FILES.config), encodeJson(config));
  const weights = encodeSafetensors({ metadata: { format: "pt" }, tensors });
  await writeFileAtomic(join(directory, ADAPTER_FILES.weights), weights);
}

function refuse(file: string, key: string, found: string, expected: string): never {
  throw new ConfigError(`${file}: ${key} is ${found}; expected ${expected}`, { file, key, found, expected });
}
