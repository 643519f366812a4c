/** Whole safetensors files in memory. Large ones are read piece by piece: see `safetensors-file.ts`. */
import { BYTES_PER_VALUE, parseHeader, PREFIX_BYTES, readHeaderLength, type StoredType } from "./safetensors-header.ts";

export interface TensorFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

export interface StoredTensor {
  readonly shape: readonly number[];
  /** Row-major values. */
  readonly data: Float32Array;
}

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
  const bytes = new Uint8Array(PREFIX_BYTES + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, PREFIX_BYTES, PREFIX_BYTES + headerLength);
  bytes.set(json, PREFIX_BYTES);
  let position = PREFIX_BYTES + headerLength;
  for (const { data } of file.tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

/**
 * Reads tensors of type F32, F16 or BF16. `file` is the name for messages.
 * @throws {ConfigError} naming file, key, what was found and what was expected, when the bytes are malformed.
 */
export function decodeSafetensors(bytes: Uint8Array, file: string): TensorFile {
  const dataStart = PREFIX_BYTES + readHeaderLength(bytes, bytes.length, file);
  const header = parseHeader(bytes.subarray(PREFIX_BYTES, dataStart), bytes.length - dataStart, file);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, start, end }] of header.tensors) {
    const data = new Float32Array((end - start) / BYTES_PER_VALUE[dtype]);
    decodeValues(bytes.subarray(dataStart + start, dataStart + end), dtype, data);
    tensors.set(name, { shape, data });
  }
  return { metadata: header.metadata, tensors };
}

/** Widens stored values to float32; `bytes` holds as many as `target`. */
export function decodeValues(bytes: Uint8Array, dtype: StoredType, target: Float32Array): void {
  if (dtype === "F32") {
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
    return;
  }
  // A view of 16-bit values must begin at an even address.
  const even = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  const halves = new Uint16Array(even.buffer, even.byteOffset, target.length);
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  if (dtype === "BF16") for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  else {
    halfValues ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToNumber(half));
    for (let i = 0; i < halves.length; i++) target[i] = halfValues[halves[i]!]!;
  }
}

/** The value of every F16, made when first needed. */
let halfValues: Float32Array | undefined;

/** IEEE 754 binary16: a sign, 5 bits of exponent with bias 15, 10 bits of fraction. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
