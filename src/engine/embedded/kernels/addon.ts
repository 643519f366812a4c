/**
 * The engine's own compute kernels: a Node-API addon in C (`native/`), which comes built for Linux on x86-64. Everywhere
 * else, and on processors without AVX2, ONNX Runtime computes.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../../errors.ts";

/** What `native/addon.c` offers. */
interface Addon {
  /** Names of the sets of kernels that this processor has, fastest first. */
  readonly sets: readonly string[];
  /** Names of the commands; a command's number is its place. */
  readonly commands: readonly string[];
  /** Positions of a page of keys and values. */
  readonly pagePositions: number;
  /** Of the C files that it was built from. */
  readonly sourceDigest: string;
  run(set: number, program: Float64Array, arrays: readonly KernelArray[], profile?: Float64Array): void;
  packedLength(set: number, columns: number, depth: number): number;
  adviseHugePages(array: Float32Array): void;
  discard(array: Float32Array): void;
  /** From the start of an array to the first of its bytes that begins a cache line. */
  bytesToLine(array: Float32Array): number;
}

/** What kernels read and write. */
export type KernelArray = Float32Array | Int32Array | Float64Array;

/** Names a set of kernels to take, or `onnxruntime` for none: to compare them, or to get around one. */
const CHOICE = "MUCODE_KERNELS";
const NONE = "onnxruntime";

/** One set of kernels. */
export class Kernels {
  readonly name: string;
  readonly #addon: Addon;
  readonly #set: number;

  constructor(addon: Addon, set: number) {
    this.#addon = addon;
    this.#set = set;
    this.name = addon.sets[set]!;
  }

  /**
   * The set for products with few rows, such as decoding's, which wait for the weights: those that the tile unit (`amx`)
   * multiplies by take a half more memory once they are packed.
   */
  get forFewRows(): Kernels {
    const set = this.name === "amx" ? this.#addon.sets.indexOf("avx512") : this.#set;
    return new Kernels(this.#addon, set);
  }

  get pagePositions(): number {
    return this.#addon.pagePositions;
  }

  commandNumber(name: string): number {
    const number = this.#addon.commands.indexOf(name);
    if (number < 0) throw new Error(`the kernels have no command ${name}`);
    return number;
  }

  /** Runs commands on this thread. @throws {Error} naming the command when one does not fit its arrays. */
  run(program: Float64Array, arrays: readonly KernelArray[]): void {
    this.#addon.run(this.#set, program, arrays, profile);
  }

  /** Values that a matrix [depth, columns] takes as the packed right side of a product. */
  packedLength(columns: number, depth: number): number {
    return this.#addon.packedLength(this.#set, columns, depth);
  }
}

/** What commands took since `profileKernels`, if it was called. */
let profile: Float64Array | undefined;

/** Of one kind of command. */
export interface CommandTime {
  readonly command: string;
  readonly seconds: number;
  /** Floating-point operations, of products alone. */
  readonly flops: number;
}

/** Starts, or starts anew, to take the time of commands on this thread. */
export function profileKernels(): void {
  profile = new Float64Array(2 * (loadAddon()?.commands.length ?? 0));
}

/** What commands took since. */
export const commandTimes = (): CommandTime[] =>
  (loadAddon()?.commands ?? []).map((command, i) => ({
    command,
    seconds: profile?.[2 * i] ?? 0,
    flops: profile?.[2 * i + 1] ?? 0,
  }));

let loaded: Addon | undefined | null = null;

function loadAddon(): Addon | undefined {
  if (loaded !== null) return loaded;
  const file = new URL(`../../../../prebuilds/${process.platform}-${process.arch}/kernels.node`, import.meta.url);
  try {
    loaded = createRequire(import.meta.url)(fileURLToPath(file)) as Addon;
  } catch {
    // Not built for this platform, or not loadable there (another C library, say).
    loaded = undefined;
  }
  return loaded;
}

/**
 * The kernels to compute with, the fastest that this processor has; nothing where ONNX Runtime is to. The variable
 * `MUCODE_KERNELS` names another choice.
 * @throws {ConfigError} when it names what is not there.
 */
export function findKernels(): Kernels | undefined {
  const choice = process.env[CHOICE];
  if (choice === NONE) return undefined;
  const addon = loadAddon();
  const sets = addon?.sets ?? [];
  if (choice !== undefined && choice !== "" && !sets.includes(choice)) {
    const message = `${CHOICE} is ${choice}; expected one of ${[...sets, NONE].join(", ")}, or nothing`;
    throw new ConfigError(message, { variable: CHOICE, found: choice, expected: [...sets, NONE] });
  }
  if (addon === undefined || sets.length === 0) return undefined;
  return new Kernels(addon, choice ? sets.indexOf(choice) : 0);
}

const LINE_BYTES = 64;

/**
 * Values, all 0. For kernels they begin a cache line, else rows whose length is a multiple of one would lie across a
 * line more, and their memory is what large products read faster.
 */
export function newValues(length: number, options: { readonly shared?: boolean } = {}): Float32Array {
  const bytes = 4 * length;
  const addon = length > 0 ? loadAddon() : undefined;
  const memory = addon ? bytes + LINE_BYTES : bytes;
  const buffer = options.shared ? new SharedArrayBuffer(memory) : new ArrayBuffer(memory);
  if (addon === undefined) return new Float32Array(buffer);
  const values = new Float32Array(buffer, addon.bytesToLine(new Float32Array(buffer)), length);
  addon.adviseHugePages(values);
  return values;
}

/**
 * Gives the system the memory of values back that nobody reads any more. Memory that threads share is freed some time after all
 * of them have let go of it, which may be long.
 */
export function discardValues(values: Float32Array): void {
  if (values.length > 0) loadAddon()?.discard(values);
}

/** All sets of kernels that this processor has. */
export function allKernels(): Kernels[] {
  const addon = loadAddon();
  return addon ? addon.sets.map((_, set) => new Kernels(addon, set)) : [];
}
