/** A replica in a thread of its own, seen from the thread of the model's user, whose event loop it leaves alone. */
import { Worker } from "node:worker_threads";
import { EngineError } from "../../errors.ts";
import {
  receiveError,
  type Answer,
  type CallName,
  type FromReplica,
  type Given,
  type Told,
  type ToReplica,
} from "./replica-messages.ts";
import { createGate, forgetGate, type GatedThreadData } from "./runtime-gate.ts";

/** Node.js runs no TypeScript in a thread: from the sources, as in tests, it is the built file that runs. */
const threadFile = new URL(
  import.meta.url.endsWith(".ts") ? "../../../dist/engine/embedded/replica-thread.js" : "./replica-thread.js",
  import.meta.url,
);

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Given what the call tells while it is under way, and a way to end one of its samples. */
  readonly onTold?: (told: Told, endSample: (index: number) => void) => void;
}

interface Call {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly told: (told: Told) => void;
}

export class ReplicaHandle {
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  readonly #ended: Promise<void>;
  #nextId = 0;
  #failure: EngineError | undefined;

  constructor() {
    const gate = createGate();
    const workerData: GatedThreadData = { mucodeRuntimeGate: gate };
    // Options of the process (how its own main program is read, say) are not for this program.
    this.#worker = new Worker(threadFile, { workerData, name: "mucode-engine", execArgv: [] });
    this.#worker.on("message", (message: FromReplica) => this.#receive(message));
    this.#ended = new Promise((resolve) => {
      this.#worker.on("error", (error) => this.#fail(error));
      this.#worker.on("exit", () => {
        forgetGate(gate);
        this.#fail();
        resolve();
      });
    });
    // A model that waits for calls keeps no process alive.
    this.#worker.unref();
  }

  /** What the call answers. An abort is passed on; the call then rejects with the signal's reason. */
  call<N extends CallName>(name: N, given: Given<N>, options: CallOptions = {}): Promise<Answer<N>> {
    const { signal, onTold } = options;
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    const post = (message: ToReplica): void => this.#worker.postMessage(message);
    const abort = (): void => post({ id, abort: true });
    if (this.#calls.size === 0) this.#worker.ref();
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(id, {
        resolve,
        reject,
        told: (told) => onTold?.(told, (endSample) => post({ id, endSample })),
      });
      post({ id, call: name, given });
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
    return answered
      .catch((error: unknown) => {
        throw signal?.aborted && (error as Error).name === "AbortError" ? signal.reason : error;
      })
      .finally(() => {
        signal?.removeEventListener("abort", abort);
        this.#calls.delete(id);
        if (this.#calls.size === 0) this.#worker.unref();
      }) as Promise<Answer<N>>;
  }

  /** Ends the thread once it has done what was asked before; its memory is free then. */
  async close(): Promise<void> {
    if (this.#failure) return this.#ended;
    await this.call("close", undefined);
    this.#worker.ref();
    await this.#ended;
  }

  #receive(message: FromReplica): void {
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    if ("told" in message) call.told(message.told);
    else if ("error" in message) call.reject(receiveError(message.error));
    else call.resolve(message.answer);
  }

  #fail(cause?: Error): void {
    this.#failure ??= new EngineError("the engine's thread has ended", {}, cause ? { cause } : {});
    for (const { reject } of this.#calls.values()) reject(this.#failure);
  }
}
