/**
 * Low-rank adapters (LoRA): beside a frozen matrix W [M, K] of a base model stand A [R, K] and B [M, R], and
 * W + s·B·A is computed with, s = alpha / R. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models".
 */
import { ConfigError } from "../../errors.ts";
import {
  checkpointTensors,
  initializeParameter,
  placeParameters,
  type ParameterDraft,
  type ParameterLayout,
} from "./llama-parameters.ts";
import { ParameterStore, type StoreOptions } from "./parameter-store.ts";

/** The matrices of a layer that can have an adapter, by their names in a checkpoint. */
export const LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;
export type LoraTarget = (typeof LORA_TARGETS)[number];

export interface LoraSettings {
  /** R, 1 or more. */
  readonly rank: number;
  readonly alpha: number;
  /** Which matrices of every layer. */
  readonly targets: readonly LoraTarget[];
}

/** An adapter with its optimizer's memory; what it belongs to is a base model in its own, frozen store. */
export interface LoadedAdapter {
  readonly settings: LoraSettings;
  /** Directory of the base model's checkpoint. */
  readonly base: string;
  readonly store: ParameterStore;
}

/** Names of a module's two matrices in the adapter's layout; `module` as `model.layers.0.self_attn.q_proj`. */
export const adapterNames = (module: string) => ({ a: `${module}.lora_A`, b: `${module}.lora_B` }) as const;

/** The name of the module that a tensor of a checkpoint is the matrix of; nothing of a tensor that has no adapter. */
function moduleOf(tensor: string): { readonly module: string; readonly target: LoraTarget } | undefined {
  const match = /^(model\.layers\.\d+\.(?:self_attn|mlp)\.(\w+_proj))\.weight$/.exec(tensor);
  return match === null ? undefined : { module: match[1]!, target: match[2] as LoraTarget };
}

/** @throws {ConfigError} naming the first value that describes no adapter. */
export function validateLora({ rank, alpha, targets }: LoraSettings): void {
  const refuse = (key: string, found: unknown, expected: string): never => {
    throw new ConfigError(`${key} is ${String(found)}; expected ${expected}`, { key, found, expected });
  };
  if (!(Number.isSafeInteger(rank) && rank >= 1 && rank <= 4096))
    refuse("lora.rank", rank, "an integer from 1 to 4096");
  if (!(Number.isFinite(alpha) && alpha > 0)) refuse("lora.alpha", alpha, "a positive number");
  if (targets.length === 0) refuse("lora.targets", "empty", `some of ${LORA_TARGETS.join(", ")}`);
  for (const [index, target] of targets.entries()) {
    if (!LORA_TARGETS.includes(target)) refuse("lora.targets", target, `some of ${LORA_TARGETS.join(", ")}`);
    if (targets.indexOf(target) !== index) refuse("lora.targets", `${target} twice`, "every name once");
  }
}

/**
 * The trained parameters: A and B of every targeted matrix, and the score head of a model of scores, which is trained
 * whole. Their tensors have the names that PEFT gives them. `isAdapted` leaves single matrices out, by the tensor of A.
 */
export function layoutAdapter(
  base: ParameterLayout,
  { rank, targets }: LoraSettings,
  isAdapted: (tensor: string) => boolean = () => true,
): ParameterLayout {
  const matrices: ParameterDraft[] = [];
  for (const { tensor } of checkpointTensors(base)) {
    const found = moduleOf(tensor.name);
    if (found === undefined || !targets.includes(found.target)) continue;
    const [outputs, inputs] = tensor.shape as [number, number];
    const { a, b } = adapterNames(found.module);
    if (!isAdapted(peftName(`${a}.weight`))) continue;
    const matrix = (name: string, shape: [number, number], initial: ParameterDraft["initial"]): void => {
      matrices.push({ name, shape, initial, tensors: [{ name: peftName(`${name}.weight`), shape }] });
    };
    // PEFT's `kaiming_uniform_` with a = √5: the bound is √(6 / ((1 + a²) · inputs)). B is 0, so that training starts
    // at the base model.
    matrix(a, [rank, inputs], { bound: 1 / Math.sqrt(inputs) });
    matrix(b, [outputs, rank], "zeros");
  }
  const score = base.byName.get("score");
  if (score !== undefined) {
    const { name, shape, initial, tensors } = score;
    matrices.push({ name, shape, initial, tensors: [{ name: peftName(tensors[0]!.name), shape }] });
  }
  return placeParameters(matrices, []);
}

/** PEFT wraps the model in one of its own. */
const peftName = (name: string): string => `base_model.model.${name}`;

/** A fresh adapter, drawn from `seed`; the score head is the base's. */
export function createAdapter(
  base: ParameterStore,
  options: { readonly settings: LoraSettings; readonly directory: string; readonly seed: number },
  storeOptions: StoreOptions = {},
): LoadedAdapter {
  const { settings, directory, seed } = options;
  const store = new ParameterStore(layoutAdapter(base.layout, settings), storeOptions);
  for (const parameter of storeOptions.shared ? [] : store.layout.parameters) {
    if (parameter.name === "score") store.view(store.weights, "score").set(base.view(base.weights, "score"));
    else initializeParameter(parameter, store.weights, seed);
  }
  return { settings, base: directory, store };
}

/** Adds s·B·A to the matrices in `weights`, a flat vector of the base's layout, and puts the adapter's score head in. */
export function mergeInto(weights: Float32Array, base: ParameterLayout, { settings, store }: LoadedAdapter): void {
  const scale = settings.alpha / settings.rank;
  for (const { tensor, start, end } of checkpointTensors(base)) {
    const found = moduleOf(tensor.name);
    if (found === undefined) continue;
    const names = adapterNames(found.module);
    if (!store.layout.byName.has(names.a)) continue;
    const [a, b] = [store.view(store.weights, names.a), store.view(store.weights, names.b)];
    addProduct(weights.subarray(start, end), { a, b, scale, rank: settings.rank });
  }
  if (!store.layout.byName.has("score")) return;
  const { offset } = base.byName.get("score")!;
  weights.set(store.view(store.weights, "score"), offset);
}

/** w += scale · b·a, each element of the product summed in double precision before it is added. */
function addProduct(
  w: Float32Array,
  { a, b, scale, rank }: { a: Float32Array; b: Float32Array; scale: number; rank: number },
): void {
  const inputs = a.length / rank;
  const sums = new Float64Array(inputs);
  for (let row = 0; row < b.length / rank; row++) {
    sums.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = scale * b[row * rank + k]!;
      for (let j = 0; j < inputs; j++) sums[j]! += factor * a[k * inputs + j]!;
    }
    for (let j = 0; j < inputs; j++) w[row * inputs + j]! += sums[j]!;
  }
}

/** The weights that a decoder reads of a model in training: base and adapter in one, made when they are asked for. */
export class MergedWeights {
  readonly layout: ParameterLayout;
  readonly #base: ParameterStore;
  readonly #adapter: LoadedAdapter;
  #weights: Float32Array | undefined;
  #mergedVersion = -1;

  constructor(base: ParameterStore, adapter: LoadedAdapter) {
    this.layout = base.layout;
    this.#base = base;
    this.#adapter = adapter;
  }

  get version(): number {
    return this.#adapter.store.version;
  }

  get weights(): Float32Array {
    this.#weights ??= new Float32Array(this.#base.weights.length);
    if (this.#mergedVersion !== this.version) {
      this.#weights.set(this.#base.weights);
      mergeInto(this.#weights, this.layout, this.#adapter);
      this.#mergedVersion = this.version;
    }
    return this.#weights;
  }

  view(vector: Float32Array, name: string): Float32Array {
    return this.#base.view(vector, name);
  }
}
