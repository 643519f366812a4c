/** ONNX Runtime sessions with the engine's settings. The only place that names the runtime's options. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { EngineError } from "../../errors.ts";
import { insideRuntime } from "./runtime-gate.ts";

export type Feeds = Record<string, Tensor>;

/**
 * Opens a session. No memory pattern: shapes vary. Sums and products are computed in an order fixed by the shapes and
 * `threads`, so equal inputs give equal bits.
 * @throws {EngineError} when the runtime refuses the model.
 */
export async function openSession(model: Uint8Array, options: { readonly threads: number }): Promise<InferenceSession> {
  const settings: InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    enableMemPattern: false,
    graphOptimizationLevel: "all",
    // Waiting threads sleep: where something else wants the cores (grading does, while the model samples), threads that
    // spin instead cost the model more than half of its speed.
    extra: { session: { set_denormal_as_zero: "1", intra_op: { allow_spinning: "0" } } },
  };
  try {
    return await insideRuntime(() => InferenceSession.create(model, settings));
  } catch (error) {
    throw new EngineError("ONNX Runtime refused the model's graph", { modelBytes: model.length }, { cause: error });
  }
}

/** Runs a session and returns the named output tensors. @throws {EngineError} when the runtime fails. */
export async function runSession(
  session: InferenceSession,
  feeds: Feeds,
  outputs: readonly string[] | Record<string, Tensor>,
): Promise<InferenceSession.OnnxValueMapType> {
  try {
    return await insideRuntime(() => session.run(feeds, outputs));
  } catch (error) {
    throw new EngineError("ONNX Runtime failed to compute a batch", {}, { cause: error });
  }
}

/** Frees what a session holds. */
export const closeSession = (session: InferenceSession): Promise<void> => insideRuntime(() => session.release());

export const floatTensor = (data: Float32Array, shape: readonly number[]): Tensor => new Tensor("float32", data, shape);
export const integerTensor = (data: BigInt64Array, shape: readonly number[]): Tensor =>
  new Tensor("int64", data, shape);
