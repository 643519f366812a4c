/** What memory a model takes, known before any of it is allocated. */
import { freemem, totalmem } from "node:os";
import { ConfigError } from "../../errors.ts";
import { MOST_PACKED_BYTES } from "./decoder.ts";
import { headSize, type LlamaConfig, type ParameterLayout } from "./llama-parameters.ts";
import { activationBytesPerToken, ASSUMED_LENGTH, microBatchTokens } from "./micro-batch-size.ts";
import { MOST_TRAINED_PARAMETERS } from "./parameter-store.ts";

export interface MemoryNeeds {
  /** The weights in float32, once per copy: what loading takes. */
  readonly weightsBytes: number;
  /** On top, while sampling: the weights of a small model in the order that products want, and 64 rows of cache. */
  readonly samplingBytes: number;
  /** On top, while training; `null` for a model too large to be trained. */
  readonly trainingBytes: number | null;
  /** On top, while training a low-rank adapter, whose own few parameters are not counted. */
  readonly adapterTrainingBytes: number;
}

const ASSUMED_ROWS = 64;

/** `replicas` compute side by side: on the same weights and moments with the engine's own kernels, else on copies. */
export function estimateMemory(
  config: LlamaConfig,
  layout: ParameterLayout,
  { replicas, byKernels }: { readonly replicas: number; readonly byKernels: boolean },
): MemoryNeeds {
  const { layerCount, keyValueHeadCount } = config;
  const copyBytes = 4 * layout.totalLength;
  const copies = byKernels ? 1 : replicas;
  const length = Math.min(config.contextLength, ASSUMED_LENGTH);
  const cacheBytes = 4 * ASSUMED_ROWS * length * 2 * layerCount * keyValueHeadCount * headSize(config);
  // ONNX Runtime holds them in the graph, in the file that it came from and packed.
  const packedBytes = copyBytes <= MOST_PACKED_BYTES ? replicas * (byKernels ? 1 : 3) * copyBytes : 0;
  const computation = { withGradients: true, byKernels };
  const activationBytes =
    replicas * microBatchTokens(config, computation) * activationBytesPerToken(config, computation);
  // Two moments, and what copies exchange; of each replica its gradient, and beside ONNX Runtime that of a micro-batch.
  const trainedBytes = (copies > 1 ? 3 : 2) * copyBytes + replicas * (byKernels ? 1 : 2) * copyBytes;
  return {
    weightsBytes: copies * copyBytes,
    samplingBytes: cacheBytes + packedBytes,
    trainingBytes: layout.totalLength > MOST_TRAINED_PARAMETERS ? null : trainedBytes + activationBytes,
    adapterTrainingBytes: activationBytes,
  };
}

/** What this process may use, in bytes: the machine's memory or what its control group allows. */
export function memoryLimitBytes(): number {
  const constrained = process.constrainedMemory?.() ?? 0;
  return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
}

/** @throws {ConfigError} when the weights alone are more than `limitBytes`. */
export function refuseTooLarge(needs: MemoryNeeds, directory: string, limitBytes: number): void {
  const { weightsBytes } = needs;
  if (weightsBytes <= limitBytes) return;
  const message = `${directory}: its weights take ${gigabytes(weightsBytes)} in float32, and there are ${gigabytes(limitBytes)} of memory; take a smaller model, or serve it elsewhere and name its server with --base-url`;
  throw new ConfigError(message, { directory, weightsBytes, limitBytes });
}

/** For people. */
export function describeNeeds(needs: MemoryNeeds, layout: ParameterLayout, directory: string): string {
  const { weightsBytes, samplingBytes, trainingBytes, adapterTrainingBytes } = needs;
  const training =
    trainingBytes === null
      ? `it is too large to be trained whole (at most ${millions(MOST_TRAINED_PARAMETERS)} parameters)`
      : `about ${gigabytes(trainingBytes)} more to train whole`;
  return (
    `loading ${directory}: ${millions(layout.parameterCount)} parameters, ${gigabytes(weightsBytes)}; ` +
    `about ${gigabytes(samplingBytes)} more to sample ${ASSUMED_ROWS} texts of ${ASSUMED_LENGTH} tokens, ${training}, ${gigabytes(adapterTrainingBytes)} to train a low-rank adapter; ${gigabytes(freemem())} are free`
  );
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 0)} GB`;
const millions = (count: number): string => `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} M`;
