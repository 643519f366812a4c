import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { untilComputing } from "../../../test/computing.ts";
import { loopTurnsDuring } from "../../../test/until.ts";
import { createRandom } from "../../random.ts";
import type { Datum, SampledToken, TrainableModel } from "../engine.ts";
import { trainTokenizer } from "../tokenizer-training.ts";
import { createEmbeddedModel } from "./embedded-model.ts";
import type { LlamaConfig } from "./llama-parameters.ts";

const tokenizer = trainTokenizer({ texts: ["def solve(x):\n    return x\n"], phrases: [], vocabularySize: 300 });
const config: LlamaConfig = {
  vocabularySize: 300,
  hiddenSize: 32,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 48,
  contextLength: 128,
  tieEmbeddings: false,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};
const adamW = { learningRate: 2e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradientNorm: 0.5 };

const create = (threads: number): Promise<TrainableModel> =>
  createEmbeddedModel({ config, tokenizer, seed: 4, threads });

function someData(seed: number, count = 9): Datum[] {
  const random = createRandom("data", seed);
  return Array.from({ length: count }, () => {
    const length = 5 + Math.floor(random() * 60);
    const tokens = Int32Array.from({ length }, () => Math.floor(random() * 300));
    return { tokens, weights: Float32Array.from({ length }, (_, t) => (t === 0 ? 0 : (random() - 0.3) / 300)) };
  });
}

async function train(model: TrainableModel, from: number, to: number): Promise<number[]> {
  const seen: number[] = [];
  for (let step = from; step < to; step++) {
    // Two calls a step: the second adds to what the first one left.
    const { loss } = await model.forwardBackward(someData(step));
    await model.forwardBackward(someData(100 + step, 1));
    const { gradientNorm } = await model.optimizerStep(adamW);
    seen.push(loss, gradientNorm);
  }
  return seen;
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-replicas-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

async function weightsOf(model: TrainableModel, name: string): Promise<Buffer> {
  await model.save(join(directory, name));
  return readFile(join(directory, name, "model.safetensors"));
}

/** By the kernels that are taken here, where there are any, and by ONNX Runtime, which needs copies of the weights. */
describe.each(["", "onnxruntime"])("computed by %j:", (choice) => {
  beforeAll(() => {
    vi.stubEnv("MUCODE_KERNELS", choice);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });

  describe("replicas", () => {
    it("train as one does, within rounding, and in every bit as the same number of them did before", async () => {
      const [one, two, twin, three] = await Promise.all([create(1), create(2), create(2), create(3)]);
      const expected = await train(one, 0, 6);
      for (const model of [two, three]) {
        const seen = await train(model, 0, 6);
        seen.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4));
      }
      await train(twin, 0, 6);
      expect((await weightsOf(twin, "twin")).equals(await weightsOf(two, "two"))).toBe(true);
      const scores = await Promise.all([one, two, three].map((model) => model.forward(someData(7))));
      scores[0]!.forEach((row, i) =>
        row.forEach((value, t) => {
          expect(scores[1]![i]![t]).toBeCloseTo(value, 3);
          expect(scores[2]![i]![t]).toBeCloseTo(value, 3);
        }),
      );
      await Promise.all([one, two, twin, three].map((model) => model.close()));
    });

    it("stopped, saved, and gone on with give what they would have given, also one replica after two", async () => {
      const file = join(directory, "state.safetensors");
      const [straight, stopped, resumed, single] = await Promise.all([create(2), create(2), create(2), create(1)]);
      await train(straight, 0, 6);
      await train(stopped, 0, 3);
      await stopped.saveTrainingState(file);
      await resumed.loadTrainingState(file);
      await train(resumed, 3, 6);
      expect((await weightsOf(straight, "a")).equals(await weightsOf(resumed, "b"))).toBe(true);
      await single.loadTrainingState(file);
      await train(single, 3, 6);
      const [expected, found] = await Promise.all([straight.forward(someData(7)), single.forward(someData(7))]);
      found.forEach((row, i) => row.forEach((value, t) => expect(value).toBeCloseTo(expected[i]![t]!, 3)));
      await Promise.all([straight, stopped, resumed, single].map((model) => model.close()));
    });

    it("are without the gradient of a call that was aborted, all of them", async () => {
      const [aborted, undisturbed] = await Promise.all([create(2), create(2)]);
      const controller = new AbortController();
      for (const model of [aborted, undisturbed]) await model.forwardBackward(someData(1));
      // Far more than is computed before it is seen that it computes.
      const many = Array.from({ length: 600 }, (_, i) => someData(i, 20)).flat();
      const call = aborted.forwardBackward(many, controller.signal);
      void untilComputing(() => [process.pid], call).then(() => controller.abort(new Error("enough")));
      await expect(call).rejects.toThrow("enough");
      const norms = await Promise.all([aborted, undisturbed].map((model) => model.optimizerStep(adamW)));
      expect(norms[0]).toEqual(norms[1]);
      expect(await aborted.forward(someData(2))).toEqual(await undisturbed.forward(someData(2)));
      await Promise.all([aborted.close(), undisturbed.close()]);
    });

    it("change nothing when the gradient is not finite", async () => {
      const model = await create(2);
      const before = await weightsOf(model, "before");
      const [datum] = someData(1);
      const weights = datum!.weights.map((_, t) => (t === 0 ? 0 : 1e38));
      await model.forwardBackward([
        { tokens: datum!.tokens, weights },
        { tokens: datum!.tokens, weights },
      ]);
      expect((await model.optimizerStep(adamW)).gradientNorm).not.toSatisfy(Number.isFinite);
      expect((await weightsOf(model, "after")).equals(before)).toBe(true);
      expect((await model.optimizerStep(adamW)).gradientNorm).toBe(0);
      await model.close();
    });

    it("sample what one samples, in every bit, however many samples a prompt has", async () => {
      const [one, two] = await Promise.all([create(1), create(2)]);
      for (const count of [3, 40]) {
        const seeds = Array.from({ length: count }, (_, i) => i);
        const request = { tokens: Int32Array.of(20, 30, 40), seeds, temperature: 1, maxTokens: 30 };
        expect(await two.sample(request)).toEqual(await one.sample(request));
      }
      await Promise.all([one.close(), two.close()]);
    });
  });

  describe("a listener", () => {
    const request = {
      tokens: Int32Array.of(20, 30, 40),
      seeds: Array.from({ length: 20 }, (_, i) => i),
      temperature: 1,
      maxTokens: 30,
    };

    it("hears every token of every sample, and ends the samples it wants to end where it does", async () => {
      const model = await create(2);
      const whole = await model.sample(request);
      const heard = request.seeds.map((): SampledToken[] => []);
      const samples = await model.sample({
        ...request,
        onToken: (token) => {
          heard[token.sampleIndex]!.push(token);
          return token.sampleIndex % 2 === 0 && heard[token.sampleIndex]!.length === 5 ? "stop" : undefined;
        },
      });
      samples.forEach((sample, i) => {
        const ended = i % 2 === 0 && whole[i]!.logprobs.length > 5;
        const { tokens, logprobs, stopReason } = whole[i]!;
        expect(sample).toEqual(
          ended ? { tokens: tokens.slice(0, 5), logprobs: logprobs.slice(0, 5), stopReason: "length" } : whole[i],
        );
        expect(heard[i]!.map(({ logprob }) => logprob)).toEqual([...(ended ? logprobs.slice(0, 5) : logprobs)]);
        expect(heard[i]!.at(-1)!.stopReason).toBe(ended ? undefined : stopReason);
      });
      await model.close();
    });

    it("that throws rejects the request, and the next one is answered", async () => {
      const model = await create(2);
      let heard = 0;
      const failing = model.sample({
        ...request,
        onToken: () => {
          heard++;
          throw new Error("the listener broke");
        },
      });
      await expect(failing).rejects.toThrow("the listener broke");
      // One of each of the two replicas at most.
      expect(heard).toBeLessThanOrEqual(2);
      expect(await model.sample(request)).toHaveLength(20);
      await model.close();
    });
  });

  /** Runs a program with the built library, `model` being one with two replicas in the middle of a long call. */
  async function runProgram(rest: string): Promise<{ code: number; stdout: string; stderr: string }> {
    await (await create(1)).save(join(directory, "model"));
    const built = new URL("../../../dist/engine/embedded/embedded-model.js", import.meta.url).href;
    const program = `
    import { loadEmbeddedModel } from ${JSON.stringify(built)};
    const open = () => loadEmbeddedModel({ directory: ${JSON.stringify(join(directory, "model"))}, threads: 2 });
    const model = await open();
    const tokens = Int32Array.from({ length: 128 }, (_, t) => t);
    const data = Array.from({ length: 400 }, () => ({ tokens, weights: new Float32Array(128).fill(1, 1) }));
    ${rest}`;
    // glibc keeps what is freed, as much of it as the threads' order has it, unless it is given back at once.
    const env = { ...process.env, MALLOC_TRIM_THRESHOLD_: "65536", MALLOC_MMAP_THRESHOLD_: "65536" };
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { env });
    return run.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  }

  describe("a process with an engine", () => {
    it("has an event loop that goes on while the engine works", async () => {
      const { stdout } = await runProgram(`
      ${loopTurnsDuring}
      console.log(await loopTurnsDuring(() => model.forwardBackward(data)));
      await model.close();`);
      expect(stdout).toBe("true\n");
    });

    it("ends with the code it wants, whatever the engine is doing", async () => {
      const { code, stderr } = await runProgram(`
      void model.forwardBackward(data);
      setTimeout(() => process.exit(3), 50);`);
      expect({ code, stderr }).toMatchObject({ code: 3, stderr: "" });
      const thrown = await runProgram(`
      void model.forwardBackward(data);
      setTimeout(() => { throw new Error("of the program"); }, 50);`);
      expect(thrown.code).toBe(1);
      expect(thrown.stderr).toContain("of the program");
    });

    it("ends by itself when nothing is asked of the engine any more, closed or not", async () => {
      expect(await runProgram(`await model.forward(data.slice(0, 2)); console.log("done");`)).toMatchObject({
        code: 0,
        stdout: "done\n",
      });
    });

    it("can have several engines at work, and has their memory back once they are closed", async () => {
      const { code, stdout } = await runProgram(`
      await model.close();
      const bytes = () => process.memoryUsage.rss();
      const start = bytes();
      for (let round = 0; round < 3; round++) {
        const models = await Promise.all([open(), open()]);
        const losses = await Promise.all(models.map((model) => model.forwardBackward(data)));
        if (losses[0].loss !== losses[1].loss) throw new Error("they differ");
        await Promise.all(models.map((model) => model.close()));
      }
      const most = 1024 * process.resourceUsage().maxRSS;
      const kept = () => (bytes() - start) / (most - start);
      // A thread that has ended takes a moment to go.
      for (let turn = 0; turn < 10_000 && kept() >= 0.5; turn++) await new Promise(setImmediate);
      console.log(kept());`);
      expect(code).toBe(0);
      expect(Number(stdout)).toBeLessThan(0.5);
    });
  });
});
