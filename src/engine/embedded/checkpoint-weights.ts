/** The tensors of a checkpoint, in one file or in several. */
import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
import { exists } from "../read-files.ts";
import { FILES, readWeightMap } from "./checkpoint-files.ts";
import { SafetensorsFile } from "./safetensors-file.ts";

export class CheckpointWeights {
  /** What messages name: the one file, or the index. */
  readonly file: string;
  /** The file of each tensor. */
  readonly tensors: ReadonlyMap<string, SafetensorsFile>;
  readonly #files: readonly SafetensorsFile[];

  /** Opens the files and checks their headers. @throws {ConfigError} naming file and tensor when something is wrong. */
  static async open(directory: string): Promise<CheckpointWeights> {
    const whole = join(directory, FILES.weights);
    const index = join(directory, FILES.weightsIndex);
    if ((await exists(whole)) || !(await exists(index))) {
      await refusePickles(directory, whole);
      const file = await SafetensorsFile.open(whole);
      const tensors = new Map([...file.tensors.keys()].map((name) => [name, file]));
      return new CheckpointWeights(whole, tensors, [file]);
    }
    const map = new Map(Object.entries(await readWeightMap(index)));
    const files: SafetensorsFile[] = [];
    try {
      const tensors = new Map<string, SafetensorsFile>();
      for (const shard of [...new Set(map.values())].toSorted()) {
        const file = await SafetensorsFile.open(join(directory, shard));
        files.push(file);
        for (const name of file.tensors.keys()) {
          if (map.get(name) === shard) tensors.set(name, file);
          else refuse(file.file, name, `there, but in ${map.get(name) ?? "no file"} by ${FILES.weightsIndex}`);
        }
      }
      for (const [name, shard] of map) {
        if (!tensors.has(name)) refuse(join(directory, shard), name, `missing, but there by ${FILES.weightsIndex}`);
      }
      return new CheckpointWeights(index, tensors, files);
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
  }

  private constructor(file: string, tensors: ReadonlyMap<string, SafetensorsFile>, files: readonly SafetensorsFile[]) {
    this.file = file;
    this.tensors = tensors;
    this.#files = files;
  }

  /** Nothing of a tensor that is not there. */
  shapeOf(name: string): readonly number[] | undefined {
    return this.tensors.get(name)?.tensors.get(name)?.shape;
  }

  /** Reads a tensor as float32. */
  async read(name: string, target: Float32Array): Promise<void> {
    await this.tensors.get(name)!.read(name, target);
  }

  /** Whether the tensor, which is there, has these values. */
  async holds(name: string, values: Float32Array): Promise<boolean> {
    return this.tensors.get(name)!.holds(name, values);
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }
}

function refuse(file: string, tensor: string, found: string): never {
  throw new ConfigError(`${file}: ${tensor} is ${found}`, { file, key: tensor, found });
}

/** PyTorch's own files are programs, which are never run here. */
async function refusePickles(directory: string, whole: string): Promise<void> {
  for (const name of ["pytorch_model.bin", "pytorch_model.bin.index.json"]) {
    if ((await exists(whole)) || !(await exists(join(directory, name)))) continue;
    const message = `${whole}: cannot be read; expected weights as safetensors: ${name} is a program, convert it with save_pretrained(…, safe_serialization=True)`;
    throw new ConfigError(message, { file: whole, found: name });
  }
}
