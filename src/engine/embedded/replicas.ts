/** The replicas of one model as one: what a call means for each of them. */
import { allSettled } from "../../concurrency.ts";
import type { AdamWOptions, Datum, Sample, SampledToken, SampleRequest } from "../engine.ts";
import { ReplicaHandle } from "./replica-handle.ts";
import type { Answer, CallName, Given } from "./replica-messages.ts";
import type { ReplicaDescription, ReplicaSource } from "./replica.ts";
import { compact, cutSamples, dealData } from "./shares.ts";
import { TokenRelay } from "./token-relay.ts";

type Handles = readonly [ReplicaHandle, ...ReplicaHandle[]];

/**
 * Opens as many replicas as the threads and the model's size make good.
 * @throws whatever opening the source throws; nothing is left running then.
 */
export async function openReplicas(
  source: ReplicaSource,
  options: { readonly threads: number; readonly onNotice?: ((line: string) => void) | undefined },
): Promise<Replicas> {
  const { threads, onNotice } = options;
  const first = new ReplicaHandle();
  // They start while the first one reads.
  const others = Array.from({ length: threads - 1 }, () => new ReplicaHandle());
  try {
    const onTold = (told: unknown): void => onNotice?.(told as string);
    const description = await first.call("open", { source, threads }, { onTold });
    const { replicaCount: count, shared } = description;
    await allSettled(others.splice(count - 1).map((handle) => handle.close()));
    await allSettled(others.map((handle) => handle.call("open", { source, threads, shared })));
    const handles: Handles = [first, ...others];
    if (count > 1) await join(handles, description);
    return new Replicas(handles, description);
  } catch (error) {
    await allSettled([first, ...others].map((handle) => handle.close()));
    throw error;
  }
}

async function join(handles: Handles, { shared, trainedLength }: ReplicaDescription): Promise<void> {
  const count = handles.length;
  if (shared) {
    const gradients = await allSettled(handles.map((handle) => handle.call("gradient", undefined)));
    await allSettled(handles.map((handle, index) => handle.call("join", { index, gradients })));
  } else {
    const exchanged = new Float32Array(new SharedArrayBuffer(4 * trainedLength));
    await allSettled(handles.map((handle, index) => handle.call("join", { shared: exchanged, index, count })));
  }
}

export class Replicas {
  readonly description: ReplicaDescription;
  readonly #handles: Handles;
  /** Samples under way at each replica. */
  readonly #load: number[];

  constructor(handles: Handles, description: ReplicaDescription) {
    this.#handles = handles;
    this.description = description;
    this.#load = handles.map(() => 0);
  }

  /** The samples of few seeds come from one replica, which computes the prompt once; those of many are shared out. */
  async sample(request: SampleRequest, signal?: AbortSignal): Promise<Sample[]> {
    // Where one part fails, or a listener does, the others are of no use to anyone.
    const ending = new AbortController();
    const end = (): void => ending.abort(signal?.reason);
    signal?.addEventListener("abort", end, { once: true });
    const bounds = cutSamples(request.seeds.length, this.#handles.length);
    const parts = bounds.slice(1).map(async (to, part) => {
      try {
        return await this.#samplePart(request, { from: bounds[part]!, to }, ending);
      } catch (error) {
        ending.abort(error);
        throw error;
      }
    });
    try {
      return (await allSettled(parts)).flat();
    } finally {
      signal?.removeEventListener("abort", end);
    }
  }

  async forward(
    batch: readonly Datum[],
    signal?: AbortSignal,
    onSequences?: (count: number) => void,
  ): Promise<Float32Array[]> {
    const shares = dealData(batch, this.#handles.length);
    const answers = await this.#share(shares, (handle, items) =>
      handle.call("forward", dataOf(batch, items), { signal, onTold: (told) => onSequences?.(told as number) }),
    );
    return inOrder(batch.length, shares, answers);
  }

  async forwardBackward(
    batch: readonly Datum[],
    signal?: AbortSignal,
    onSequences?: (count: number) => void,
  ): Promise<{ loss: number; logprobs: Float32Array[] }> {
    const shares = dealData(batch, this.#handles.length);
    const undoable = signal !== undefined;
    try {
      const answers = await this.#share(shares, (handle, items) =>
        handle.call(
          "forwardBackward",
          { batch: dataOf(batch, items), undoable },
          { signal, onTold: (told) => onSequences?.(told as number) },
        ),
      );
      const loss = answers.reduce((sum, answer) => sum + answer.loss, 0);
      const logprobs = answers.map((answer) => answer.logprobs);
      return { loss, logprobs: inOrder(batch.length, shares, logprobs) };
    } catch (error) {
      // The others have nothing of this call: what they would take back is an earlier one.
      await allSettled(this.#sharing(shares).map((handle) => handle.call("undo", undefined)));
      throw error;
    }
  }

  async step(adamW: AdamWOptions): Promise<{ gradientNorm: number }> {
    const [first, ...others] = this.#handles;
    if (others.length === 0) return first.call("step", adamW);
    await first.call("requireTrainable", undefined);
    return this.description.shared ? this.#stepShared(adamW) : this.#stepCopies(adamW);
  }

  /** See `SharedExchange` for the steps. */
  async #stepShared(adamW: AdamWOptions): Promise<{ gradientNorm: number }> {
    await this.#all("settleGradient", undefined);
    const squares = await this.#all("sumGradients", undefined);
    const gradientNorm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
    await this.#all("updateShared", { adamW, gradientNorm });
    return { gradientNorm };
  }

  /** See `GradientExchange` for the steps. */
  async #stepCopies(adamW: AdamWOptions): Promise<{ gradientNorm: number }> {
    const others = this.#handles.slice(1);
    let squares: number[] = [];
    for (let round = 1; round <= others.length; round++) {
      await this.#all("publishGradient", round);
      squares = await this.#all("addGradient", undefined);
    }
    const gradientNorm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
    await this.#all("update", { adamW, gradientNorm });
    if (Number.isFinite(gradientNorm)) await this.#all("adopt", "weights");
    return { gradientNorm };
  }

  save(directory: string): Promise<void> {
    return this.#handles[0].call("save", directory);
  }

  async saveTrainingState(file: string): Promise<void> {
    const [first, ...others] = this.#handles;
    await first.call("requireTrainable", undefined);
    if (others.length > 0 && !this.description.shared) {
      for (const moment of ["moment1", "moment2"] as const) {
        await this.#all("publish", moment);
        await first.call("adopt", moment);
      }
    }
    await first.call("saveTrainingState", file);
  }

  async loadTrainingState(file: string): Promise<void> {
    await this.#all("loadTrainingState", file);
  }

  async close(): Promise<void> {
    // The first one gives back what all of them share.
    const [first, ...others] = this.#handles;
    await allSettled(others.map((handle) => handle.close()));
    await first.close();
  }

  /** Every replica does the same. */
  #all<N extends CallName>(call: N, given: Given<N>): Promise<Answer<N>[]> {
    return allSettled(this.#handles.map((handle) => handle.call(call, given)));
  }

  /** What the replicas that have a share make of it. */
  async #share<T>(
    shares: readonly (readonly number[])[],
    compute: (handle: ReplicaHandle, items: readonly number[]) => Promise<T>,
  ): Promise<T[]> {
    return allSettled(this.#sharing(shares).map((handle, index) => compute(handle, shares[index]!)));
  }

  /** The replicas that have a share: shares with nothing come last. The first one answers even then. */
  #sharing(shares: readonly (readonly number[])[]): readonly ReplicaHandle[] {
    return this.#handles.slice(0, Math.max(1, shares.filter((items) => items.length > 0).length));
  }

  async #samplePart(
    request: SampleRequest,
    { from, to }: { readonly from: number; readonly to: number },
    ending: AbortController,
  ): Promise<Sample[]> {
    const { onToken, tokens, seeds, ...rest } = request;
    const part = { ...rest, tokens: compact(tokens), seeds: seeds.slice(from, to) };
    const index = this.#load.indexOf(Math.min(...this.#load));
    this.#load[index]! += to - from;
    try {
      const given = { request: part, streams: onToken !== undefined };
      const { signal } = ending;
      if (onToken === undefined) return await this.#handles[index]!.call("sample", given, { signal });
      const relay = new TokenRelay((token) => onToken({ ...token, sampleIndex: from + token.sampleIndex }));
      const onTold = (told: unknown, endSample: (sampleIndex: number) => void): void => {
        try {
          relay.tell(told as SampledToken, endSample);
        } catch (error) {
          ending.abort(error);
        }
      };
      const samples = await this.#handles[index]!.call("sample", given, { signal, onTold });
      signal.throwIfAborted();
      return samples.map((sample, i) => relay.cut(sample, i));
    } finally {
      this.#load[index]! -= to - from;
    }
  }
}

const dataOf = (batch: readonly Datum[], items: readonly number[]): Datum[] =>
  items.map((item) => ({ tokens: compact(batch[item]!.tokens), weights: compact(batch[item]!.weights) }));

/** What was computed by share, in the order of the batch. */
function inOrder(
  length: number,
  shares: readonly (readonly number[])[],
  answers: readonly (readonly Float32Array[])[],
): Float32Array[] {
  const ordered = Array.from({ length }, (): Float32Array => new Float32Array());
  answers.forEach((answer, share) => answer.forEach((values, i) => (ordered[shares[share]![i]!] = values)));
  return ordered;
}
