import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadEmbeddedModel } from "../engine/embedded/embedded-model.ts";
import type { TrainableModel } from "../engine/engine.ts";
import { openClassificationServer } from "../openai/classification-server.ts";
import { serve, type ServedCheckpoint } from "./serve.ts";

let directory: string;
let server: ServedCheckpoint;
let local: TrainableModel;
const environment = {};

const conversations = ["return 1", "return a + b", "for x in xs:\n    yield x"].map((content) => [
  { role: "user", content: "Write a function." },
  { role: "assistant", content },
]);
const encode = (conversation: (typeof conversations)[number]): Int32Array =>
  local.tokenizer.encodeChat(conversation, { addGenerationPrompt: false });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-classify-"));
  local = await loadEmbeddedModel({ directory: "models/mubpp-base", output: "score", threads: 1 });
  await local.save(join(directory, "scorer"));
  server = await serve({ configuration: { checkpoint: join(directory, "scorer"), port: 0, threads: 1 } });
});
afterAll(async () => {
  await server.close();
  await local.close();
  await rm(directory, { recursive: true, force: true });
});

const root = (): string => server.url.replace(/\/v1$/, "");
async function post(path: string, body: unknown): Promise<{ status: number; body: any }> {
  const response = await fetch(`${root()}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}
async function localScores(): Promise<number[]> {
  const values = await local.forward(
    conversations
      .map(encode)
      .map((tokens) => ({ tokens, weights: new Float32Array(tokens.length).fill(1, tokens.length - 1) })),
  );
  return values.map((value) => value.at(-1)!);
}

describe("/classify of a model of scores", () => {
  it("gives the engine's scores to clients of vLLM, as they are or through a sigmoid", async () => {
    const input = conversations.map((conversation) => [...encode(conversation)]);
    const raw = await post("/classify", { model: server.model, input, use_activation: false });
    const activated = await post("/classify", { input });
    const expected = await localScores();
    expect(new Set(expected).size).toBe(3);
    expected.forEach((score, index) => {
      expect(raw.body.data[index]).toEqual({
        index,
        label: "score",
        probs: [expect.closeTo(score, 5)],
        num_classes: 1,
      });
      expect(activated.body.data[index].probs[0]).toBeCloseTo(1 / (1 + Math.exp(-score)), 5);
    });
    expect(raw.body.usage.prompt_tokens).toBe(input.flat().length);
  });

  it("gives them to clients of SGLang, in a list or alone", async () => {
    const lists = conversations.map((conversation) => [...encode(conversation)]);
    const expected = await localScores();
    const many = await post("/classify", { input_ids: lists });
    expect(many.body.map(({ embedding }: { embedding: number[] }) => embedding[0])).toEqual(
      expected.map((score) => expect.closeTo(score, 5)),
    );
    const one = await post("/classify", { input_ids: lists[1] });
    expect(one.body).toMatchObject({ embedding: [expect.closeTo(expected[1]!, 5)] });
    const text = await post("/classify", { text: "some text" });
    expect(text.body.embedding).toHaveLength(1);
  });

  it("refuses what it cannot score, and says why", async () => {
    expect(await post("/classify", { input: [[1]] })).toMatchObject({
      status: 400,
      body: { error: { param: "input" } },
    });
    expect(await post("/classify", { input: [[1, 999_999]] })).toMatchObject({ status: 400 });
    expect(await post("/classify", {})).toMatchObject({ status: 400 });
    const long = await post("/classify", { input_ids: Array.from({ length: local.contextLength + 1 }, () => 1) });
    expect(long.body.error.code).toBe("context_length_exceeded");
    const chat = await post("/v1/chat/completions", {
      model: server.model,
      messages: [{ role: "user", content: "hi" }],
    });
    expect(chat).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining("/classify") } } });
  });

  it("is what the client reads its logits from, in either form; a sequence too long costs only itself", async () => {
    const sequences = conversations.map(encode);
    const client = await openClassificationServer(
      { baseUrl: server.url, model: server.model, examples: sequences },
      { environment },
    );
    expect(client.description).toMatchObject({ form: "vllm", gives: "logit" });
    const long = new Int32Array(local.contextLength + 1).fill(1);
    const found = await client.classify([...sequences, long]);
    expect(found.slice(0, 3)).toEqual((await localScores()).map((score) => expect.closeTo(score, 5)));
    expect(found[3]).toBeNull();
    await client.close();
  });
});

it("a model of text has no /classify", async () => {
  const text = await serve({ configuration: { port: 0, threads: 1 } });
  await expect(
    openClassificationServer(
      { baseUrl: text.url, model: text.model, examples: conversations.map(encode), retries: 0 },
      { environment },
    ),
  ).rejects.toThrow(/one label/);
  await text.close();
});
