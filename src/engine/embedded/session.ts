/** ONNX Runtime sessions with the engine's settings. The only place that names the runtime's options. */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { EngineError } from "../../errors.ts";
import { onnxRuntime } from "./onnx-runtime.ts";
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
  const { InferenceSession: runtime } = onnxRuntime();
  try {
    return await insideRuntime(() => runtime.create(model, settings));
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

/** What the runtime throws when it is to hand a sequence to JavaScript, after all outputs are computed. */
const NOT_HANDED_OUT = "Non tensor type is temporarily not supported";

/**
 * Runs a session whose outputs go into memory made for them. The runtime fills that memory and would then hand out a copy
 * of every output, in new memory, in the order of the graph's outputs: 4 % of a training step of 20 million parameters,
 * whose gradient is 80 MB. It has no option against that. But it gives up at the first output that is not a tensor, so a
 * graph whose first output is a sequence (`stopper`) is spared all copies. A runtime that handed sequences out, or made no
 * copies, would do here, too: what it returns is not used.
 * @throws {EngineError} when the runtime fails.
 */
export async function runInto(
  session: InferenceSession,
  feeds: Feeds,
  { stopper, outputs }: { readonly stopper: string; readonly outputs: Feeds },
): Promise<void> {
  try {
    await insideRuntime(() => session.run(feeds, { [stopper]: null, ...outputs }));
  } catch (error) {
    if (error instanceof Error && error.message.includes(NOT_HANDED_OUT)) return;
    throw new EngineError("ONNX Runtime failed to compute a batch", {}, { cause: error });
  }
}

export const floatTensor = (data: Float32Array, shape: readonly number[]): Tensor =>
  new (onnxRuntime().Tensor)("float32", data, shape);
export const integerTensor = (data: BigInt64Array, shape: readonly number[]): Tensor =>
  new (onnxRuntime().Tensor)("int64", data, shape);
