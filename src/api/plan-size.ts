/** What a model needs of memory and disk, as far as that follows from its number of parameters and the command line of its trainer. */
import { allSettled } from "../concurrency.ts";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SafetensorsFile } from "../engine/embedded/safetensors-file.ts";

/** Bytes per parameter. Master weights and gradients are kept in single precision. */
const SINGLE = 4;
const HALF = 2;
const WEIGHT_BYTES = { float32: SINGLE, bf16: HALF } as const;

/** Bytes per parameter of what optimizers remember, by the names of transformers' `--optim`. Adafactor keeps rows and columns. */
const OPTIMIZER_BYTES: Readonly<Record<string, number>> = {
  adamw_torch: 8,
  adamw_torch_fused: 8,
  adamw_bnb_8bit: 2,
  adamw_8bit: 2,
  paged_adamw_8bit: 2,
  adafactor: 0,
};

/** What is divided among the processes of a training, and what each of them holds whole. */
export interface Sharding {
  readonly processes: number;
  readonly weights: boolean;
  readonly gradients: boolean;
  readonly moments: boolean;
}

/** Bytes. Activations, buffers and fragmentation come on top: they depend on lengths and kernels. */
export interface TrainingMemory {
  readonly weights: number;
  readonly gradients: number;
  readonly moments: number;
  /** Of the three together, on each device. */
  readonly perProcess: number;
}

/** Full fine-tuning in mixed precision; with AdamW 16 bytes per parameter before sharding. */
export function fullTrainingMemory(
  parameters: number,
  { sharding, momentBytes }: { readonly sharding: Sharding; readonly momentBytes: number },
): TrainingMemory {
  return divide(
    { weights: SINGLE * parameters, gradients: SINGLE * parameters, moments: momentBytes * parameters },
    sharding,
  );
}

/** A frozen base and an adapter that is trained; what the adapter holds is known once it is made. */
export function adapterTrainingMemory(
  parameters: number,
  { sharding, weights }: { readonly sharding: Sharding; readonly weights: keyof typeof WEIGHT_BYTES },
): TrainingMemory {
  return divide({ weights: WEIGHT_BYTES[weights] * parameters, gradients: 0, moments: 0 }, sharding);
}

/** Weights of a served model in half precision, on each of the devices that one replica is spread over. */
export function servedBytes(parameters: number, devicesPerReplica: number): number {
  return (HALF * parameters) / devicesPerReplica;
}

function divide(bytes: Omit<TrainingMemory, "perProcess">, sharding: Sharding): TrainingMemory {
  const share = (part: "weights" | "gradients" | "moments"): number =>
    bytes[part] / (sharding[part] ? sharding.processes : 1);
  return { ...bytes, perProcess: share("weights") + share("gradients") + share("moments") };
}

/** What accelerate's files of these names, which TRL brings along, divide. */
const SHARDED_BY: Readonly<Record<string, Omit<Sharding, "processes">>> = {
  multi_gpu: { weights: false, gradients: false, moments: false },
  zero1: { weights: false, gradients: false, moments: true },
  zero2: { weights: false, gradients: true, moments: true },
  zero3: { weights: true, gradients: true, moments: true },
  fsdp1: { weights: true, gradients: true, moments: true },
  fsdp2: { weights: true, gradients: true, moments: true },
};

/** What a trainer's command says of itself, with the spellings of `trl`, accelerate and transformers. */
export interface TrainingShape {
  readonly adapter: boolean;
  /** `null` for an accelerate file that is not one of TRL's. */
  readonly sharding: Sharding | null;
  /** What the optimizer remembers of each parameter; `null` for one that is not known. */
  readonly momentBytes: number | null;
}

export function trainingShape(command: readonly string[], processes: number): TrainingShape {
  const divided = dividedBy(command);
  return {
    adapter: adapterRank(command) !== null,
    sharding: divided === undefined ? null : { processes, ...divided },
    momentBytes: OPTIMIZER_BYTES[option(command, "optim") ?? "adamw_torch"] ?? null,
  };
}

/** The rank of the LoRA adapter that a command trains; `null` for one that trains the whole model. */
export function adapterRank(command: readonly string[]): number | null {
  return isOn(option(command, "use_peft")) ? Number(option(command, "lora_r") ?? DEFAULT_RANK) : null;
}

/** TRL's. */
const DEFAULT_RANK = 16;

function dividedBy(command: readonly string[]): Omit<Sharding, "processes"> | undefined {
  if (option(command, "fsdp") !== undefined) return SHARDED_BY["fsdp2"];
  const file = option(command, "accelerate_config") ?? option(command, "config_file") ?? "multi_gpu";
  return SHARDED_BY[file.replaceAll(/^.*\/|\.yaml$/g, "")];
}

/** A flag may stand alone and then means true. */
function isOn(value: string | undefined): boolean {
  return value !== undefined && ["", "true", "1"].includes(value.toLowerCase());
}

/** The last value of `--name VALUE` or `--name=VALUE`, hyphens and underscores alike; empty for a flag without one. */
function option(command: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  const spelt = (word: string): string => word.replace(/^--/, "").replaceAll("-", "_");
  for (const [index, word] of command.entries()) {
    if (!word.startsWith("--")) continue;
    const [key = "", ...value] = word.split("=");
    if (spelt(key) !== name) continue;
    const next = command[index + 1];
    const isAlone = next === undefined || next.startsWith("--");
    found = value.length > 0 ? value.join("=") : isAlone ? "" : next;
  }
  return found;
}

/** Parameters in a checkpoint's safetensors files, from their headers. `null` where there are none. @throws ConfigError */
export async function countParameters(directory: string): Promise<number | null> {
  const names = await readdir(directory).catch((): string[] => []);
  const files = names.filter((name) => name.endsWith(".safetensors"));
  if (files.length === 0) return null;
  const counts = await allSettled(files.map((name) => countInFile(join(directory, name))));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function countInFile(path: string): Promise<number> {
  const file = await SafetensorsFile.open(path);
  try {
    const shapes = [...file.tensors.values()].map(({ shape }) =>
      shape.reduce((product, extent) => product * extent, 1),
    );
    return shapes.reduce((sum, values) => sum + values, 0);
  } finally {
    await file.close();
  }
}
