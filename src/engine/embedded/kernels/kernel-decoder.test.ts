import { describe, expect, it } from "vitest";
import type { Sample, SampleRequest } from "../../engine.ts";
import type { Decoder, PrefilledPrompt } from "../decoder.ts";
import { initializeParameters, layoutParameters, type LlamaConfig } from "../llama-parameters.ts";
import { ParameterStore } from "../parameter-store.ts";
import { Sampler, type PendingRequest } from "../sampler.ts";
import { allKernels } from "./addon.ts";
import { KernelDecoder } from "./kernel-decoder.ts";

const config: LlamaConfig = {
  vocabularySize: 300,
  hiddenSize: 64,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 96,
  contextLength: 256,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};
const store = new ParameterStore(layoutParameters(config));
initializeParameters(store.layout, store.weights, 5);

const tokensOf = (length: number): Int32Array => Int32Array.from({ length }, (_, t) => (31 * t + length) % 300);

const request = (changes: Partial<SampleRequest>): SampleRequest => ({
  tokens: tokensOf(40),
  seeds: [1, 2, 3],
  temperature: 1,
  maxTokens: 50,
  ...changes,
});

/** All at once; a request may come with a signal. */
function sampleAll(
  decoder: Decoder,
  requests: readonly (readonly [SampleRequest, AbortSignal?])[],
): Promise<PromiseSettledResult<Sample[]>[]> {
  const pending: PendingRequest[] = [];
  const results = requests.map(
    ([given, signal]) =>
      new Promise<Sample[]>((resolve, reject) => pending.push({ request: given, signal, resolve, reject })),
  );
  void new Sampler(config, decoder, { endTokens: [0, 1] }).run(() => pending.shift());
  return Promise.allSettled(results);
}

const sets = allKernels();

describe.skipIf(sets.length === 0).each(sets)("pages of the $name kernels", (kernels) => {
  it("hold a prompt once for all its sequences, and go back with the last of them", async () => {
    const decoder = new KernelDecoder(config, store, { kernels });
    const [prompt] = (await decoder.prefill([tokensOf(70)])) as [PrefilledPrompt];
    expect(decoder.usedPages).toBe(3);
    const sequences = Array.from({ length: 20 }, () => prompt.start({ token: 3, inverseTemperature: 1 }));
    for (let step = 0; step < 33; step++) await decoder.step();
    expect(decoder.usedPages).toBe(3 + 20 * 2);
    prompt.release();
    for (const sequence of sequences.slice(1)) sequence.end();
    expect(decoder.usedPages).toBe(3 + 2);
    sequences[0]!.end();
    expect(decoder.usedPages).toBe(0);
    await decoder.close();
  });

  it("are kept for a prompt without sequences until it is released", async () => {
    const decoder = new KernelDecoder(config, store, { kernels });
    const [prompt] = (await decoder.prefill([tokensOf(33)])) as [PrefilledPrompt];
    const start = () => prompt.start({ token: 3, inverseTemperature: 1 });
    const first = start();
    const seen = (await decoder.step()).logProbabilities[0]!.slice();
    first.end();
    expect(decoder.usedPages).toBe(2);
    start();
    expect((await decoder.step()).logProbabilities).toEqual([seen]);
    await decoder.close();
  });

  it("all go back once requests have been answered, aborted or given up by their listeners", async () => {
    const decoder = new KernelDecoder(config, store, { kernels });
    const controller = new AbortController();
    let heard = 0;
    const onToken = () => {
      if (++heard === 40) controller.abort(new Error("enough"));
      return undefined;
    };
    const refusing = () => {
      throw new Error("full");
    };
    const seeds = Array.from({ length: 150 }, (_, i) => i);
    const results = await sampleAll(decoder, [
      [request({ tokens: tokensOf(1) })],
      [request({ seeds, maxTokens: 30 })],
      [request({ seeds, onToken }), controller.signal],
      [request({ onToken: refusing })],
      [request({ tokens: tokensOf(200), temperature: 0 })],
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    expect(decoder.usedPages).toBe(0);
    await decoder.close();
  });
});

describe.skipIf(sets.length === 0).each(sets)("a failure of the $name kernels", (kernels) => {
  it("rejects the requests under way, and the next ones are answered", async () => {
    const decoder = new KernelDecoder(config, store, { kernels });
    const expected = await sampleAll(decoder, [[request({})]]);
    const inPrefill = await sampleAll(decoder, [[request({})], [request({ tokens: Int32Array.of(1, 5000, 2) })]]);
    const inStep = await sampleAll(decoder, [[request({})], [request({ tokens: Int32Array.of(1, 5000) })]]);
    for (const result of [...inPrefill, ...inStep]) {
      expect(result).toMatchObject({ status: "rejected", reason: new Error("gatherRows: an index is out of range") });
    }
    expect(decoder.usedPages).toBe(0);
    expect(await sampleAll(decoder, [[request({})]])).toEqual(expected);
    await decoder.close();
  });
});
