/**
 * POST /classify: the score of a sequence under a model of scores, for clients of vLLM's endpoint (`input`) and of
 * SGLang's (`text`, `input_ids`). Text that names a control token is plain text; a conversation comes as tokens.
 */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Datum, Tokenizer } from "../engine/engine.ts";
import { assertModel, readJson } from "./answer.ts";
import { ApiError } from "./api-error.ts";
import type { AppOptions } from "./app-options.ts";
import { contextLengthError } from "./bounded-tokenizer.ts";
import { createLifetime } from "./request-lifetime.ts";

const tokens = z.array(z.int().min(0)).min(1);
const texts = z.union([z.string().transform((text) => [text]), z.array(z.string()).min(1)]);
const tokenLists = z.union([tokens.transform((one) => [one]), z.array(tokens).min(1)]);

/** Whether σ(score) is wanted in place of the score. vLLM's field of today, and its older names. */
const activation = z.boolean().nullish();

const vllmRequest = z.object({
  model: z.string().optional(),
  input: z.union([texts, tokenLists]),
  use_activation: activation,
  activation,
  softmax: activation,
});

const sglangRequest = z.union([z.object({ text: texts }), z.object({ input_ids: tokenLists })]);

/** @throws {ApiError} */
export async function classify(request: Request, options: AppOptions): Promise<Response> {
  options.admission.assertOpen();
  if (options.output !== "score") {
    const message = `${options.name} writes text; /classify is for a model of scores`;
    throw new ApiError(400, message, { code: "unsupported_endpoint" });
  }
  const body = await readJson(request);
  return isForVllm(body) ? answerVllm(body, request, options) : answerSglang(body, request, options);
}

function isForVllm(body: unknown): boolean {
  return typeof body === "object" && body !== null && "input" in body;
}

async function answerVllm(body: unknown, request: Request, options: AppOptions): Promise<Response> {
  const asked = parse(vllmRequest, body, "input");
  if (asked.model !== undefined) assertModel(asked.model, options.name);
  const { sequences, scores } = await scoreInputs(asked.input, "input", request, options);
  const isActivated = asked.use_activation ?? asked.activation ?? asked.softmax ?? true;
  const promptTokens = sequences.reduce((sum, { length }) => sum + length, 0);
  return Response.json({
    id: `classify-${randomUUID().replaceAll("-", "")}`,
    object: "list",
    created: Math.floor(Date.now() / 1000),
    model: options.name,
    data: scores.map((score, index) => ({
      index,
      label: "score",
      probs: [isActivated ? 1 / (1 + Math.exp(-score)) : score],
      num_classes: 1,
    })),
    usage: { prompt_tokens: promptTokens, completion_tokens: 0, total_tokens: promptTokens },
  });
}

async function answerSglang(body: unknown, request: Request, options: AppOptions): Promise<Response> {
  const asked = parse(sglangRequest, body, "text");
  const [param, inputs, given] =
    "text" in asked
      ? (["text", asked.text, (body as { text: unknown }).text] as const)
      : (["input_ids", asked.input_ids, (body as { input_ids: unknown[] }).input_ids[0]] as const);
  const { sequences, scores } = await scoreInputs(inputs, param, request, options);
  const answers = scores.map((score, index) => ({
    embedding: [score],
    meta_info: { id: randomUUID().replaceAll("-", ""), prompt_tokens: sequences[index]!.length },
  }));
  // One that came without a list is answered without one.
  const alone = typeof given === "string" || typeof given === "number";
  return Response.json(alone ? answers[0] : answers);
}

async function scoreInputs(
  inputs: readonly string[] | readonly (readonly number[])[],
  param: string,
  request: Request,
  { model, boundedTokenizer, admission, signal, requestTimeoutMs, clock }: AppOptions,
): Promise<{ readonly sequences: readonly Int32Array[]; readonly scores: readonly number[] }> {
  const tokenizer = boundedTokenizer(param);
  const sequences = inputs.map((input) => encode(input, param, tokenizer, model.contextLength));
  const leave = admission.enter(sequences.length);
  const lifetime = createLifetime({ client: request.signal, server: signal, timeoutMs: requestTimeoutMs, clock });
  try {
    const values = await model.forward(sequences.map(lastTokenCounts), lifetime.signal);
    return { sequences, scores: values.map((value) => value.at(-1)!) };
  } finally {
    leave();
    lifetime.end();
  }
}

function lastTokenCounts(sequence: Int32Array): Datum {
  const weights = new Float32Array(sequence.length);
  weights[sequence.length - 1] = 1;
  return { tokens: sequence, weights };
}

function encode(
  input: string | readonly number[],
  param: string,
  tokenizer: Tokenizer,
  contextLength: number,
): Int32Array {
  const encoded = typeof input === "string" ? tokenizer.encode(input) : Int32Array.from(input);
  if (encoded.length < 2) {
    throw new ApiError(400, "a sequence of fewer than two tokens has no score", { param, code: "invalid_value" });
  }
  if (encoded.length > contextLength) throw contextLengthError(encoded.length, contextLength, param);
  const foreign = encoded.find((token) => token >= tokenizer.vocabularySize);
  if (foreign !== undefined) {
    const message = `token ${foreign} is not one of the ${tokenizer.vocabularySize} of this model`;
    throw new ApiError(400, message, { param, code: "invalid_value" });
  }
  return encoded;
}

function parse<S extends z.ZodType>(schema: S, body: unknown, param: string): z.infer<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const message = `${param} must be a text, a list of texts, or lists of tokens`;
  throw new ApiError(400, message, { param, code: "invalid_value" });
}
