/** What training needs to go on as if it had not stopped: weights, optimizer moments, number of steps. */
import { ConfigError } from "../../errors.ts";
import { writeFileAtomic } from "../../store/atomic-write.ts";
import { readBytes } from "../read-files.ts";
import type { ParameterStore } from "./parameter-store.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "./safetensors.ts";

const FORMAT = "mucode-training-state-1";

const vectors = (store: ParameterStore) =>
  ({ weights: store.weights, moment1: store.moment1, moment2: store.moment2 }) as const;

/** One safetensors file with flat vectors; its metadata hold what `config` says of the store's shape and the step count. */
export async function writeTrainingState(file: string, config: object, store: ParameterStore): Promise<void> {
  store.requireTrainable();
  const tensors = new Map<string, StoredTensor>();
  for (const [name, data] of Object.entries(vectors(store))) tensors.set(name, { shape: [data.length], data });
  const metadata = { format: FORMAT, stepCount: `${store.stepCount}`, config: describe(config) };
  await writeFileAtomic(file, encodeSafetensors({ metadata, tensors }));
}

/** Replaces weights, moments and step count, and clears the gradient. @throws {ConfigError} if the file does not fit. */
export async function readTrainingState(file: string, config: object, store: ParameterStore): Promise<void> {
  store.requireTrainable();
  const { metadata, tensors } = decodeSafetensors(await readBytes(file), file);
  const refuse = (key: string, found: unknown, expected: string): never => {
    throw new ConfigError(`${file}: ${key} is ${found ?? "missing"}; expected ${expected}`, {
      file,
      key,
      found,
      expected,
    });
  };
  const { format, stepCount, config: shape } = metadata;
  if (format !== FORMAT) refuse("format", format, FORMAT);
  if (shape !== describe(config)) refuse("config", shape, describe(config));
  if (!/^\d+$/.test(stepCount ?? "")) refuse("stepCount", stepCount, "a number of steps");
  for (const [name, vector] of Object.entries(vectors(store))) {
    const found = tensors.get(name);
    if (found?.data.length !== vector.length) refuse(name, found?.data.length, `${vector.length} values`);
  }
  for (const [name, vector] of Object.entries(vectors(store))) vector.set(tensors.get(name)!.data);
  store.gradientIsClear = true;
  store.stepCount = Number(stepCount);
  store.version++;
}

const describe = (config: object): string =>
  JSON.stringify(Object.fromEntries(Object.entries(config).toSorted(([a], [b]) => (a < b ? -1 : 1))));
