/**
 * Checks files of tensors in the safetensors format in bounded memory: as long as the header says, and finite.
 */
import { type FileHandle, open } from "node:fs/promises";

export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** What is wrong with a checkpoint's file, for people. */
export class UnusableFile extends Error {}

const MAX_HEADER_BYTES = 100_000_000;
/** A multiple of every width. */
const CHUNK_BYTES = 4 << 20;

/** Bits per value of what trainers write. */
const BITS: Readonly<Record<string, number>> = {
  F64: 64,
  F32: 32,
  F16: 16,
  BF16: 16,
  F8_E4M3: 8,
  F8_E5M2: 8,
  I64: 64,
  I32: 32,
  I16: 16,
  I8: 8,
  U64: 64,
  U32: 32,
  U16: 16,
  U8: 8,
  BOOL: 8,
};

/** A value is NaN or infinite when its exponent's bits are all ones. */
const EXPONENTS: Readonly<Record<string, { readonly width: 1 | 2 | 4; readonly mask: number }>> = {
  F32: { width: 4, mask: 0x7f80_0000 },
  F16: { width: 2, mask: 0x7c00 },
  BF16: { width: 2, mask: 0x7f80 },
  F8_E5M2: { width: 1, mask: 0x7c },
  // The one form without infinities: NaN is all ones.
  F8_E4M3: { width: 1, mask: 0x7f },
};

/**
 * Its tensors. `name` is the file for messages.
 * @throws UnusableFile when it is cut off, malformed or holds NaN or infinity.
 */
export async function checkTensorFile(
  path: string,
  name: string,
  signal?: AbortSignal,
): Promise<Map<string, TensorEntry>> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    const { header, dataStart } = await readHeader(handle, size, name);
    const tensors = new Map<string, TensorEntry>();
    const entries = placed(header, name);
    let end = 0;
    for (const [key, { start, bytes }] of entries) {
      if (start !== end) throw new UnusableFile(`${name}: ${key} starts at byte ${start} of the data, not at ${end}`);
      end += bytes;
    }
    if (dataStart + end > size)
      throw new UnusableFile(`${name} is cut off: it has ${size} of ${dataStart + end} bytes`);
    if (dataStart + end < size) throw new UnusableFile(`${name} has ${size - dataStart - end} bytes after its tensors`);
    for (const [key, { dtype, shape, start, bytes }] of entries) {
      signal?.throwIfAborted();
      await requireFinite(handle, dataStart + start, bytes, dtype, `${name}: ${key}`);
      tensors.set(key, { dtype, shape });
    }
    return tensors;
  } finally {
    await handle.close();
  }
}

async function readHeader(handle: FileHandle, size: number, name: string) {
  if (size < 8) throw new UnusableFile(`${name} is cut off: it has ${size} bytes`);
  const length = Number((await readBytes(handle, 0, 8)).readBigUInt64LE(0));
  if (length > MAX_HEADER_BYTES || length > size - 8) {
    throw new UnusableFile(`${name} is cut off or no safetensors file: its header should have ${length} bytes`);
  }
  let header: unknown;
  try {
    header = JSON.parse((await readBytes(handle, 8, length)).toString("utf8"));
  } catch {
    header = undefined;
  }
  if (typeof header !== "object" || header === null) throw new UnusableFile(`${name}: its header is not JSON`);
  return { header: header as Record<string, unknown>, dataStart: 8 + length };
}

/** The tensors in the order of their bytes. */
function placed(header: Record<string, unknown>, name: string) {
  return Object.entries(header)
    .filter(([key]) => key !== "__metadata__")
    .map(([key, value]) => {
      const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
      const bits = BITS[String(dtype)];
      if (bits === undefined) throw new UnusableFile(`${name}: ${key} is of type ${String(dtype)}, which is not known`);
      if (!isExtents(shape) || !isExtents(offsets) || offsets.length !== 2) {
        throw new UnusableFile(`${name}: the header does not say where ${key} is`);
      }
      const [start, end] = offsets as [number, number];
      const bytes = (shape.reduce((product, extent) => product * extent, 1) * bits) / 8;
      if (end - start !== bytes) {
        throw new UnusableFile(`${name}: ${key} has ${end - start} bytes; [${shape.join(", ")}] needs ${bytes}`);
      }
      return [key, { dtype: String(dtype), shape, start, bytes }] as const;
    })
    .toSorted(([, a], [, b]) => a.start - b.start || a.bytes - b.bytes);
}

const isExtents = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0);

async function requireFinite(handle: FileHandle, start: number, bytes: number, dtype: string, what: string) {
  const exponent = EXPONENTS[dtype];
  if (exponent === undefined && dtype !== "F64") return;
  for (let done = 0; done < bytes; done += CHUNK_BYTES) {
    const chunk = await readBytes(handle, start + done, Math.min(CHUNK_BYTES, bytes - done));
    if (exponent === undefined ? !isFinite64(chunk) : !isFinite8To32(chunk, exponent)) {
      throw new UnusableFile(`${what} holds NaN or infinity: training diverged`);
    }
  }
}

function isFinite8To32(
  chunk: Buffer<ArrayBuffer>,
  { width, mask }: { readonly width: 1 | 2 | 4; readonly mask: number },
): boolean {
  const Words = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[width];
  const words = new Words(chunk.buffer, chunk.byteOffset, chunk.length / width);
  for (let i = 0; i < words.length; i++) if ((words[i]! & mask) === mask) return false;
  return true;
}

function isFinite64(chunk: Buffer<ArrayBuffer>): boolean {
  return new Float64Array(chunk.buffer, chunk.byteOffset, chunk.length / 8).every(Number.isFinite);
}

async function readBytes(handle: FileHandle, position: number, length: number): Promise<Buffer<ArrayBuffer>> {
  // Its own memory, so that words of it are aligned.
  const bytes = Buffer.from(new ArrayBuffer(length));
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new UnusableFile("the file became shorter while it was read");
    done += bytesRead;
  }
  return bytes;
}
