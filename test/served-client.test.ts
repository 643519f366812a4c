/** The client of model servers against `mucode serve`'s own server: what comes through is what the engine samples. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadEmbeddedModel } from "../src/engine/embedded/embedded-model.ts";
import type { TrainableModel } from "../src/engine/engine.ts";
import { createEngineGenerator } from "../src/generator/engine-generator.ts";
import type { ProposeRequest } from "../src/generator/generator.ts";
import { createOpenAIGenerator } from "../src/generator/openai-generator.ts";
import { openModelServer, type ModelServer, type ModelServerOptions } from "../src/openai/server.ts";
import { openServer, type RunningServer } from "../src/server/server.ts";
import { createVerdictVerifier } from "../src/verifier/verdict-verifier.ts";

let model: TrainableModel;
let server: RunningServer;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-served-"));
  model = await loadEmbeddedModel({ directory: "models/mubpp-base" });
  server = await openServer({
    output: "text",
    model,
    name: "mubpp-base",
    fingerprint: "f",
    port: 0,
    host: "127.0.0.1",
    maxQueue: 64,
    maxBodyBytes: 100_000,
    requestTimeoutMs: 1_200_000,
  });
});
afterAll(async () => {
  await server.close();
  await model.close();
  await rm(directory, { recursive: true });
});

async function using<T>(work: (model: ModelServer) => Promise<T>, options: Partial<ModelServerOptions> = {}) {
  const opened = await openModelServer({ baseUrl: server.url, ...options }, { environment: {} });
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

const request = (seeds: readonly number[], over: Partial<ProposeRequest> = {}): ProposeRequest => ({
  conversation: [{ role: "user", content: "Return the sum of the list.\nFunction: total" }],
  seeds,
  temperature: 0.8,
  maxTokens: 60,
  ...over,
});

describe("a served checkpoint", () => {
  it("gives the completions of the same checkpoint in this process", async () => {
    const local = createEngineGenerator(model);
    await using(async (opened) => {
      const served = createOpenAIGenerator(opened);
      for (const seed of [1, 2, 3]) {
        const [expected] = await local.propose(request([seed]));
        const [completion] = await served.propose(request([seed]));
        expect([completion!.text, completion!.stopReason]).toEqual([expected!.text, expected!.stopReason]);
      }
      const greedy = { temperature: 0 };
      const texts = async (generator: typeof local) =>
        (await generator.propose(request([1, 2], greedy))).map(({ text }) => text);
      expect(await texts(served)).toEqual(await texts(local));
    });
  });

  it("is found to honour n, and gives different choices", async () => {
    await using(async (opened) => {
      const completions = await createOpenAIGenerator(opened).propose(request([5, 6, 7, 8], { temperature: 1.2 }));
      expect(completions).toHaveLength(4);
      expect(new Set(completions.map(({ text }) => text)).size).toBeGreaterThan(1);
      expect(opened.description).toMatchObject({ model: "mubpp-base", answeredBy: "mubpp-base" });
      expect(opened.description.capabilities).toMatchObject({ choices: true, usage: true });
      expect(opened.usage()).toMatchObject({ requests: 2, failedRequests: 0 });
    });
  });

  it("refuses a task that fills its context, and answers one that nearly does with what is left", async () => {
    const promptOf = (words: number) => [{ role: "user", content: "word ".repeat(words) }] as const;
    const length = (words: number) => model.tokenizer.encodeChat(promptOf(words), { addGenerationPrompt: true }).length;
    let words = 1;
    while (length(words + 1) < model.contextLength - 2) words++;
    const left = model.contextLength - length(words);
    await using(async (opened) => {
      const generator = createOpenAIGenerator(opened);
      const [prompt] = promptOf(words + 50);
      const over = generator.propose(request([1], { conversation: [prompt] }));
      await expect(over).rejects.toMatchObject({ name: "RefusedError", message: expect.stringContaining("no room") });
      const turn = [
        { role: "assistant", content: "x" },
        { role: "user", content: "y" },
      ] as const;
      const [full] = await generator.propose(request([1], { conversation: [prompt, ...turn] }));
      expect(full).toMatchObject({ text: "", stopReason: "no-room" });
      const [nearly] = await generator.propose(request([1], { conversation: promptOf(words) }));
      expect(nearly!.stopReason).not.toBe("no-room");
      expect(nearly!.tokenCount).toBeLessThanOrEqual(left);
    });
  });

  it("gives its likeliest first tokens by both protocols", async () => {
    for (const api of ["chat", "completions"] as const) {
      const tokens = await using((opened) => opened.firstTokens([{ role: "user", content: "Hi" }]), { api });
      expect(tokens).toHaveLength(20);
      const logprobs = tokens!.map(({ logprob }) => logprob);
      expect(logprobs).toEqual(logprobs.toSorted((a, b) => b - a));
      expect(logprobs.reduce((sum, logprob) => sum + Math.exp(logprob), 0)).toBeLessThanOrEqual(1.001);
    }
  });

  it("is refused as a verifier when it does not know the words, with the reason", async () => {
    const open = using((opened) => createVerdictVerifier({ server: opened, showPublicTests: true }));
    await expect(open).rejects.toThrow(/mubpp-base cannot be a verifier: it does not answer/);
  });

  it("is replayed without the server", async () => {
    const record = join(directory, "answers.jsonl");
    const propose = (opened: ModelServer) => createOpenAIGenerator(opened).propose(request([5, 6, 7]));
    const recorded = await using(propose, { record });
    expect(await using(propose, { replay: record, baseUrl: "http://replay.invalid/v1" })).toEqual(recorded);
  });
});
