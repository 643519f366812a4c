// One thread's rows of a product, computed as often as it is told (own-products.mjs).
import { parentPort, workerData } from "node:worker_threads";
import { findKernels } from "../../dist/engine/embedded/kernels/addon.js";
import { KernelProgram } from "../../dist/engine/embedded/kernels/kernel-program.js";
import { columnsOf, rowsOf } from "../../dist/engine/embedded/kernels/matrix.js";

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort);
const kernels = findKernels();
if (kernels === undefined) throw new Error("there are no kernels");
const { lefts, transposeLeft, right, transposeRight, result, start, count } = workerData;
const program = new KernelProgram(kernels);
const part = transposeLeft ? columnsOf : rowsOf;
for (const left of lefts)
  program.product({
    left: part(left, start, count),
    transposeLeft,
    right,
    transposeRight,
    to: rowsOf(result, start, count),
  });
port.on("message", (times) => {
  for (let i = 0; i < times; i++) program.run();
  port.postMessage("done");
});
port.postMessage("ready");
