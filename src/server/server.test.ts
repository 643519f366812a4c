import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { loadEmbeddedModel } from "../engine/embedded/embedded-model.ts";
import { createManualLimits } from "../../test/manual-limits.ts";
import type { SampleRequest, TrainableModel } from "../engine/engine.ts";
import { openServer, type RunningServer, type ServerOptions } from "./server.ts";

let model: TrainableModel;
/** How each call of `sample` ended. */
const endings: string[] = [];
/** Called at the next token that a call of `sample` gives. */
let onNextToken: (() => void) | undefined;
/** What calls of `sample` wait for when all is sampled, so that they are under way however fast the model is. */
let mayEnd: Promise<void> = Promise.resolve();
const limits = createManualLimits();
const servers: RunningServer[] = [];
beforeAll(async () => {
  const loaded = await loadEmbeddedModel({ directory: "models/mubpp-base" });
  model = {
    ...loaded,
    async sample(request, signal) {
      try {
        const onToken: SampleRequest["onToken"] = (token) => {
          const heard = onNextToken;
          onNextToken = undefined;
          heard?.();
          return request.onToken?.(token);
        };
        const samples = await loaded.sample({ ...request, onToken }, signal);
        await untilAborted(mayEnd, signal);
        endings.push("answered");
        return samples;
      } catch (error) {
        endings.push((error as Error).name);
        throw error;
      }
    },
  };
});
afterEach(() => {
  onNextToken = undefined;
  mayEnd = Promise.resolve();
});

const nextToken = (): Promise<void> => new Promise((resolve) => (onNextToken = resolve));
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await model.close();
});

/** Rejects with the signal's reason when it is aborted first. */
function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal!.reason);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
  return Promise.race([work, aborted]);
}

/** From now on no call of `sample` ends by itself, until what comes back is called. */
function holdAll(): () => void {
  let release: () => void = () => undefined;
  mayEnd = new Promise((resolve) => (release = resolve));
  return release;
}

async function open(changes: Partial<ServerOptions> = {}): Promise<{ server: RunningServer; client: OpenAI }> {
  const server = await openServer({
    model,
    output: "text",
    name: "m",
    fingerprint: "fp",
    port: 0,
    host: "127.0.0.1",
    maxQueue: 8,
    maxBodyBytes: 10_000,
    requestTimeoutMs: 20_000,
    clock: limits,
    ...changes,
  });
  servers.push(server);
  endings.length = 0;
  return { server, client: new OpenAI({ baseURL: server.url, apiKey: changes.apiKey ?? "none", maxRetries: 0 }) };
}

/** So hot that every token is about as likely: it goes on for a hundred tokens and more. */
const long = { model: "m", prompt: "x", temperature: 100, max_tokens: 200, seed: 1 };
const short = { model: "m", prompt: "x", max_tokens: 2, seed: 1 };

describe("a server that others can reach", () => {
  it("is not opened without a key", async () => {
    await expect(open({ host: "0.0.0.0" })).rejects.toThrow(ConfigError);
    await expect(open({ host: "0.0.0.0" })).rejects.toThrow(/host is 0\.0\.0\.0.*MUCODE_API_KEY/);
  });

  it("lets in whoever has the key, and tells everybody its health", async () => {
    const { server, client } = await open({ host: "0.0.0.0", apiKey: "the right one" });
    const { port } = new URL(server.url);
    const baseURL = `http://127.0.0.1:${port}/v1`;
    expect((await client.completions.create(short)).choices).toHaveLength(1);
    for (const apiKey of ["the wrong one", "the right", "the right one and more"]) {
      const other = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
      await expect(other.models.list()).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
    }
    const bare = await fetch(`${baseURL}/models`);
    expect([bare.status, bare.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
  });
});

describe("limits", () => {
  it("turn away what the queue cannot hold, until there is room", async () => {
    const { client } = await open({ maxQueue: 3 });
    const release = holdAll();
    const stream = await client.completions.create({ ...long, n: 2, stream: true });
    const refused = await client.completions.create({ ...short, n: 2 }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 429, code: "queue_full", type: "rate_limit_error" });
    expect((refused as InstanceType<typeof OpenAI.APIError>).headers!.get("retry-after")).toBe("1");
    const other = await client.completions.create({ ...short, stream: true });
    release();
    for (const accepted of [other, stream]) {
      for await (const _ of accepted) {
        // To its end.
      }
    }
    expect((await client.completions.create({ ...short, n: 2 })).choices).toHaveLength(2);
  });

  it("refuse more tokens than the server writes", async () => {
    const { client } = await open({ maxTokens: 20 });
    await expect(client.completions.create({ ...short, max_tokens: 21 })).rejects.toMatchObject({ status: 400 });
    expect((await client.completions.create({ ...short, max_tokens: 20 })).usage!.completion_tokens).toBeLessThan(21);
    const chat = await client.chat.completions.create({
      model: "m",
      messages: [{ role: "user", content: "x" }],
      temperature: 100,
    });
    expect(chat.usage!.completion_tokens).toBeLessThan(21);
  });

  it("end a request that takes too long, and free its place", async () => {
    const { client } = await open({ maxQueue: 4 });
    holdAll();
    onNextToken = () => limits.runOut(20_000);
    await expect(client.completions.create({ ...long, n: 4 })).rejects.toMatchObject({ status: 504 });
    onNextToken = () => limits.runOut(20_000);
    const stream = await client.completions.create({ ...long, n: 4, stream: true });
    const read = async (): Promise<void> => {
      for await (const _ of stream) {
        // To its end.
      }
    };
    await expect(read()).rejects.toMatchObject({ code: "request_timeout" });
    expect(endings).toEqual(["ApiError", "ApiError"]);
    mayEnd = Promise.resolve();
    expect((await client.completions.create({ ...short, n: 4 })).choices).toHaveLength(4);
  });
});

describe("a client that goes away", () => {
  it("ends the sampling of its request, streamed or not", async () => {
    const { client } = await open();
    const release = holdAll();
    const stream = await client.completions.create({ ...long, n: 4, stream: true });
    for await (const _ of stream) break;
    await expect.poll(() => endings).toEqual(["AbortError"]);

    const gone = new AbortController();
    onNextToken = () => gone.abort();
    const call = client.completions.create({ ...long, n: 8 }, { signal: gone.signal });
    await expect(call).rejects.toThrow(/abort/i);
    await expect.poll(() => endings).toEqual(["AbortError", "AbortError"]);
    release();
    expect((await client.completions.create({ ...short, n: 8 })).choices).toHaveLength(8);
  });
});

describe("shutting down", () => {
  it("finishes what is under way, refuses what is new, then listens no more", async () => {
    const { server, client } = await open();
    const release = holdAll();
    const begun = nextToken();
    const running = client.completions.create(long);
    await begun;
    const stream = await client.completions.create({ ...long, n: 2, stream: true });
    let chunks = 0;
    const closing: Promise<void>[] = [];
    const refusals: unknown[] = [];
    for await (const _ of stream) {
      if (++chunks === 20) {
        closing.push(server.close());
        refusals.push(await client.completions.create(short).catch((error: unknown) => error));
        refusals.push(await fetch(new URL("/health", server.url)));
        release();
      }
    }
    expect(refusals).toMatchObject([{ status: 503, code: "shutting_down" }, { status: 503 }]);
    expect(chunks).toBeGreaterThan(100);
    expect((await running).usage!.completion_tokens).toBeGreaterThan(20);
    await Promise.all(closing);
    expect(endings).toEqual(["answered", "answered"]);
    await expect(client.completions.create(short)).rejects.toThrow(/connect/i);
  });

  it("gives up what is not finished within the grace", async () => {
    const { server, client } = await open();
    holdAll();
    const begun = nextToken();
    const call = client.completions.create({ ...long, n: 4 }).catch((error: unknown) => error);
    await begun;
    const stream = await client.completions.create({ ...long, n: 4, stream: true });
    let closing: Promise<void> | undefined;
    const read = async (): Promise<void> => {
      for await (const _ of stream) {
        if (closing !== undefined) continue;
        closing = server.close({ graceMs: 3000 });
        limits.runOut(3000);
      }
    };
    await expect(read()).rejects.toMatchObject({ code: "shutting_down" });
    expect(await call).toMatchObject({ status: 503 });
    await closing;
    expect(endings).toEqual(["ApiError", "ApiError"]);
  });
});

describe("an address that cannot be had", () => {
  it("is a mistake that says so", async () => {
    const { server } = await open();
    const port = Number(new URL(server.url).port);
    await expect(open({ port })).rejects.toThrow(/port \d+ of 127\.0\.0\.1 is in use/);
    await expect(open({ host: "203.0.113.9", apiKey: "k" })).rejects.toThrow(/203\.0\.113\.9 is no address/);
  });
});
