/**
 * The safetensors format: eight bytes with the header's length, a JSON header that places every tensor, the tensors.
 * https://github.com/huggingface/safetensors
 */
import { ConfigError } from "../../errors.ts";

export interface TensorFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

export interface StoredTensor {
  readonly shape: readonly number[];
  /** Row-major values. */
  readonly data: Float32Array;
}

const MAX_HEADER_BYTES = 100_000_000;
const DECODERS = { F32: decodeFloat32, BF16: decodeBrainFloat16 } as const;
const BYTES_PER_VALUE = { F32: 4, BF16: 2 } as const;

/** A file of float32 tensors. */
export function encodeSafetensors(file: TensorFile): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: file.metadata };
  let offset = 0;
  for (const [name, { shape, data }] of file.tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(json, 8);
  let position = 8 + headerLength;
  for (const { data } of file.tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

/**
 * Reads tensors of type F32 or BF16. `file` is the name for messages.
 * @throws {ConfigError} naming file, key, what was found and what was expected, when the bytes are malformed.
 */
export function decodeSafetensors(bytes: Uint8Array, file: string): TensorFile {
  const refuse = (key: string, found: unknown, expected: string): never => {
    const message = `${file}: ${key} is ${typeof found === "string" ? found : JSON.stringify(found)}; expected ${expected}`;
    throw new ConfigError(message, { file, key, found, expected });
  };
  if (bytes.length < 8) refuse("size", `${bytes.length} bytes`, "at least 8 bytes");
  const declared = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0, true);
  if (declared > MAX_HEADER_BYTES || Number(declared) > bytes.length - 8) {
    refuse("header length", `${declared} bytes`, `at most the ${bytes.length - 8} bytes that follow`);
  }
  const dataStart = 8 + Number(declared);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, dataStart)));
  } catch {
    refuse("header", "not JSON", "a JSON object");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) refuse("header", header, "a JSON object");

  const tensors = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header as Record<string, unknown>)) {
    if (name === "__metadata__") {
      metadata = entry as Record<string, string>;
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    if (dtype !== "F32" && dtype !== "BF16") refuse(`${name}.dtype`, dtype ?? "missing", "F32 or BF16");
    if (!isExtents(shape)) refuse(`${name}.shape`, shape ?? "missing", "a list of non-negative integers");
    if (!isExtents(offsets) || offsets.length !== 2)
      refuse(`${name}.data_offsets`, offsets ?? "missing", "two integers");
    const type = dtype as keyof typeof DECODERS;
    const [start, end] = offsets as [number, number];
    const length = (shape as number[]).reduce((product, extent) => product * extent, 1);
    if (end - start !== length * BYTES_PER_VALUE[type]) {
      refuse(`${name}.data_offsets`, offsets, `${length * BYTES_PER_VALUE[type]} bytes for shape [${shape}]`);
    }
    if (end > bytes.length - dataStart) {
      refuse(
        `${name}.data_offsets`,
        offsets,
        `offsets within the ${bytes.length - dataStart} bytes of data (truncated?)`,
      );
    }
    const data = DECODERS[type](bytes.slice(dataStart + start, dataStart + end));
    tensors.set(name, { shape: shape as number[], data });
  }
  return { metadata, tensors };
}

const isExtents = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0);

function decodeFloat32(bytes: Uint8Array<ArrayBuffer>): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** BF16 is the upper half of a float32. */
function decodeBrainFloat16(bytes: Uint8Array<ArrayBuffer>): Float32Array {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}
