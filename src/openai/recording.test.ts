import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createHurriedClock,
  startMisbehavingServer,
  type Behaviour,
  type MisbehavingServerOptions,
} from "../../test/misbehaving-server.ts";
import { openModelServer, type CompleteRequest, type ModelServer, type ModelServerOptions } from "./server.ts";

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-recording-"));
  file = join(directory, "answers.jsonl");
});
afterEach(() => rm(directory, { recursive: true }));

const request = (content: string, seeds: readonly number[]): CompleteRequest => ({
  conversation: [{ role: "user", content }],
  seeds,
  temperature: 0.7,
  maxTokens: 50,
});

/** Runs `work` against a fresh server that is gone afterwards, recording. */
async function record<T>(
  behaviour: MisbehavingServerOptions,
  work: (model: ModelServer) => Promise<T>,
  options: Partial<ModelServerOptions> = {},
): Promise<T> {
  const server = await startMisbehavingServer(behaviour);
  const surroundings = { clock: createHurriedClock(), environment: {} };
  const model = await openModelServer({ baseUrl: server.baseUrl, record: file, ...options }, surroundings);
  try {
    return await work(model);
  } finally {
    await model.close();
    await server.close();
  }
}

/** Nothing listens at this address. */
const nowhere = "http://127.0.0.1:9/v1";

async function replay<T>(work: (model: ModelServer) => Promise<T>, options: Partial<ModelServerOptions> = {}) {
  const model = await openModelServer({ baseUrl: nowhere, replay: file, ...options }, { environment: {} });
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

/** A run with several choices, greedy answers, equal requests and log-probabilities. */
async function run(model: ModelServer): Promise<unknown> {
  const several = await model.complete(request("several", [1, 2, 3]));
  const concurrent = await Promise.all([4, 5, 4, 6, 4].map((seed) => model.complete(request("one", [seed]))));
  const tokens = await model.firstTokens([{ role: "user", content: "yes?" }]);
  return { several, concurrent, tokens, usage: model.usage() };
}

describe("a recorded run", () => {
  it.each([1, 3])("is replayed exactly without the server, which gave %i choices at most", async (mostChoices) => {
    let count = 0;
    const behaviour: MisbehavingServerOptions = {
      mostChoices,
      // Every answer is another one: a replay that mixed them up would show.
      text: () => `answer ${count++} ü 😀 \u2028 \\ "`,
      logprobs: () => ({ yes: -0.25, no: -1.75 }),
      behaviour: (_request, index): Behaviour => (["answer", { status: 500 }, "truncated"] as const)[index] ?? "answer",
    };
    const recorded = await record(behaviour, run);
    expect(await replay(run)).toEqual(recorded);
  });

  it.each([
    [8, 1],
    [1, 8],
  ])("is replayed with its refusals, %i at once there and %i here", async (there, here) => {
    const behaviour: MisbehavingServerOptions = {
      behaviour: ({ text }): Behaviour => (text.includes("knife") ? { status: 403 } : "answer"),
    };
    const contents = ["knife", "fork", "knives", "knife 2", "spoon", "knife 3"];
    const all = async (model: ModelServer): Promise<unknown[]> => {
      const settled = await Promise.allSettled(contents.map((content) => model.complete(request(content, [1]))));
      return settled.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as Error).name));
    };
    const recorded = await record(behaviour, all, { concurrency: there });
    expect(recorded.filter((one) => one === "RefusedError")).toHaveLength(3);
    expect(await replay(all, { concurrency: here })).toEqual(recorded);
  });

  it("is replayed although a server answered later requests first", async () => {
    let count = 0;
    let release: (() => void) | undefined;
    const behaviour: MisbehavingServerOptions = {
      text: () => `answer ${count++}`,
      behaviour: async (_request, index): Promise<Behaviour> => {
        if (index === 0) await new Promise<void>((resolve) => (release = resolve));
        else release?.();
        return "answer";
      },
    };
    const twice = (model: ModelServer) => Promise.all([1, 1].map((seed) => model.complete(request("same", [seed]))));
    const recorded = await record(behaviour, twice);
    expect(await replay(twice)).toEqual(recorded);
  });

  it("is replayed as a whole when it was made in two attempts, the first one killed", async () => {
    let count = 0;
    const behaviour: MisbehavingServerOptions = { mostChoices: 1, text: () => `answer ${count++}` };
    const ask = (content: string) => (model: ModelServer) => model.complete(request(content, [1, 2]));
    const first = await record(behaviour, ask("first"));
    await appendFile(file, '{"method":"POST","pa');
    const second = await record(behaviour, ask("second"));
    const both = async (model: ModelServer) => [await ask("first")(model), await ask("second")(model)];
    expect(await replay(both)).toEqual([first, second]);
  });

  it("holds each response as it came, and no header of a request", async () => {
    await record({ behaviour: (_request, index) => (index === 0 ? "not JSON at all" : "answer") }, (model) =>
      model.complete(request("one", [7])),
    );
    const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.map(({ method, path, occurrence, status }) => [method, path, occurrence, status])).toEqual([
      ["GET", "/models", 0, 200],
      ["POST", "/chat/completions", 0, 200],
      ["POST", "/chat/completions", 1, 200],
    ]);
    expect(records[1]).toMatchObject({ contentType: "text/html", body: "<html>Welcome to the proxy</html>" });
    expect(JSON.parse(records[2]!["request"] as string)).toMatchObject({ seed: 7, max_tokens: 50 });
    const fields = "method path requestHash occurrence request status contentType retryAfter body encoding";
    for (const one of records) expect(Object.keys(one)).toEqual(fields.split(" "));
  });
});

describe("a replay", () => {
  it("names the request that was not recorded, and what to do", async () => {
    await record({}, (model) => model.complete(request("one", [7])));
    const other = replay((model) => model.complete(request("another: it timed out", [7])));
    await expect(other).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(
        /no answer to POST \/chat\/completions, request [0-9a-f]{12}: .*timed out.*\nreplay/s,
      ),
    });
    const again = replay(async (model) => {
      await model.complete(request("one", [7]));
      return model.complete(request("one", [7]));
    });
    await expect(again).rejects.toThrow(/has 1 answers to .*, and it was asked once more/);
  });

  it("refuses a file without answers, and a damaged one", async () => {
    await expect(replay(run)).rejects.toThrow(/holds no recorded answers/);
    await writeFile(file, '{"method":"POST"}\n');
    await expect(replay(run)).rejects.toThrow(/answers.jsonl, line 1: not a record of this file/);
  });

  it("keeps to the limits of its own", async () => {
    await record({}, (model) => model.complete(request("one", [7])));
    const limited = replay((model) => model.complete(request("one", [7])), { maxTokens: 49 });
    await expect(limited).rejects.toThrow(/limit of 49 new tokens/);
  });
});
