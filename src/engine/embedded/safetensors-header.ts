/**
 * The header of a safetensors file: eight bytes with its length, then JSON that places every tensor in the bytes that
 * follow. A header comes from whoever made the checkpoint: whatever the format does not allow is refused here, before
 * anything is allocated by what it says. https://github.com/huggingface/safetensors
 */
import { ConfigError } from "../../errors.ts";

/** Bytes of one value of the types read here. */
export const BYTES_PER_VALUE = { F32: 4, F16: 2, BF16: 2 } as const;
export type StoredType = keyof typeof BYTES_PER_VALUE;

/** A tensor's place; offsets count from the end of the header. */
export interface TensorEntry {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** Bytes before the header. */
export const PREFIX_BYTES = 8;

/** A tensor takes about 120 bytes of header: this is enough for a hundred thousand of them. */
const MOST_HEADER_BYTES = 2 ** 24;

/** @throws {ConfigError} of the kind that every function here throws: naming file, key, found and expected. */
export function refuse(file: string, key: string, found: unknown, expected: string): never {
  const message = `${file}: ${shorten(key)} is ${describe(found)}; expected ${expected}`;
  throw new ConfigError(message, { file, key, found: describe(found), expected });
}

/** The header's length, given the first eight bytes of a file of `fileBytes`. */
export function readHeaderLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (prefix.length < PREFIX_BYTES) refuse(file, "size", `${prefix.length} bytes`, `at least ${PREFIX_BYTES} bytes`);
  const declared = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  const most = Math.min(fileBytes - PREFIX_BYTES, MOST_HEADER_BYTES);
  if (declared > most) {
    const expected = most === MOST_HEADER_BYTES ? `at most ${most} bytes` : `at most the ${most} bytes that follow`;
    refuse(file, "header length", `${declared} bytes`, expected);
  }
  return Number(declared);
}

/** `dataBytes`: how many bytes follow the header. The tensors must fill them, without a gap or an overlap. */
export function parseHeader(bytes: Uint8Array, dataBytes: number, file: string): SafetensorsHeader {
  let header: unknown;
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    refuse(file, "header", "not JSON", "a JSON object");
  }
  if (!isObject(header)) refuse(file, "header", header, "a JSON object");
  const repeated = findRepeatedKey(text);
  if (repeated !== undefined) refuse(file, repeated, "there twice", "every key once");

  const tensors = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") metadata = parseMetadata(entry, file);
    else tensors.set(name, parseEntry(name, entry, dataBytes, file));
  }
  let end = 0;
  for (const [name, entry] of [...tensors].toSorted(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (entry.start !== end) {
      refuse(
        file,
        `${name}.data_offsets`,
        [entry.start, entry.end],
        `to start at ${end}, where the tensor before ends`,
      );
    }
    end = entry.end;
  }
  if (end !== dataBytes) refuse(file, "data", `${dataBytes} bytes`, `${end} bytes by its header`);
  return { metadata, tensors };
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  if (!isObject(value) || Object.values(value).some((text) => typeof text !== "string")) {
    refuse(file, "__metadata__", value, "an object of strings");
  }
  return value as Record<string, string>;
}

function parseEntry(name: string, value: unknown, dataBytes: number, file: string): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = isObject(value) ? value : {};
  if (!isStoredType(dtype)) refuse(file, `${name}.dtype`, dtype ?? "missing", "F32, F16 or BF16");
  if (!isExtents(shape)) refuse(file, `${name}.shape`, shape ?? "missing", "a list of non-negative integers");
  if (!isExtents(offsets) || offsets.length !== 2) {
    refuse(file, `${name}.data_offsets`, offsets ?? "missing", "two integers");
  }
  const [start, end] = offsets as [number, number];
  const length = shape.reduce((product, extent) => product * extent, 1) * BYTES_PER_VALUE[dtype];
  if (end - start !== length) {
    refuse(file, `${name}.data_offsets`, offsets, `${length} bytes for shape [${describe(shape).slice(1, -1)}]`);
  }
  if (end > dataBytes) {
    const expected = `offsets within the ${dataBytes} bytes of data (truncated?)`;
    refuse(file, `${name}.data_offsets`, offsets, expected);
  }
  return { dtype, shape, start, end };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isStoredType = (value: unknown): value is StoredType =>
  typeof value === "string" && Object.hasOwn(BYTES_PER_VALUE, value);
const isExtents = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0);

/** What was found, for a message; whoever wrote the file may have made it as long or as deep as they liked. */
function describe(found: unknown): string {
  if (typeof found === "string") return shorten(found);
  try {
    return shorten(JSON.stringify(found));
  } catch {
    return `a ${typeof found}`;
  }
}

const shorten = (text: string): string => (text.length <= 200 ? text : `${text.slice(0, 200)}…`);

/**
 * A key that an object of this JSON text has twice, of which a parser would silently keep one. The text is known to
 * be JSON.
 */
function findRepeatedKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  const structure = /["{}]/g;
  const colon = /\s*:/y;
  for (let found = structure.exec(text); found !== null; found = structure.exec(text)) {
    if (found[0] === "{") open.push(new Set());
    else if (found[0] === "}") open.pop();
    else {
      const end = endOfString(text, found.index);
      structure.lastIndex = end;
      colon.lastIndex = end;
      if (!colon.test(text)) continue;
      const key = JSON.parse(text.slice(found.index, end)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

/** One past the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}
