/**
 * Keeps a process from ending while a thread is inside ONNX Runtime: a thread that is ended there takes the process down
 * with an abort. A thread says when it enters and leaves; a process that exits waits for those that are inside, a step
 * at most, and lets none in again.
 */
import { isMainThread, workerData } from "node:worker_threads";

/** Places of the gate's two numbers. */
const INSIDE = 0;
const CLOSED = 1;
/** A step takes a second or two at most; whatever takes longer than this hangs. */
const MOST_WAIT_MS = 30_000;

/** Under this name a thread is given its gate. */
export interface GatedThreadData {
  readonly mucodeRuntimeGate: Int32Array;
}

const own = isMainThread ? undefined : (workerData as Partial<GatedThreadData> | null)?.mucodeRuntimeGate;

/** Runs what calls the runtime, once the thread is let in. Without a gate (on the main thread) simply runs it. */
export async function insideRuntime<T>(work: () => Promise<T>): Promise<T> {
  if (own === undefined) return work();
  const leave = (): void => {
    Atomics.store(own, INSIDE, 0);
    Atomics.notify(own, INSIDE);
  };
  // In this order, so that either the process sees this thread inside or the thread sees that the process is ending.
  Atomics.store(own, INSIDE, 1);
  if (Atomics.load(own, CLOSED) === 1) {
    leave();
    return new Promise<never>(() => undefined);
  }
  return work().finally(leave);
}

const gates = new Set<Int32Array>();

/** The gate for a new thread; `forget` it once the thread has ended. */
export function createGate(): Int32Array {
  if (gates.size === 0) process.on("exit", closeGates);
  const gate = new Int32Array(new SharedArrayBuffer(8));
  gates.add(gate);
  return gate;
}

export function forgetGate(gate: Int32Array): void {
  gates.delete(gate);
  if (gates.size === 0) process.off("exit", closeGates);
}

function closeGates(): void {
  for (const gate of gates) Atomics.store(gate, CLOSED, 1);
  for (const gate of gates) Atomics.wait(gate, INSIDE, 1, MOST_WAIT_MS);
}
