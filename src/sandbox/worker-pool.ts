/**
 * Workers that share a queue of jobs: started with the first jobs, replaced when they die or must not be used again,
 * all killed by `close`. A job whose worker died runs again in another; one that hit its wall-clock limit runs again
 * with no other job beside it before that counts. Knows nothing about what a job is.
 */
import { ConfigError, SandboxError } from "../errors.ts";

/** `died`: the worker failed and nothing is known about the job; `slow`: the clock on the wall stopped it. */
export type WorkerOutcome<Outcome> =
  | { readonly kind: "done" | "slow"; readonly outcome: Outcome }
  | { readonly kind: "aborted" }
  | { readonly kind: "died"; readonly reason: string };

export interface Worker<Job, Outcome> {
  readonly pid: number;
  /** True until the worker ended or must not be used again. */
  readonly usable: boolean;
  /** Runs one job at a time. Never rejects. */
  run(job: Job, signal?: AbortSignal): Promise<WorkerOutcome<Outcome>>;
  /** Ends the worker and whatever it runs; resolves when they are gone. */
  kill(): Promise<void>;
}

export interface WorkerPoolOptions<Job, Outcome> {
  /** At least 1. */
  readonly workers: number;
  /**
   * `isLastAttempt`: a start that fails now is not tried again.
   * @throws SandboxError, or ConfigError where trying again is no use
   */
  start(isLastAttempt: boolean): Promise<Worker<Job, Outcome>>;
}

export interface WorkerPool<Job, Outcome> {
  /** Starts every worker now. @throws SandboxError */
  ready(): Promise<void>;
  /** Process ids of the workers that are running now. */
  pids(): readonly number[];
  /** Rejects with the signal's reason when aborted. @throws SandboxError when workers keep dying or cannot be started. */
  run(job: Job, signal?: AbortSignal): Promise<Outcome>;
  close(): Promise<void>;
}

interface Waiting<Job, Outcome> {
  readonly job: Job;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (reason: unknown) => void;
  /** To be called when nothing more will happen to the job. */
  readonly settled: () => void;
  /** Wants no other job beside it. */
  alone: boolean;
  deaths: number;
}

interface Slot<Job, Outcome> {
  worker: Promise<Worker<Job, Outcome>> | null;
  running: Worker<Job, Outcome> | null;
  busy: boolean;
}

const MAX_DEATHS = 3;
const START_ATTEMPTS = 4;
const CLOSED = "The sandbox is closed";

export function createWorkerPool<Job, Outcome>(options: WorkerPoolOptions<Job, Outcome>): WorkerPool<Job, Outcome> {
  const { workers } = options;
  if (!Number.isInteger(workers) || workers < 1) {
    throw new RangeError(`workers must be an integer of at least 1, not ${workers}`);
  }
  const slots: Slot<Job, Outcome>[] = Array.from({ length: workers }, () => ({
    worker: null,
    running: null,
    busy: false,
  }));
  const queue: Waiting<Job, Outcome>[] = [];
  let closed = false;

  async function start(slot: Slot<Job, Outcome>): Promise<Worker<Job, Outcome>> {
    slot.running = null;
    for (let attempt = 1; ; attempt++) {
      if (closed) throw new SandboxError(CLOSED);
      try {
        const started = await options.start(attempt === START_ATTEMPTS);
        slot.running = started;
        if (closed) await started.kill();
        return started;
      } catch (error) {
        if (attempt >= START_ATTEMPTS || closed || error instanceof ConfigError) throw error;
      }
    }
  }

  async function workerOf(slot: Slot<Job, Outcome>): Promise<Worker<Job, Outcome>> {
    slot.worker ??= start(slot);
    try {
      const worker = await slot.worker;
      if (worker.usable || closed) return worker;
    } catch (error) {
      slot.worker = null;
      throw error;
    }
    slot.worker = null;
    return workerOf(slot);
  }

  /** The replacement starts while the result is being used. */
  function replace(slot: Slot<Job, Outcome>): void {
    slot.worker = start(slot);
    slot.worker.catch(() => {});
  }

  function pump(): void {
    while (queue.length > 0) {
      const first = queue[0] as Waiting<Job, Outcome>;
      const busy = slots.filter((slot) => slot.busy).length;
      if (busy > 0 && (first.alone || busy === slots.length || slots.some((slot) => slot.busy && aloneIn(slot))))
        return;
      // A worker that is up already is quicker than one that must start.
      const free = slots.filter((slot) => !slot.busy);
      const slot = free.find((candidate) => candidate.worker !== null) ?? (free[0] as Slot<Job, Outcome>);
      queue.shift();
      slot.busy = true;
      current.set(slot, first);
      void work(slot, first).finally(() => {
        slot.busy = false;
        current.delete(slot);
        if (!queue.includes(first)) first.settled();
        pump();
      });
    }
  }

  const current = new Map<Slot<Job, Outcome>, Waiting<Job, Outcome>>();
  const aloneIn = (slot: Slot<Job, Outcome>): boolean => current.get(slot)?.alone === true;

  async function work(slot: Slot<Job, Outcome>, waiting: Waiting<Job, Outcome>): Promise<void> {
    const { job, signal, resolve, reject } = waiting;
    try {
      for (;;) {
        const worker = await workerOf(slot);
        if (signal?.aborted) return reject(signal.reason);
        const result = await worker.run(job, signal);
        if (!worker.usable && !closed) replace(slot);
        if (result.kind === "done") return resolve(result.outcome);
        if (closed) return reject(new SandboxError(`${CLOSED}: it was closed while a program ran`));
        if (result.kind === "aborted") return reject(signal?.reason);
        if (result.kind !== "died") {
          if (waiting.alone) return resolve(result.outcome);
          waiting.alone = true;
          if (slots.length === 1) continue;
          queue.unshift(waiting);
          return;
        }
        waiting.deaths++;
        if (waiting.deaths >= MAX_DEATHS) {
          throw new SandboxError(`The sandbox's process failed ${waiting.deaths} times on one job: ${result.reason}`, {
            deaths: waiting.deaths,
            reason: result.reason,
          });
        }
      }
    } catch (error) {
      reject(error);
    }
  }

  return {
    async ready() {
      if (closed) throw new SandboxError(CLOSED);
      await Promise.all(slots.map((slot) => workerOf(slot)));
    },
    pids: () => slots.flatMap(({ running }) => (running?.usable ? [running.pid] : [])),
    run(job, signal) {
      if (closed) return Promise.reject(new SandboxError(CLOSED));
      if (signal?.aborted) return Promise.reject(signal.reason);
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          // One that runs already keeps its worker until that has stopped it.
          const index = queue.indexOf(waiting);
          if (index >= 0) queue.splice(index, 1);
          reject(signal?.reason);
        };
        const settled = (): void => signal?.removeEventListener("abort", leave);
        const waiting: Waiting<Job, Outcome> = { job, signal, resolve, reject, settled, alone: false, deaths: 0 };
        signal?.addEventListener("abort", leave, { once: true });
        queue.push(waiting);
        pump();
      });
    },
    async close() {
      closed = true;
      for (const waiting of queue.splice(0)) {
        waiting.settled();
        waiting.reject(new SandboxError(CLOSED));
      }
      await Promise.all(
        slots.map(async (slot) => {
          const worker = await slot.worker?.catch(() => null);
          await worker?.kill();
          slot.running = null;
        }),
      );
    },
  };
}
