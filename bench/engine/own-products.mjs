// Matrix products as the embedded engine computes them: with its kernels, or where there are none with ONNX Runtime.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { findKernels } from "../../dist/engine/embedded/kernels/addon.js";
import { matrixOf } from "../../dist/engine/embedded/kernels/matrix.js";
import { OnnxGraph } from "../../dist/engine/embedded/onnx-writer.js";
import { floatTensor, openSession, runSession } from "../../dist/engine/embedded/session.js";
import { createRandom } from "../../dist/random.js";

/** @typedef {import("./models.mjs").Product} Product */
/** @typedef {{ copies: number, threads: number }} Options */
/** @typedef {{ run: () => Promise<number>, close: () => Promise<void> }} OpenProduct `run` gives the floating-point operations that it took */

/** A thread is told to do at least so many floating-point operations at once, next to which telling it takes no time. */
const LEAST_FLOPS = 1e10;

/** @param {Product} product @param {Options} options @returns {Promise<OpenProduct>} */
export async function openProduct(product, options) {
  return findKernels() === undefined ? openInOnnxRuntime(product, options) : openInKernels(product, options);
}

/**
 * Every thread computes its rows of the result.
 * @param {Product} product
 * @param {Options} options
 * @returns {Promise<OpenProduct>}
 */
async function openInKernels({ rows, inner, columns, transposeLeft, transposeRight }, { copies, threads }) {
  const random = createRandom(1, "products");
  const matrix = (/** @type {[number, number]} */ [height, width]) => {
    const data = new Float32Array(new SharedArrayBuffer(4 * height * width));
    for (let i = 0; i < data.length; i++) data[i] = random() - 0.5;
    return matrixOf(data, height, width);
  };
  const lefts = Array.from({ length: copies }, () => matrix(transposeLeft ? [inner, rows] : [rows, inner]));
  const right = matrix(transposeRight ? [columns, inner] : [inner, columns]);
  const result = matrix([rows, columns]);
  const flops = 2 * rows * inner * columns * copies;
  const times = Math.ceil(LEAST_FLOPS / flops);
  const bounds = Array.from({ length: threads + 1 }, (_, i) => Math.round((rows * i) / threads));
  const pool = bounds.slice(1).map((end, i) => {
    const start = Number(bounds[i]);
    const workerData = { lefts, transposeLeft, right, transposeRight, result, start, count: end - start };
    return new Worker(new URL("product-thread.mjs", import.meta.url), { workerData });
  });
  const answers = () => Promise.all(pool.map((thread) => once(thread, "message")));
  await answers();
  return {
    async run() {
      const done = answers();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      for (const thread of pool) thread.postMessage(times);
      await done;
      return times * flops;
    },
    close: async () => void (await Promise.all(pool.map((thread) => thread.terminate()))),
  };
}

/**
 * Products of inputs, as in the training graph; of each result one row is given out.
 * @param {Product} product
 * @param {Options} options
 * @returns {Promise<OpenProduct>}
 */
async function openInOnnxRuntime({ rows, inner, columns, transposeLeft, transposeRight }, { copies, threads }) {
  const graph = new OnnxGraph();
  const random = createRandom(1, "products");
  /** @type {import("../../dist/engine/embedded/session.js").Feeds} */
  const feeds = {};
  const matrix = (/** @type {string} */ name, /** @type {number[]} */ shape) => {
    const [height, width] = /** @type {[number, number]} */ (shape);
    feeds[name] = floatTensor(
      Float32Array.from({ length: height * width }, () => random() - 0.5),
      shape,
    );
    return graph.input(name, "float32", shape);
  };
  const right = matrix("right", transposeRight ? [columns, inner] : [inner, columns]);
  const outputs = Array.from({ length: copies }, (_, i) => {
    const left = matrix(`left${i}`, transposeLeft ? [inner, rows] : [rows, inner]);
    const attributes = { transA: transposeLeft ? 1 : 0, transB: transposeRight ? 1 : 0 };
    const result = graph.node("Gemm", [left, right], attributes);
    const row = graph.node("Slice", [result, graph.integers(0), graph.integers(1), graph.integers(0)]);
    graph.output(row, "float32", [1, columns]);
    return row;
  });
  const session = await openSession(graph.encode(), { threads });
  return {
    async run() {
      await runSession(session, feeds, outputs);
      return 2 * rows * inner * columns * copies;
    },
    close: () => session.release(),
  };
}
