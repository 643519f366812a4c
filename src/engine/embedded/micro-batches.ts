/** Which of the ways to compute micro-batches a model takes. */
import type { Kernels } from "./kernels/addon.ts";
import { KernelMicroBatches } from "./kernels/kernel-micro-batches.ts";
import type { LlamaConfig } from "./llama-parameters.ts";
import type { LoadedAdapter } from "./low-rank-adapter.ts";
import { OnnxMicroBatches } from "./onnx-micro-batches.ts";
import type { ParameterStore } from "./parameter-store.ts";
import type { MicroBatches } from "./trainer.ts";

/** Trains all of `store`, or with an adapter that alone, `store` being its base. Kernels compute on one thread. */
export function openMicroBatches(
  config: LlamaConfig,
  store: ParameterStore,
  options: {
    readonly kernels: Kernels | undefined;
    readonly threads: number;
    readonly adapter?: LoadedAdapter | undefined;
  },
): MicroBatches {
  const { kernels, threads, adapter } = options;
  if (kernels) return new KernelMicroBatches(config, store, { kernels, adapter });
  return new OnnxMicroBatches(config, store, { threads, adapter });
}
