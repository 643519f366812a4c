import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import {
  createHurriedClock,
  startMisbehavingServer,
  type Behaviour,
  type HurriedClock,
  type MisbehavingServer,
  type MisbehavingServerOptions,
} from "../../test/misbehaving-server.ts";
import { openModelServer, type CompleteRequest, type ModelServer, type ModelServerOptions } from "./server.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

interface Setting {
  readonly server: MisbehavingServer;
  readonly model: ModelServer;
  readonly clock: HurriedClock;
  readonly lines: string[];
}

async function start(
  behaviour: MisbehavingServerOptions = {},
  options: Partial<ModelServerOptions> = {},
  clock: HurriedClock = createHurriedClock(),
): Promise<Setting> {
  const server = await startMisbehavingServer(behaviour);
  opened.push(server);
  const lines: string[] = [];
  const model = await openModelServer(
    { baseUrl: server.baseUrl, log: (line) => lines.push(line), ...options },
    { clock, environment: {} },
  );
  opened.push(model);
  return { server, model, clock, lines };
}

const ask = (seeds: readonly number[], over: Partial<CompleteRequest> = {}): CompleteRequest => ({
  conversation: [{ role: "user", content: "Write a function." }],
  seeds,
  temperature: 0.7,
  maxTokens: 100,
  ...over,
});

/** The first requests behave so, all later ones answer. */
const first =
  (...behaviours: Behaviour[]) =>
  (_request: unknown, index: number): Behaviour =>
    behaviours[index] ?? "answer";

/** Requests `from` to `to` are answered once all of them are there, and more had a chance to come. */
function answerTogether(from: number, to: number): (request: unknown, index: number) => Promise<Behaviour> {
  let go: () => void = () => undefined;
  const all = new Promise<void>((resolve) => (go = resolve));
  return async (_request, index) => {
    if (index === to) {
      for (let turn = 0; turn < 50; turn++) await setImmediate();
      go();
    }
    if (index >= from) await all;
    return "answer";
  };
}

describe("several choices", () => {
  it("come from one request where the server honours n", async () => {
    const { server, model } = await start();
    const choices = await model.complete(ask([11, 12, 13]));
    expect(choices.map(({ text }) => text)).toEqual([0, 1, 2].map((index) => `choice ${index} of seed 11`));
    expect(server.requests.map(({ body }) => body["n"])).toEqual([3, 3]);
    expect(model.description.capabilities.choices).toBe(true);
    await model.complete(ask([21, 22]));
    expect(server.requests).toHaveLength(3);
  });

  it("come from parallel requests where the server ignores n, and it is not asked again", async () => {
    const { server, model, lines } = await start({ mostChoices: 1 });
    const texts = async (seeds: number[]): Promise<string[]> =>
      (await model.complete(ask(seeds))).map(({ text }) => text);
    expect(await texts([11, 12, 13])).toEqual([11, 12, 13].map((seed) => `choice 0 of seed ${seed}`));
    expect(await texts([14, 15])).toEqual([14, 15].map((seed) => `choice 0 of seed ${seed}`));
    expect(server.requests.map(({ body }) => body["n"])).toEqual([3, ...Array.from({ length: 6 }, () => undefined)]);
    expect(model.description.capabilities.choices).toBe(false);
    expect(lines).toEqual([expect.stringContaining("asking for each by itself")]);
  });

  it.each([400, 500])("come from parallel requests where the server refuses n with status %i", async (status) => {
    const body = { error: { message: "Only one completion choice is allowed" } };
    const { model } = await start({
      behaviour: (request) => (request.body["n"] === undefined ? "answer" : { status, body }),
    });
    const choices = await model.complete(ask([1, 2]));
    expect(choices.map(({ text }) => text)).toEqual(["choice 0 of seed 1", "choice 0 of seed 2"]);
  });

  it("come from parallel requests where one seed makes all choices of a request equal", async () => {
    const { model } = await start({ text: ({ body }) => `the text of seed ${String(body["seed"])}` });
    const choices = await model.complete(ask([1, 2]));
    expect(choices.map(({ text }) => text)).toEqual(["the text of seed 1", "the text of seed 2"]);
    expect(model.description.capabilities).toMatchObject({ choices: false, sampling: true });
  });

  it("wait for one and the same probe, however many ask at once", async () => {
    const { server, model } = await start();
    await Promise.all([1, 2, 3, 4, 5].map((seed) => model.complete(ask([seed, seed + 10]))));
    expect(server.requests.map(({ body }) => body["n"])).toEqual([3, 2, 2, 2, 2, 2]);
  });

  it("of a server that does not sample are told to be equal", async () => {
    const { model, lines } = await start({ mostChoices: 1, text: () => "always this" });
    await model.complete(ask([1, 2]));
    expect(model.description.capabilities).toMatchObject({ choices: false, sampling: false });
    expect(lines[0]).toContain("gives the same text whatever the seed");
  });

  it("are completed where the server gives fewer than asked for", async () => {
    const { server, model } = await start({ mostChoices: 3 });
    const choices = await model.complete(ask([1, 2, 3, 4, 5, 6, 7]));
    expect(choices.map(({ text }) => text)).toEqual([
      ...[0, 1, 2].map((index) => `choice ${index} of seed 1`),
      ...[0, 1, 2].map((index) => `choice ${index} of seed 4`),
      "choice 0 of seed 7",
    ]);
    expect(server.requests.map(({ body }) => body["n"])).toEqual([3, 7, 4, undefined]);
  });

  it("are asked for once when they are greedy, and belong to every seed", async () => {
    const { server, model } = await start();
    const choices = await model.complete(ask([5, 6, 7], { temperature: 0 }));
    expect(choices.map(({ text }) => text)).toEqual(Array.from({ length: 3 }, () => "choice 0 of seed 5"));
    expect(server.requests.map(({ body }) => [body["temperature"], body["n"]])).toEqual([[0, undefined]]);
  });
});

describe("requests", () => {
  it("carry seed, temperature and the token limit, and keep to the number of slots", async () => {
    const { server, model } = await start({ mostChoices: 1, behaviour: answerTogether(5, 7) }, { concurrency: 3 });
    await model.complete(ask(Array.from({ length: 20 }, (_, i) => i)));
    expect(server.mostAtOnce).toBe(3);
    expect(server.requests[2]!.body).toEqual({
      model: "tiny",
      messages: [{ role: "user", content: "Write a function." }],
      max_tokens: 100,
      temperature: 0.7,
      seed: 0,
    });
  });

  it("send seeds in 31 bits", async () => {
    const { server, model } = await start();
    await model.complete(ask([0xffffffff]));
    expect(server.requests[0]!.body["seed"]).toBe(0x7fffffff);
  });

  it("use max_completion_tokens where the server demands it, and remember that", async () => {
    const body = { error: { message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead." } };
    const { server, model } = await start({
      behaviour: (request) => (request.body["max_tokens"] === undefined ? "answer" : { status: 400, body }),
    });
    await model.complete(ask([1]));
    await model.complete(ask([2]));
    expect(server.requests.map((request) => request.body["max_completion_tokens"])).toEqual([undefined, 100, 100]);
  });

  it("go to plain completions as labelled text", async () => {
    const { server, model } = await start({}, { api: "completions" });
    const [choice] = await model.complete(ask([4]));
    expect(choice).toEqual({ text: "choice 0 of seed 4", stopReason: "end", tokenCount: 7 });
    expect(server.requests[0]!.body).toMatchObject({ prompt: "User:\nWrite a function.\n\nAssistant:\n" });
  });

  it("stop when the caller aborts, and say so with the caller's reason", async () => {
    const controller = new AbortController();
    const abortAndHang = (): Behaviour => {
      controller.abort(new Error("enough"));
      return "hang";
    };
    const { model } = await start({ behaviour: abortAndHang });
    await expect(model.complete(ask([1]), controller.signal)).rejects.toThrow("enough");
  });
});

describe("answers", () => {
  it("keep reasoning apart, in a field of its own or in the text", async () => {
    const field = await start({ messageFields: { reasoning_content: "because" } });
    expect((await field.model.complete(ask([1])))[0]).toMatchObject({
      text: "choice 0 of seed 1",
      reasoning: "because",
    });
    const inText = await start({ text: () => "<think>because</think>\nanswer" });
    expect((await inText.model.complete(ask([1])))[0]).toMatchObject({ text: "answer", reasoning: "because" });
  });

  it("say when they were cut", async () => {
    const { model } = await start({ finishReason: "length" });
    expect((await model.complete(ask([1])))[0]).toMatchObject({ stopReason: "length" });
  });

  it("of another model are noticed", async () => {
    const { model, lines } = await start({ answersAs: "someone-else" });
    await model.complete(ask([1]));
    await model.complete(ask([2]));
    expect(model.description).toMatchObject({ model: "tiny", answeredBy: "someone-else" });
    expect(lines).toEqual([expect.stringContaining("was asked for tiny and answers as someone-else")]);
  });
});

describe("conversations that are too long", () => {
  const context = (message: string): Behaviour => ({ status: 400, body: { error: { message } } });

  /** Turns can be taken from it. */
  const conversation = [
    { role: "user", content: "Write a function." },
    { role: "assistant", content: "No." },
    { role: "user", content: "Yes." },
  ] as const;

  it("leave no room when they fill the context alone", async () => {
    const { server, model } = await start({
      behaviour: () => context("The input (9000 tokens) is longer than the model's context length (4096 tokens)."),
    });
    const choices = await model.complete(ask([1], { temperature: 0, conversation }));
    expect(choices).toEqual([{ text: "", stopReason: "no-room", tokenCount: 0 }]);
    expect(server.requests).toHaveLength(1);
  });

  it("get the room that is left", async () => {
    const { server, model } = await start({
      behaviour: first(
        context(
          "This model's maximum context length is 200 tokens. However, you requested 250 tokens (150 in the messages, 100 in the completion).",
        ),
      ),
    });
    const [choice] = await model.complete(ask([1]));
    expect(choice!.stopReason).toBe("end");
    expect(server.requests.map(({ body }) => body["max_tokens"])).toEqual([100, 50]);
  });

  it("are tried with fewer new tokens where the server does not say how much room is left", async () => {
    const { server, model } = await start({ behaviour: () => context("context_length_exceeded") });
    const [choice] = await model.complete(ask([1], { maxTokens: 200, conversation }));
    expect(choice!.stopReason).toBe("no-room");
    expect(server.requests.map(({ body }) => body["max_tokens"])).toEqual([200, 100, 50]);
  });
});

describe("faults", () => {
  const passing: Behaviour[] = [
    { status: 500 },
    { status: 408 },
    { status: 409 },
    { status: 429 },
    { status: 503 },
    "drop halfway",
    "truncated",
    "malformed",
    "not JSON at all",
    "empty choices",
    "error in 200",
  ];
  it.each(passing.map((behaviour) => [JSON.stringify(behaviour), behaviour] as const))(
    "that pass cost a repetition: %s",
    async (_name, behaviour) => {
      const { server, model, clock } = await start({ behaviour: first(behaviour, behaviour) });
      const [choice] = await model.complete(ask([1]));
      expect(choice!.text).toBe("choice 0 of seed 1");
      expect(server.requests).toHaveLength(3);
      expect(clock.waits).toEqual([375, 750]);
      expect(model.usage()).toMatchObject({ requests: 3, failedRequests: 2 });
    },
  );

  it("of a connection that the server had closed meanwhile cost nothing", async () => {
    const { server, model, clock } = await start({ behaviour: first("drop") });
    expect((await model.complete(ask([1])))[0]!.text).toBe("choice 0 of seed 1");
    expect(server.requests).toHaveLength(2);
    expect(clock.waits).toEqual([]);
    expect(model.usage()).toMatchObject({ requests: 1, failedRequests: 0 });
  });

  it("of a new connection are faults like others", async () => {
    const { server, model, clock } = await start({ behaviour: first("drop", "drop") });
    expect((await model.complete(ask([1])))[0]!.text).toBe("choice 0 of seed 1");
    expect(server.requests).toHaveLength(3);
    expect(clock.waits).toEqual([375]);
    expect(model.usage()).toMatchObject({ requests: 2, failedRequests: 1 });
  });

  it("by slowness end with the time limit of a request", async () => {
    const clock = createHurriedClock();
    const hang = (): Behaviour => {
      clock.runOut(30_000);
      return "hang";
    };
    const limit = { requestTimeoutMs: 30_000 };
    const { model } = await start({ behaviour: (_, index) => (index === 0 ? hang() : "answer") }, limit, clock);
    expect((await model.complete(ask([1])))[0]!.text).toBe("choice 0 of seed 1");
    const hopeless = await start({ behaviour: hang }, { ...limit, retries: 1 }, clock);
    await expect(hopeless.model.complete(ask([1]))).rejects.toThrow(/failed 2 times: no complete answer within 30 s/);
  });

  it("of one request fail its item, and the others go on", async () => {
    const { model, clock } = await start(
      { behaviour: ({ body }) => (body["seed"] === 2 ? "empty choices" : "answer") },
      { retries: 3 },
    );
    const results = await Promise.allSettled([1, 2, 3].map((seed) => model.complete(ask([seed]))));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { name: "ModelServerError", fields: { attempts: 4 } } });
    expect(clock.waits).toEqual([375, 750, 1500]);
  });

  it.each([
    ["17", 17_000],
    ["Thu, 01 Jan 2026 00:00:40 GMT", 40_000],
  ])("wait as long as Retry-After says: %s", async (retryAfter, expected) => {
    const { model, clock } = await start({ behaviour: first({ status: 429, retryAfter }) });
    await model.complete(ask([1]));
    expect(clock.waits).toEqual([expected]);
  });

  it("by too many requests are waited out for longer than others", async () => {
    const { server, model, clock } = await start(
      { behaviour: (_request, index) => (index < 12 ? { status: 429 } : "answer") },
      { retries: 2 },
    );
    expect((await model.complete(ask([1])))[0]!.stopReason).toBe("end");
    expect(server.requests).toHaveLength(13);
    expect(Math.max(...clock.waits)).toBe(22_500);
  });

  it("of a server that answers others cost the item, not the run", async () => {
    const { model } = await start(
      { behaviour: ({ body }) => (body["seed"] === 1 ? { status: 503 } : "answer") },
      { retries: 3 },
      createHurriedClock(async (waits) => {
        if (waits.length === 2) await model.complete(ask([2]));
      }),
    );
    await expect(model.complete(ask([1]))).rejects.toMatchObject({
      name: "ModelServerError",
      message: expect.stringContaining("failed 4 times: status 503"),
    });
    expect((await model.complete(ask([3])))[0]!.stopReason).toBe("end");
  });

  it("stop the run when Retry-After asks for more than the limit for pauses", async () => {
    const { model } = await start({ behaviour: () => ({ status: 429, retryAfter: "86400" }) });
    const answer = model.complete(ask([1]));
    await expect(answer).rejects.toMatchObject({
      name: "StopRunError",
      message: expect.stringContaining("asks to wait 1440 min"),
    });
  });
});

describe("a server that dies", () => {
  it("is waited for, and the run goes on when it comes back", async () => {
    const clock = createHurriedClock(async (waits) => {
      if (waits.length === 12) await setting.server.comeBack();
    });
    const setting: Setting = await start({}, {}, clock);
    const { server, model, lines } = setting;
    await model.complete(ask([1]));
    await server.die();
    expect((await model.complete(ask([2])))[0]!.text).toBe("choice 0 of seed 2");
    expect(clock.waits).toHaveLength(12);
    expect(lines).toEqual([
      expect.stringMatching(/does not answer \(.*ECONNREFUSED.*\); pausing for up to 5 min/),
      expect.stringMatching(/answers again after/),
    ]);
  });

  it("stops the run after a stated limit, at once for all that follows", async () => {
    const { server, model, clock } = await start({}, { pauseLimitMs: 60_000 });
    await server.die();
    const stop = { name: "StopRunError", message: expect.stringMatching(/was waited for .*what is finished is kept/s) };
    await expect(model.complete(ask([1]))).rejects.toMatchObject(stop);
    const waited = clock.waits.length;
    expect(clock.waits.reduce((sum, wait) => sum + wait, 0)).toBeLessThanOrEqual(60_000);
    await expect(model.complete(ask([2]))).rejects.toMatchObject(stop);
    expect(clock.waits).toHaveLength(waited);
  });

  it("in the middle of many requests loses none of them", async () => {
    let deaths = 0;
    const clock = createHurriedClock(() => setting.server.comeBack());
    const setting: Setting = await start(
      {
        mostChoices: 1,
        behaviour: async (_request, index): Promise<Behaviour> => {
          if (index === 10 && deaths++ === 0) await setting.server.die();
          return "answer";
        },
      },
      {},
      clock,
    );
    const seeds = Array.from({ length: 40 }, (_, i) => i);
    const choices = await setting.model.complete(ask(seeds));
    expect(choices.map(({ text }) => text)).toEqual(seeds.map((seed) => `choice 0 of seed ${seed}`));
    expect(deaths).toBe(1);
  });
});

describe("limits", () => {
  it("on requests are never exceeded, and say what to do", async () => {
    const { server, model } = await start({ mostChoices: 1 }, { maxRequests: 4 });
    const results = await Promise.allSettled([1, 2, 3, 4, 5, 6].map((seed) => model.complete(ask([seed]))));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(4);
    expect(results[5]).toMatchObject({
      reason: { name: "StopRunError", message: expect.stringMatching(/limit of 4 requests.*kept.*--max-requests/) },
    });
    expect(server.requests).toHaveLength(4);
  });

  it("on requests count repeated ones", async () => {
    const { server, model } = await start({ behaviour: () => ({ status: 500 }) }, { maxRequests: 3 });
    await expect(model.complete(ask([1]))).rejects.toMatchObject({ name: "StopRunError" });
    expect(server.requests).toHaveLength(3);
  });

  it("on tokens are never exceeded, even by what is under way", async () => {
    // Each answer uses 7 of the 100 tokens it might: all ten fit one after the other, two at once.
    const { server, model } = await start({ mostChoices: 1, behaviour: answerTogether(0, 1) }, { maxTokens: 200 });
    const answers = await Promise.allSettled(Array.from({ length: 40 }, (_, seed) => model.complete(ask([seed]))));
    const kept = answers.filter(({ status }) => status === "fulfilled").length;
    expect(kept).toBe(15);
    expect(model.usage().completionTokens).toBe(15 * 7);
    expect(server.mostAtOnce).toBe(2);
  });

  it("on tokens hold where the server does not count", async () => {
    const { model } = await start({ withoutUsage: true }, { maxTokens: 300 });
    const answers = await Promise.allSettled([1, 2, 3, 4].map((seed) => model.complete(ask([seed]))));
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected"]);
  });
});

describe("costs", () => {
  const prices = { inputPerMillion: 2, outputPerMillion: 10 };

  it("follow from the user's prices", async () => {
    const { model } = await start({}, { prices });
    await model.complete(ask([1]));
    expect(model.usage()).toEqual({
      requests: 1,
      failedRequests: 0,
      reasoningOnly: 0,
      promptTokens: 10,
      completionTokens: 7,
      cost: (10 * 2 + 7 * 10) / 1e6,
    });
  });

  it("are unknown without prices, and without counts", async () => {
    const unpriced = await start();
    await unpriced.model.complete(ask([1]));
    expect(unpriced.model.usage()).toMatchObject({ promptTokens: 10, cost: null });
    const uncounted = await start({ withoutUsage: true }, { prices });
    expect((await uncounted.model.complete(ask([1])))[0]!.tokenCount).toBeNull();
    expect(uncounted.model.usage()).toMatchObject({ promptTokens: null, completionTokens: null, cost: null });
    expect(uncounted.model.description.capabilities.usage).toBe(false);
  });
});

describe("opening", () => {
  const open = (baseUrl: string, options: Partial<ModelServerOptions> = {}) =>
    openModelServer({ baseUrl, ...options }, { clock: createHurriedClock(), environment: {} });

  it("takes the only model, and asks for a name when there are several or none", async () => {
    expect((await start()).model.description).toMatchObject({ model: "tiny", api: "chat" });
    await expect(start({ models: ["a", "b"] })).rejects.toThrow(/lists 2 models: a, b; name the one to use/);
    await expect(start({ models: [] })).rejects.toThrow(/lists no models/);
  });

  it("does without the list when the model is named", async () => {
    const { model, clock } = await start({ modelsBehaviour: { status: 500 } }, { model: "mine" });
    await model.complete(ask([1]));
    expect(model.description.model).toBe("mine");
    expect(clock.waits).toEqual([]);
    await expect(start({ modelsBehaviour: { status: 500 } })).rejects.toThrow(
      /does not list its models .*name the model/,
    );
  });

  it("says when nothing is there, without waiting", async () => {
    await expect(open("http://127.0.0.1:9/v1", { model: "mine" })).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("nothing answers at http://127.0.0.1:9/v1"),
    });
  });

  it("refuses URLs and limits that cannot be used", async () => {
    await expect(open("localhost:8000")).rejects.toThrow(/cannot be used: write it like/);
    await expect(open("http://127.0.0.1:9", { concurrency: 0 })).rejects.toThrow(/concurrency is 0/);
    await expect(open("http://127.0.0.1:9", { maxTokens: 1.5 })).rejects.toThrow(/maxTokens is 1.5/);
    await expect(open("http://127.0.0.1:9", { record: "a", replay: "b" })).rejects.toThrow(/exclude each other/);
  });

  it("explains an unknown model with those that are listed", async () => {
    const { model } = await start({ behaviour: () => ({ status: 404 }), models: ["a", "b"] }, { model: "c" });
    await expect(model.complete(ask([1]))).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("the models it lists: a, b"),
    });
  });
});
