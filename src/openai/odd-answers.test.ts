import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { createHurriedClock, startMisbehavingServer, type MisbehavingServer } from "../../test/misbehaving-server.ts";
import { readAnswer, readModels } from "./answers.ts";
import { AnswerError, classifyFault } from "./faults.ts";
import { openModelServer, type Choice, type ModelServer } from "./server.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

/** What a server answers to one conversation. */
interface Odd {
  readonly status?: number;
  readonly body: unknown;
  readonly api?: "chat" | "completions";
}

interface Opened {
  readonly server: MisbehavingServer;
  readonly model: ModelServer;
}

const odd = "Write the odd one.";
const retries = 2;

/** `to`: whom the odd answer is for; the others get a proper one. */
async function open({ status = 200, body, api = "chat" }: Odd, to: "one" | "all"): Promise<Opened> {
  const server = await startMisbehavingServer({
    behaviour: ({ text }) => (to === "all" || text.includes(odd) ? { status, body } : "answer"),
    // Not of a refused key, which is found out when the server is opened.
    ...(to === "all" && status === 200 && { modelsBehaviour: { status, body } }),
  });
  opened.push(server);
  const surroundings = { clock: createHurriedClock(), environment: {} };
  const model = await openModelServer({ baseUrl: server.baseUrl, model: "tiny", api, retries }, surroundings);
  opened.push(model);
  return { server, model };
}

type Outcome =
  | { readonly class: "answer"; readonly choice: Partial<Choice> }
  /** Sent again, then given up. */
  | { readonly class: "no answer"; readonly words: RegExp }
  /** Not sent again. */
  | { readonly class: "refused"; readonly words: RegExp };

const answer = (text: string, choice: Partial<Choice> = {}): Outcome => ({
  class: "answer",
  choice: { text, stopReason: "end", ...choice },
});
const none = (words: RegExp): Outcome => ({ class: "no answer", words });
const refused = (words: RegExp): Outcome => ({ class: "refused", words });

const usage = (completion: number): object => ({ prompt_tokens: 9, completion_tokens: completion, total_tokens: 9 });

/** A chat answer of one choice. */
function chat(message: unknown, choice: object = {}, completion: number | null = 4): object {
  return {
    object: "chat.completion",
    model: "tiny",
    choices: [{ index: 0, message, finish_reason: "stop", ...choice }],
    ...(completion !== null && { usage: usage(completion) }),
  };
}

const assistant = (content: unknown, fields: object = {}): object => ({ role: "assistant", content, ...fields });
const stream = (...events: unknown[]): string =>
  events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("");
const delta = (fields: object, finish: string | null = null): object => ({
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta: fields, finish_reason: finish }],
});

/** Every form in which a server was seen, or is documented, to answer; to one conversation among others. */
const table: readonly [name: string, given: Odd, outcome: Outcome][] = [
  // Errors under status 200.
  ["an error as text (LM Studio, Ollama)", { body: { error: "boom" } }, none(/boom/)],
  ["an error object of a gateway", { body: { error: { message: "upstream failed", code: 502 } } }, none(/upstream/)],
  [
    "an error object beside choices",
    { body: { ...chat(assistant("x")), error: { message: "broke off" } } },
    none(/off/),
  ],
  [
    "an error in a choice (OpenRouter)",
    { body: chat(assistant(""), { error: { message: "lost", code: 502 } }) },
    none(/lost/),
  ],
  [
    "an error object of older vLLM",
    { body: { object: "error", message: "engine died", code: 500 } },
    none(/engine died/),
  ],
  ["a detail (FastAPI)", { body: { detail: "worker gone" } }, none(/worker gone/)],
  ["a list of errors (Cloudflare)", { body: { success: false, errors: [{ message: "no gpu" }] } }, none(/no gpu/)],
  ["an error in a list (Gemini)", { body: [{ error: { code: 500, message: "internal" } }] }, none(/internal/)],
  [
    "a status of its own (MiniMax)",
    { body: { choices: null, base_resp: { status_code: 1000, status_msg: "odd" } } },
    none(/odd/),
  ],
  [
    "an error that is nested too deeply",
    { body: `{"error": ${"[".repeat(50_000)}${"]".repeat(50_000)}}` },
    none(/error/),
  ],
  ["a bad request as error", { body: { error: { message: "bad role", code: 400 } } }, refused(/bad role/)],
  [
    "a bad request by its type",
    { body: { error: { message: "bad role", type: "invalid_request_error" } } },
    refused(/bad role/),
  ],
  [
    "an overflow as error",
    { body: { error: { message: "prompt is too long: 9 tokens > 5 maximum" } } },
    refused(/no room.*too long/),
  ],
  // No error and no answer.
  ["an empty body", { body: "" }, none(/empty/)],
  ["white space", { body: "\n\n" }, none(/empty/)],
  ["a page", { body: "<html>Welcome</html>" }, none(/page.*base URL.*Welcome/)],
  ["words", { body: "Ollama is running" }, none(/not JSON.*Ollama is running/)],
  ["null", { body: "null" }, none(/no choices/)],
  ["a list", { body: "[]" }, none(/no choices/)],
  ["a number", { body: "17" }, none(/no choices/)],
  ["no choices", { body: { id: "1" } }, none(/no choices/)],
  ["choices that are null", { body: { choices: null } }, none(/no choices/)],
  ["an empty list of choices", { body: { choices: [] } }, none(/no choices/)],
  ["a choice that is null", { body: { choices: [null] } }, none(/without message and text/)],
  ["a message that is null", { body: chat(null) }, none(/without message and text/)],
  ["content that is a number", { body: chat(assistant(17)) }, none(/no text/)],
  // Nothing written.
  [
    "nothing, unfinished, nothing counted (Ollama while it loads)",
    { body: chat(assistant(""), { finish_reason: null }, 0) },
    none(/without text/),
  ],
  ["nothing, because the model was loaded", { body: chat(assistant(""), { finish_reason: "load" }, 0) }, none(/load/)],
  ["nothing, finished, nothing counted", { body: chat(assistant(""), {}, 0) }, none(/without text/)],
  ["nothing, finished, no counts", { body: chat(assistant(""), {}, null) }, none(/without text/)],
  ["nothing, unfinished, tokens counted", { body: chat(assistant(""), { finish_reason: null }) }, none(/without text/)],
  ["content that is null, no counts", { body: chat(assistant(null), {}, null) }, none(/without text/)],
  ["white space, nothing counted", { body: chat(assistant(" \n"), {}, 0) }, none(/without text/)],
  ["unfinished, nothing counted", { body: chat(assistant("x = 1"), { finish_reason: null }, 0) }, none(/not finished/)],
  [
    "nothing, at an endpoint of completions",
    { api: "completions", body: { choices: [{ text: "", finish_reason: null }], usage: usage(0) } },
    none(/without text/),
  ],
  ["given up by vLLM", { body: chat(assistant("x"), { finish_reason: "abort" }) }, none(/abort/)],
  ["given up by a gateway", { body: chat(assistant("x"), { finish_reason: "error" }) }, none(/error/)],
  [
    "given up by DeepSeek",
    { body: chat(assistant("x"), { finish_reason: "insufficient_system_resource" }) },
    none(/resource/),
  ],
  // Answers.
  ["nothing, finished, tokens counted", { body: chat(assistant("")) }, answer("")],
  [
    "nothing, cut, no counts",
    { body: chat(assistant(""), { finish_reason: "length" }, null) },
    answer("", { stopReason: "length" }),
  ],
  [
    "a text without finish reason and counts",
    { body: chat(assistant("x"), { finish_reason: null }, null) },
    answer("x", { tokenCount: null }),
  ],
  ["a text whose tokens are not counted", { body: chat(assistant("x"), {}, 0) }, answer("x", { tokenCount: null })],
  [
    "counts that are no numbers",
    { body: { ...chat(assistant("x"), {}, null), usage: { prompt_tokens: "9" } } },
    answer("x", { tokenCount: null }),
  ],
  [
    "NaN in it, as Python writes it",
    { body: '{"choices":[{"message":{"content":"NaN"},"finish_reason":"stop"}],"x":[NaN,-Infinity]}' },
    answer("NaN"),
  ],
  ["an error that is null", { body: { ...chat(assistant("x")), error: null } }, answer("x")],
  ["an error that is empty", { body: { ...chat(assistant("x")), error: {} } }, answer("x")],
  [
    "a call of a tool",
    { body: chat(assistant(null, { tool_calls: [{}] }), { finish_reason: "tool_calls" }, null) },
    answer(""),
  ],
  ["parts", { body: chat(assistant([{ type: "text", text: "a" }, "b", { type: "image" }])) }, answer("ab")],
  [
    "cut by Mistral's name",
    { body: chat(assistant("x"), { finish_reason: "model_length" }) },
    answer("x", { stopReason: "length" }),
  ],
  [
    "cut by Anthropic's name",
    { body: chat(assistant("x"), { finish_reason: "max_tokens" }) },
    answer("x", { stopReason: "length" }),
  ],
  // Thoughts.
  [
    "a thought in its field",
    { body: chat(assistant("x", { reasoning_content: "hm" })) },
    answer("x", { reasoning: "hm" }),
  ],
  ["a thought in another field", { body: chat(assistant("x", { reasoning: "hm" })) }, answer("x", { reasoning: "hm" })],
  ["a thought in a third field", { body: chat(assistant("x", { thinking: "hm" })) }, answer("x", { reasoning: "hm" })],
  [
    "a thought in details",
    { body: chat(assistant("x", { reasoning_details: [{ type: "reasoning.text", text: "hm" }] })) },
    answer("x", { reasoning: "hm" }),
  ],
  ["a thought in the text", { body: chat(assistant("<think>hm</think>\nx")) }, answer("x", { reasoning: "hm" })],
  [
    "a thought in the text that is not closed",
    { body: chat(assistant("<think>hm"), { finish_reason: "length" }) },
    answer("", { reasoning: "hm", stopReason: "length" }),
  ],
  [
    "a thought in the text that was opened by the template",
    { body: chat(assistant("hm\n</think>\nx")) },
    answer("x", { reasoning: "hm" }),
  ],
  [
    "a thought in field and text",
    { body: chat(assistant("<think>hm</think>x", { reasoning: "hm" })) },
    answer("x", { reasoning: "hm" }),
  ],
  [
    "a thought in field and another in the text",
    { body: chat(assistant("<think>b</think>x", { reasoning: "a" })) },
    answer("x", { reasoning: "a\n\nb" }),
  ],
  [
    "a thought in parts (Mistral)",
    {
      body: chat(
        assistant([
          { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
          { type: "text", text: "x" },
        ]),
      ),
    },
    answer("x", { reasoning: "hm" }),
  ],
  [
    "a thought across parts",
    {
      body: chat(
        assistant([
          { type: "text", text: "<think>h" },
          { type: "text", text: "m</think>x" },
        ]),
      ),
    },
    answer("x", { reasoning: "hm" }),
  ],
  [
    "a thought at an endpoint of completions",
    { api: "completions", body: { choices: [{ text: "<think>hm</think>x", finish_reason: "stop" }] } },
    answer("x", { reasoning: "hm" }),
  ],
  [
    "a thought alone, cut",
    { body: chat(assistant(null, { reasoning: "hm" }), { finish_reason: "length" }) },
    answer("", { reasoning: "hm", stopReason: "length" }),
  ],
  [
    "a thought alone, where others have a text",
    { body: chat(assistant("", { reasoning: "hm" })) },
    answer("", { reasoning: "hm" }),
  ],
  // Streams of servers that stream whatever is asked for.
  [
    "a stream",
    {
      body: stream(
        delta({ role: "assistant", content: "a" }),
        delta({ content: "b" }, "stop"),
        { choices: [], usage: usage(4) },
        "[DONE]",
      ),
    },
    answer("ab", { tokenCount: 4 }),
  ],
  [
    "a stream with thoughts",
    {
      body: `: OPENROUTER PROCESSING\n\n${stream(delta({ reasoning: "h" }), delta({ reasoning: "m" }), delta({ content: "x" }, "stop"))}`,
    },
    answer("x", { reasoning: "hm" }),
  ],
  [
    "a stream with a thought in the text",
    { body: stream(delta({ content: "<thi" }), delta({ content: "nk>hm</think>x" }, "stop")) },
    answer("x", { reasoning: "hm" }),
  ],
  ["a stream that breaks off", { body: stream(delta({ content: "a" })) }, none(/gave the answer up/)],
  [
    "a stream that ends with an error",
    { body: stream(delta({ content: "a" }), { error: { message: "lost it" } }) },
    none(/lost it/),
  ],
  // Refusals.
  [
    "OpenRouter's moderation",
    {
      status: 403,
      body: {
        error: { code: 403, message: "The input was flagged by moderation", metadata: { reasons: ["violence"] } },
      },
    },
    refused(/flagged by moderation.*violence/),
  ],
  ["a firewall's page", { status: 403, body: "<html>Sorry, you have been blocked</html>" }, refused(/blocked/)],
  [
    "Azure's filter of prompts",
    {
      status: 400,
      body: {
        error: {
          code: "content_filter",
          message: "The response was filtered",
          innererror: { code: "ResponsibleAIPolicyViolation" },
        },
      },
    },
    refused(/filtered/),
  ],
  [
    "a filter of answers",
    { body: chat(assistant("half a pro"), { finish_reason: "content_filter" }) },
    refused(/content_filter/),
  ],
  [
    "a filter of answers by Gemini's name",
    { body: chat(null, { finish_reason: "content_filter: PROHIBITED_CONTENT" }, 0) },
    refused(/PROHIBITED/),
  ],
  [
    "a filter of answers by GLM's name",
    { body: chat(assistant(""), { finish_reason: "sensitive" }, 0) },
    refused(/sensitive/),
  ],
  [
    "a model that declines",
    { body: chat(assistant(null, { refusal: "I cannot help with that." })) },
    refused(/I cannot help/),
  ],
  ["a model that declines in parts", { body: chat(assistant([{ type: "refusal", refusal: "No." }])) }, refused(/No\./)],
  ["status 400", { status: 400, body: { error: { message: "bad" } } }, refused(/status 400: bad/)],
  ["status 401", { status: 401, body: { error: { message: "expired" } } }, refused(/expired/)],
  ["status 404", { status: 404, body: { error: { message: "no endpoints" } } }, refused(/no endpoints/)],
  ["status 413", { status: 413, body: "<html>Request Entity Too Large</html>" }, refused(/413.*Too Large/)],
  [
    "status 422 (FastAPI)",
    { status: 422, body: { detail: [{ loc: ["body", "messages"], msg: "no" }] } },
    refused(/messages/),
  ],
  [
    "status 429 for its size",
    { status: 429, body: { error: { message: "Request too large for gpt-4: Limit 10000, Requested 12000" } } },
    refused(/Requested 12000/),
  ],
  [
    "an overflow under status 400",
    {
      status: 400,
      body: { error: { message: "the request exceeds the available context size", n_prompt_tokens: 900, n_ctx: 512 } },
    },
    refused(/no room.*"n_ctx":512/),
  ],
  ["status 500, always", { status: 500, body: { error: { message: "jinja" } } }, none(/jinja/)],
];

const classOf: Readonly<Record<string, Outcome["class"]>> = {
  ModelServerError: "no answer",
  RefusedError: "refused",
};

const expectedWords = ({ words }: { readonly words: RegExp }): unknown => expect.stringMatching(words);

describe("an odd answer to one conversation", () => {
  it.each(table)("%s", async (_name, given, outcome) => {
    const { server, model } = await open(given, "one");
    // So that it is known whether answers have a text.
    const others = {
      conversation: [{ role: "user", content: "Hi" }],
      seeds: [1],
      temperature: 0.7,
      maxTokens: 99,
    } as const;
    await model.complete(others);
    const asked = model.complete({ ...others, conversation: [{ role: "user", content: odd }] });
    const found = await asked.then(
      ([choice]) => ({ class: "answer", choice }),
      (error: Error) => ({ class: classOf[error.name] ?? error.name, words: error.message }),
    );
    expect(found).toMatchObject({ ...outcome, ...("words" in outcome && { words: expectedWords(outcome) }) });
    const requests = server.requests.filter(({ text }) => text.includes(odd));
    expect(requests).toHaveLength(outcome.class === "no answer" ? 1 + retries : 1);
    expect((await model.complete({ ...others, seeds: [2] }))[0]!.text).toBe("choice 0 of seed 2");
  });
});

/** What becomes of a run whose every conversation is answered so. `requests`: for the first conversation, at most. */
const everything: readonly [name: string, given: Odd, words: RegExp, requests: number][] = [
  [
    "no such endpoint (LM Studio)",
    { body: { error: "Unexpected endpoint or method. (POST /chat/completions)" } },
    /Unexpected endpoint.*\n.*base URL/,
    1,
  ],
  [
    "status 401",
    { status: 401, body: { error: { message: "no key" } } },
    /no key\nit wants a key: set MUCODE_API_KEY/,
    1,
  ],
  [
    "a wrong key under status 200",
    { body: { error: { message: "bad key", code: 401 } } },
    /bad key.*\nit wants a key/,
    1,
  ],
  ["status 403", { status: 403, body: { error: { message: "forbidden" } } }, /forbidden\nit wants a key/, 2],
  ["status 405", { status: 405, body: "" }, /status 405/, 2],
  [
    "status 400",
    { status: 400, body: { error: { message: "temperature must be 1" } } },
    /refuses every request.*temperature must be 1/,
    2,
  ],
  [
    "a context without room",
    { status: 400, body: { error: { message: "context_length_exceeded" } } },
    /no room for any conversation.*context_length_exceeded\n.*--max-model-len/,
    4,
  ],
  [
    "a context that is too short by its own words",
    {
      status: 400,
      body: { error: { message: "x", type: "exceed_context_size_error", n_prompt_tokens: 30, n_ctx: 16 } },
    },
    /"n_ctx":16.*\n.*longer context/,
    2,
  ],
  [
    "the answer in the field of thoughts",
    { body: chat(assistant(null, { reasoning_content: "def f(): ..." })) },
    /reasoning field.*\n.*reasoning-parser/,
    2,
  ],
];

describe("an odd answer to everything", () => {
  it.each(everything)("stops the run: %s", async (_name, given, words, most) => {
    const { server, model } = await open(given, "all");
    const stop = { name: "ConfigError", message: expect.stringMatching(words) };
    const ask = (content: string): Promise<Choice[]> =>
      model.complete({ conversation: [{ role: "user", content }], seeds: [1], temperature: 0.7, maxTokens: 64 });
    await expect(ask("a")).rejects.toMatchObject(stop);
    expect(server.requests.length).toBeLessThanOrEqual(most);
    const before = server.requests.length;
    await expect(ask("b")).rejects.toMatchObject(stop);
    expect(server.requests).toHaveLength(before);
  });

  it.each(everything.filter(([name]) => !["status 400", "the answer in the field of thoughts"].includes(name)))(
    "stops a run that asks for several choices, at its first question: %s",
    async (_name, given, words) => {
      const { model } = await open(given, "all");
      const conversation = [{ role: "user", content: "a" }] as const;
      await expect(
        model.complete({ conversation, seeds: [1, 2], temperature: 0.7, maxTokens: 64 }),
      ).rejects.toMatchObject({ name: "ConfigError", message: expect.stringMatching(words) });
    },
  );

  it("for want of money stops it as well", async () => {
    const { model } = await open({ status: 402, body: { error: { message: "Insufficient credits" } } }, "all");
    const asked = model.complete({
      conversation: [{ role: "user", content: "a" }],
      seeds: [1],
      temperature: 0,
      maxTokens: 9,
    });
    await expect(asked).rejects.toMatchObject({ name: "StopRunError", message: expect.stringContaining("credits") });
  });

  it("begins in the middle of a run: a key that is taken back", async () => {
    let valid = true;
    const server = await startMisbehavingServer({ behaviour: () => (valid ? "answer" : { status: 401 }) });
    opened.push(server);
    const model = await openModelServer({ baseUrl: server.baseUrl }, { clock: createHurriedClock(), environment: {} });
    opened.push(model);
    const ask = (): Promise<Choice[]> =>
      model.complete({ conversation: [{ role: "user", content: "a" }], seeds: [1], temperature: 0, maxTokens: 9 });
    await ask();
    valid = false;
    await expect(ask()).rejects.toMatchObject({ name: "ConfigError", message: expect.stringContaining("wants a key") });
  });
});

describe("refusals", () => {
  const ask = (model: ModelServer, content: string): Promise<Choice[]> =>
    model.complete({ conversation: [{ role: "user", content }], seeds: [1], temperature: 0.7, maxTokens: 64 });

  it("of many conversations are no refusal of all, in whatever order and however many at once", async () => {
    for (const concurrency of [1, 3, 16]) {
      const server = await startMisbehavingServer({
        behaviour: ({ text }) => (text.includes("knife") ? { status: 403 } : "answer"),
      });
      opened.push(server);
      const surroundings = { clock: createHurriedClock(), environment: {} };
      const model = await openModelServer({ baseUrl: server.baseUrl, concurrency }, surroundings);
      opened.push(model);
      const contents = Array.from({ length: 12 }, (_, i) => (i < 10 ? `knife ${i}` : `fork ${i}`));
      const settled = await Promise.allSettled(contents.map((content) => ask(model, content)));
      expect(settled.map((one) => (one.status === "rejected" ? one.reason.name : one.value.length))).toEqual(
        contents.map((content) => (content.startsWith("knife") ? "RefusedError" : 1)),
      );
    }
  });
});

describe("log-probabilities", () => {
  const first = (logprobs: unknown) =>
    readAnswer(JSON.stringify(chat(assistant("yes"), { logprobs }))).choices[0]!.firstTokens;
  const yes = { token: "yes", logprob: -0.1 };
  const no = { token: "no", logprob: -2.4 };

  it.each([
    ["null", { token: "x", logprob: null }],
    ["NaN as a text", { token: "x", logprob: "NaN" }],
    ["-inf as a text", { token: "x", logprob: "-inf" }],
    ["no log-probability", { token: "x" }],
    ["no token", { logprob: -1 }],
    ["an entry that is null", null],
  ])("are those that are there, beside one that is not: %s", (_name, missing) => {
    expect(first({ content: [{ ...yes, top_logprobs: [no, missing, yes] }] })).toEqual([yes, no]);
  });

  it("of impossible tokens may be numbers", () => {
    const impossible = { token: "x", logprob: -9999 };
    expect(first({ content: [{ ...yes, top_logprobs: [impossible, yes] }] })).toEqual([yes, impossible]);
  });

  it("may be a map, also with a hole in it, or the chosen token's alone", () => {
    expect(first({ top_logprobs: [{ no: -2.4, x: null, yes: -0.1 }] })).toEqual([yes, no]);
    expect(first({ content: [{ ...yes, top_logprobs: [] }] })).toEqual([yes]);
    expect(first({ tokens: ["yes"], token_logprobs: [-0.1], top_logprobs: null })).toEqual([yes]);
  });

  it("are missing where there is none", () => {
    const nothing = [null, {}, { content: null }, { content: [] }, { content: [null] }, { top_logprobs: [null] }, 17];
    for (const logprobs of nothing) expect(first(logprobs)).toBeNull();
  });

  it("that are missing once do not make a server that gives them one that does not", async () => {
    let answers = 0;
    const server = await startMisbehavingServer({
      logprobs: ({ text }): Record<string, number> =>
        text.includes(odd) && answers++ === 0 ? {} : { yes: -0.1, no: -2.4 },
    });
    opened.push(server);
    const model = await openModelServer({ baseUrl: server.baseUrl }, { clock: createHurriedClock(), environment: {} });
    opened.push(model);
    await model.firstTokens([{ role: "user", content: "Hi" }]);
    expect(await model.firstTokens([{ role: "user", content: odd }])).toEqual([yes, no]);
    expect(model.description.capabilities.logprobs).toBe(true);
  });
});

describe("lists of models", () => {
  it.each([
    ["OpenAI", { object: "list", data: [{ id: "a" }, { id: "b" }] }, ["a", "b"]],
    ["together.ai", [{ id: "a" }], ["a"]],
    ["Ollama without models", { object: "list", data: null }, []],
    ["entries without a name", { data: [{}, null, { id: 7 }, { id: "a" }] }, ["a"]],
  ])("are read in the form of %s", (_server, body, ids) => {
    expect(readModels(JSON.stringify(body))).toEqual(ids);
  });

  it("that are none say why", () => {
    expect(() => readModels('{"error":"Unexpected endpoint or method. (GET /models)"}')).toThrow(/Unexpected endpoint/);
    expect(() => readModels("<html>")).toThrow(/page/);
    expect(() => readModels('{"detail":"Not Found"}')).toThrow(/Not Found/);
    expect(() => readModels("{}")).toThrow(/no list of models/);
  });
});

describe("any body under status 200", () => {
  /** JSON that looks like an answer here and there, and is anything elsewhere. */
  const anything = fc.jsonValue({ maxDepth: 3 });
  const near = fc.letrec((tie) => ({
    value: fc.oneof({ weight: 3, arbitrary: anything }, tie("body")),
    message: fc.record(
      { content: fc.oneof(fc.string(), anything), reasoning: anything, refusal: anything, tool_calls: anything },
      { requiredKeys: [] },
    ),
    choice: fc.record(
      {
        index: anything,
        message: fc.oneof(tie("message"), anything),
        text: anything,
        delta: anything,
        finish_reason: fc.oneof(fc.constantFrom("stop", "length", "error", "content_filter", null), anything),
        logprobs: fc.oneof(anything, fc.record({ content: fc.array(anything), top_logprobs: anything })),
        error: anything,
      },
      { requiredKeys: [] },
    ),
    body: fc.record(
      {
        choices: fc.oneof(fc.array(tie("choice"), { maxLength: 3 }), anything),
        error: anything,
        usage: fc.oneof(fc.record({ prompt_tokens: anything, completion_tokens: anything }), anything),
        model: anything,
        detail: anything,
        object: fc.constantFrom("error", "chat.completion"),
      },
      { requiredKeys: [] },
    ),
  })).value;

  /** What is wrong with how a body is read; nothing where it is an answer of texts, or a failure of a known class. */
  function wrongWith(body: string): string[] {
    const wrong: string[] = [];
    const attempt = (read: () => void): void => {
      try {
        read();
      } catch (error) {
        if (!(error instanceof AnswerError)) wrong.push(`threw ${String(error)}`);
        else if (!classes.includes(classifyFault(error, 0).kind)) wrong.push(`has no class: ${error.message}`);
      }
    };
    attempt(() => {
      const { choices, counts } = readAnswer(body);
      if (choices.length === 0) wrong.push("no choices");
      if (counts !== null && counts.completionTokens === 0) wrong.push("a count of nothing");
      for (const { text, reasoning, stopReason, firstTokens } of choices) {
        const start = JSON.stringify(text.trim()).slice(1, 6).replace(/"$/, "");
        if (!body.includes(start)) wrong.push(`made up ${text}`);
        if (reasoning?.trim() === "") wrong.push("an empty thought");
        if (!["end", "length"].includes(stopReason)) wrong.push(stopReason);
        if ((firstTokens ?? []).some(({ logprob }) => !Number.isFinite(logprob))) wrong.push("no number");
      }
    });
    attempt(() => {
      if (readModels(body).some((id) => typeof id !== "string")) wrong.push("a model without a name");
    });
    return wrong;
  }
  const classes = ["passing", "refused", "context", "unsupported", "foreign"];

  it("is an answer of texts, or a failure of a known class", () => {
    fc.assert(
      fc.property(fc.oneof(near, anything), (value) => {
        expect(wrongWith(JSON.stringify(value))).toEqual([]);
      }),
      { seed: 7, numRuns: 3000 },
    );
  });

  it("that is no JSON is a failure", () => {
    const starts = fc.constantFrom("", "data: ", "{", "<", "\ufeff");
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), starts, (text, start) => {
        expect(() => readAnswer(start + text)).toThrow(AnswerError);
      }),
      { seed: 7, numRuns: 1000 },
    );
  });

  it("may have more log-probabilities than a call has arguments", () => {
    const top = Array.from({ length: 300_000 }, (_, i) => ({ token: `t${i}`, logprob: -i / 1000 }));
    const body = JSON.stringify(chat(assistant("yes"), { logprobs: { content: [{ top_logprobs: top }] } }));
    expect(readAnswer(body).choices[0]!.firstTokens).toHaveLength(300_000);
  });
});
