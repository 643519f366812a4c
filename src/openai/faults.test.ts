import { APIError } from "openai";
import { describe, expect, it } from "vitest";
import { AnswerError, classifyFault, parseRetryAfter } from "./faults.ts";

const now = Date.UTC(2026, 0, 1);

function fault(status: number, error: object, headers: Record<string, string> = {}) {
  return classifyFault(APIError.generate(status, { error }, undefined, new Headers(headers)), now);
}

describe("conversations that are too long", () => {
  // Messages as the servers' documentation and their users quote them.
  const texts: [server: string, status: number, error: object, room: number | null][] = [
    [
      "OpenAI",
      400,
      {
        message: "This model's maximum context length is 8192 tokens. However, your messages resulted in 8202 tokens.",
        code: "context_length_exceeded",
      },
      0,
    ],
    [
      "vLLM, conversation and answer",
      400,
      {
        message:
          "This model's maximum context length is 4096 tokens. However, you requested 4500 tokens " +
          "(3500 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.",
      },
      596,
    ],
    [
      "vLLM, too many new tokens",
      400,
      {
        message:
          "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 4096 " +
          "tokens and your request has 3500 input tokens (1000 > 4096 - 3500).",
      },
      596,
    ],
    [
      "vLLM, prompt",
      400,
      { message: "The decoder prompt (length 5000) is longer than the maximum model length of 4096." },
      0,
    ],
    [
      "vLLM, without the exact number",
      400,
      {
        message:
          "This model's maximum context length is 4096 tokens. However, you requested 1000 output tokens and your " +
          "prompt contains at least 3097 input tokens, for a total of at least 4097 tokens.",
      },
      null,
    ],
    [
      "SGLang, input",
      400,
      { message: "The input (61709 tokens) is longer than the model's context length (40960 tokens)." },
      0,
    ],
    [
      "SGLang, input and answer",
      400,
      {
        message:
          "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of " +
          "4600 tokens: 3600 tokens from the input messages and 1000 tokens for the completion.",
      },
      496,
    ],
    [
      "llama.cpp",
      400,
      {
        code: 400,
        message: "the request exceeds the available context size. try increasing the context size",
        type: "exceed_context_size_error",
        n_prompt_tokens: 14429,
        n_ctx: 8192,
      },
      0,
    ],
    [
      "llama.cpp, older",
      500,
      { message: "request (1407 tokens) exceeds the available context size (256 tokens), try increasing it" },
      0,
    ],
    [
      "Groq",
      400,
      {
        message: "Please reduce the length of the messages or completion.",
        type: "invalid_request_error",
        param: "messages",
        code: "context_length_exceeded",
      },
      null,
    ],
    ["Anthropic", 400, { message: "prompt is too long: 213462 tokens > 200000 maximum" }, 0],
    [
      "text-generation-inference",
      422,
      {
        message:
          "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3500 `inputs` tokens " +
          "and 1000 `max_new_tokens`",
      },
      596,
    ],
    [
      "OpenRouter",
      400,
      {
        message:
          "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens " +
          "(7000 of text input, 2000 in the output).",
        code: 400,
      },
      1192,
    ],
    [
      "Gemini",
      400,
      { message: "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)." },
      0,
    ],
    [
      "xAI",
      400,
      { message: "This model's maximum prompt length is 131072 but the request contains 537812 tokens." },
      0,
    ],
    ["Ollama", 400, { message: "prompt too long; exceeded max context length by 100 tokens" }, null],
    ["Ollama, later", 400, { message: "input length exceeds maximum context length" }, null],
    ["OpenAI, later", 400, { message: "Your input exceeds the context window of this model." }, null],
    ["Azure", 400, { message: "Input tokens exceed the configured limit of 272000 tokens." }, null],
    ["Bedrock", 400, { message: "Input is too long for requested model." }, null],
    [
      "Mistral",
      400,
      { message: "Prompt contains 40000 tokens, too large for model with 32768 maximum context length" },
      null,
    ],
    [
      "LM Studio",
      400,
      {
        message:
          "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with " +
          "context length of only 4096 tokens, which is not enough.",
      },
      0,
    ],
  ];
  it.each(texts)("are recognised in the words of %s", (_server, status, error, room) => {
    expect(fault(status, error)).toMatchObject({ kind: "context", room });
  });

  it("are recognised under status 200", () => {
    const text = 'an error as answer: {"type":"exceed_context_size_error","n_prompt_tokens":300,"n_ctx":256}';
    expect(classifyFault(new AnswerError(text), now)).toMatchObject({ kind: "context", room: 0 });
  });
});

describe("failed requests", () => {
  it.each([408, 409, 500])("with status %i concern the request and may pass", (status) => {
    expect(fault(status, { message: "x" })).toMatchObject({ kind: "passing", extent: "request", retryAfterMs: null });
  });

  it.each([502, 503, 504])("with status %i mean that the server serves nobody", (status) => {
    expect(fault(status, { message: "Loading model" })).toMatchObject({ kind: "passing", extent: "server" });
  });

  it("with status 429 say how long to wait", () => {
    const limited = fault(429, { message: "slow down" }, { "retry-after": "7" });
    expect(limited).toMatchObject({ kind: "passing", extent: "limit", retryAfterMs: 7000 });
  });

  it("for want of money do not pass", () => {
    expect(fault(429, { code: "insufficient_quota" })).toMatchObject({
      kind: "foreign",
      error: { name: "StopRunError" },
    });
  });

  it.each([400, 422, 413, 501])("with status %i and no known reason are refusals of the request", (status) => {
    expect(fault(status, { message: "no" })).toMatchObject({ kind: "refused", reason: "request" });
  });

  it("name the parameter that a server does not take", () => {
    const told = (message: string, param?: string) => fault(400, { message, param });
    expect(told("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")).toMatchObject({
      parameter: "max_tokens",
    });
    expect(told("Only one completion choice is allowed")).toMatchObject({ parameter: "n" });
    expect(told("'n' : number must be at most 1", "n")).toMatchObject({ parameter: "n" });
    expect(told("top_logprobs must be at most 5")).toMatchObject({ parameter: "top_logprobs" });
    expect(fault(422, { detail: [{ loc: ["body", "seed"], msg: "Extra inputs are not permitted" }] })).toMatchObject({
      parameter: "seed",
    });
  });
});

describe("Retry-After", () => {
  it("is read as seconds, as fractions of them and as a date", () => {
    expect(parseRetryAfter("3", now)).toBe(3000);
    expect(parseRetryAfter("0.25", now)).toBe(250);
    expect(parseRetryAfter("Thu, 01 Jan 2026 00:02:00 GMT", now)).toBe(120_000);
  });

  it("never asks for a wait into the past, and nonsense asks for none", () => {
    expect(parseRetryAfter("Thu, 01 Jan 2015 00:00:00 GMT", now)).toBe(0);
    expect(parseRetryAfter("-5", now)).toBe(0);
    expect(parseRetryAfter("soon", now)).toBeNull();
    expect(parseRetryAfter("", now)).toBeNull();
    expect(parseRetryAfter(null, now)).toBeNull();
  });
});
