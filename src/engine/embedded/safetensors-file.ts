/** A safetensors file on disk, of which single tensors are read without holding the rest in memory. */
import { open, type FileHandle } from "node:fs/promises";
import { ConfigError } from "../../errors.ts";
import { POINTER_BYTES, refusePointer } from "../read-files.ts";
import { decodeValues } from "./safetensors.ts";
import {
  BYTES_PER_VALUE,
  parseHeader,
  PREFIX_BYTES,
  readHeaderLength,
  refuse,
  type StoredType,
  type TensorEntry,
} from "./safetensors-header.ts";

/** Values read at a time. */
const CHUNK_VALUES = 2 ** 20;

export class SafetensorsFile {
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly #handle: FileHandle;
  readonly #dataStart: number;

  /**
   * Opens a file and checks its header.
   * @throws {ConfigError} naming file, key, what was found and what was expected, when it cannot be read or is malformed.
   */
  static async open(file: string): Promise<SafetensorsFile> {
    const handle = await open(file, "r").catch((cause: unknown) => {
      throw new ConfigError(`${file}: cannot be read; expected a file of a checkpoint`, { file }, { cause });
    });
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) refuse(file, "what is there", "no file", "a file of a checkpoint");
      const start = new Uint8Array(Math.min(POINTER_BYTES, stat.size));
      await readFully(handle, start, 0, file);
      refusePointer(start, file);
      const prefix = start.subarray(0, PREFIX_BYTES);
      const header = new Uint8Array(readHeaderLength(prefix, stat.size, file));
      await readFully(handle, header, PREFIX_BYTES, file);
      const dataStart = PREFIX_BYTES + header.length;
      const { tensors } = parseHeader(header, stat.size - dataStart, file);
      return new SafetensorsFile(file, tensors, handle, dataStart);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  private constructor(file: string, tensors: ReadonlyMap<string, TensorEntry>, handle: FileHandle, dataStart: number) {
    this.file = file;
    this.tensors = tensors;
    this.#handle = handle;
    this.#dataStart = dataStart;
  }

  /** Reads a tensor as float32 into `target`, which has as many values. */
  async read(name: string, target: Float32Array): Promise<void> {
    await this.#readChunks(name, target.length, (bytes, dtype, offset) => {
      decodeValues(bytes, dtype, target.subarray(offset, offset + CHUNK_VALUES));
      return true;
    });
  }

  /** Whether a tensor's values are these, which are as many. */
  async holds(name: string, values: Float32Array): Promise<boolean> {
    const chunk = new Float32Array(Math.min(CHUNK_VALUES, values.length));
    return this.#readChunks(name, values.length, (bytes, dtype, offset) => {
      const expected = values.subarray(offset, offset + CHUNK_VALUES);
      decodeValues(bytes, dtype, chunk.subarray(0, expected.length));
      return expected.every((value, i) => Object.is(value, chunk[i]) || value === chunk[i]);
    });
  }

  /** Goes through a tensor's values as they are stored, until `use` gives false; gives whether it never did. */
  async #readChunks(
    name: string,
    length: number,
    use: (bytes: Uint8Array, dtype: StoredType, offset: number) => boolean,
  ): Promise<boolean> {
    const { dtype, start } = this.tensors.get(name)!;
    const width = BYTES_PER_VALUE[dtype];
    const chunk = new Uint8Array(width * Math.min(CHUNK_VALUES, length));
    for (let done = 0; done < length; done += CHUNK_VALUES) {
      const bytes = chunk.subarray(0, width * Math.min(CHUNK_VALUES, length - done));
      await readFully(this.#handle, bytes, this.#dataStart + start + width * done, this.file);
      if (!use(bytes, dtype, done)) return false;
    }
    return true;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function readFully(handle: FileHandle, target: Uint8Array, position: number, file: string): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) refuse(file, "size", `${position + done} bytes`, `at least ${position + target.length} bytes`);
    done += bytesRead;
  }
}
