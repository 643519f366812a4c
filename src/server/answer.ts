/** Answers one request for text, whole or as a stream. */
import { randomInt, randomUUID } from "node:crypto";
import type { TrainableModel } from "../engine/engine.ts";
import { ApiError, toApiError } from "./api-error.ts";
import type { AppOptions } from "./app-options.ts";
import { contextLengthError } from "./bounded-tokenizer.ts";
import type { AnswerContext, Endpoint, SharedParameters } from "./endpoint.ts";
import { streamEvents } from "./event-stream.ts";
import { collectChoices, generate, type ChoiceDelta, type Generation, type Usage } from "./generation.ts";
import { createLifetime, type RequestLifetime } from "./request-lifetime.ts";

/** A request that is let in. */
interface Accepted<P> {
  readonly parameters: P;
  readonly generation: Generation;
  /** Whether the log-probabilities of the prompts' own tokens are asked for. */
  readonly scorePrompts: boolean;
  readonly choiceCount: number;
  readonly lifetime: RequestLifetime;
  /** Frees its place; to be called whatever happens. */
  end(): void;
  /** What every answer says first. */
  readonly head: object;
}

/** @throws {ApiError} */
export async function answer<P extends SharedParameters>(
  request: Request,
  endpoint: Endpoint<P>,
  options: AppOptions,
): Promise<Response> {
  options.admission.assertOpen();
  if (options.output === "score") {
    const message = `${options.name} is a model of scores, which writes no text: ask /classify`;
    throw new ApiError(400, message, { code: "unsupported_endpoint" });
  }
  const parameters = endpoint.parse(await readJson(request));
  assertModel(parameters.model, options.name);
  const { stream = false, stream_options: streamOptions } = parameters;
  if (streamOptions !== undefined && !stream) {
    throw new ApiError(400, "stream_options needs stream to be true", { param: "stream_options" });
  }
  const tokenizer = options.boundedTokenizer(endpoint.promptParameter);
  const { scorePrompts, ...rest } = endpoint.read(parameters, tokenizer);
  const generation = limitedGeneration(parameters, rest, endpoint.promptParameter, options);
  const choiceCount = generation.prompts.length * generation.choicesPerPrompt;
  const leave = options.admission.enter(choiceCount);
  const lifetime = createLifetime({
    client: request.signal,
    server: options.signal,
    timeoutMs: options.requestTimeoutMs,
    clock: options.clock,
  });
  const end = (): void => {
    leave();
    lifetime.end();
  };
  const head = {
    id: `${endpoint.idPrefix}${randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: options.name,
    system_fingerprint: options.fingerprint,
  };
  const accepted = { parameters, generation, scorePrompts, choiceCount, lifetime, end, head };
  return stream ? answerByStream(accepted, endpoint, options) : answerWhole(accepted, endpoint, options);
}

async function answerWhole<P extends SharedParameters>(
  accepted: Accepted<P>,
  endpoint: Endpoint<P>,
  { model }: AppOptions,
): Promise<Response> {
  const { generation, choiceCount, lifetime, end, head } = accepted;
  try {
    const context = await prepare(accepted, model);
    const deltas: ChoiceDelta[] = [];
    const usage = await generate(model, generation, (delta) => deltas.push(delta), lifetime.signal);
    const choices = collectChoices(deltas, choiceCount).map((choice) => endpoint.choice(choice, context));
    return Response.json({ ...head, object: endpoint.object, choices, usage: describeUsage(usage) });
  } finally {
    end();
  }
}

function answerByStream<P extends SharedParameters>(
  accepted: Accepted<P>,
  endpoint: Endpoint<P>,
  options: AppOptions,
): Response {
  const { model } = options;
  const { parameters, generation, choiceCount, lifetime, end, head } = accepted;
  const includeUsage = parameters.stream_options?.include_usage === true;
  const chunk = (choices: readonly object[], usage?: Usage): object => ({
    ...head,
    object: endpoint.chunkObject,
    choices,
    ...(includeUsage && { usage: usage ? describeUsage(usage) : null }),
  });
  return streamEvents({
    onCancel: lifetime.clientGone,
    async write(send) {
      try {
        const context = await prepare(accepted, model);
        const sendDelta = (delta: ChoiceDelta): void => send(chunk([endpoint.chunk(delta, context)]));
        for (let index = 0; index < choiceCount; index++) {
          const opening = endpoint.opening(index, context);
          if (opening !== null) send(chunk([opening]));
        }
        if (generation.maxTokens === 0) collectChoices([], choiceCount).forEach(sendDelta);
        const usage = await generate(model, generation, sendDelta, lifetime.signal);
        if (includeUsage) send(chunk([], usage));
        send("[DONE]");
      } catch (error) {
        send(toApiError(error, options.onError).body);
      } finally {
        end();
      }
    },
  });
}

async function prepare<P>(
  { parameters, generation, scorePrompts, lifetime }: Accepted<P>,
  model: TrainableModel,
): Promise<AnswerContext<P>> {
  const promptLogprobs = scorePrompts ? await scoreTokens(model, generation.prompts, lifetime.signal) : null;
  return { parameters, tokenizer: model.tokenizer, generation, promptLogprobs };
}

/** Completes a request by the parameters that the endpoints share, within the server's and the model's limits. */
function limitedGeneration(
  parameters: SharedParameters,
  rest: Pick<Generation, "prompts" | "topLogprobs"> & { readonly maxTokens: number | undefined },
  promptParameter: string,
  { model, maxTokens: mostTokens }: AppOptions,
): Generation {
  for (const prompt of rest.prompts) {
    if (prompt.length === 0)
      throw new ApiError(400, "the prompt is empty", { param: promptParameter, code: "invalid_value" });
    if (prompt.length >= model.contextLength) {
      throw contextLengthError(prompt.length, model.contextLength, promptParameter);
    }
  }
  const { maxTokens = mostTokens } = rest;
  if (maxTokens > mostTokens && mostTokens < model.contextLength) {
    const message = `${maxTokens} tokens asked for; this server writes at most ${mostTokens} per choice`;
    throw new ApiError(400, message, { param: "max_tokens", code: "invalid_value" });
  }
  return {
    prompts: rest.prompts,
    topLogprobs: rest.topLogprobs,
    maxTokens,
    choicesPerPrompt: parameters.n ?? 1,
    seed: parameters.seed ?? randomInt(2 ** 32),
    temperature: parameters.temperature ?? 1,
    topP: parameters.top_p ?? 1,
    stop: parameters.stop ?? [],
  };
}

/** The body of a request. @throws {ApiError} when it is not JSON. */
export async function readJson(request: Request): Promise<unknown> {
  // Another type is what a page in a browser could send without asking.
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new ApiError(415, "the content type must be application/json", { code: "unsupported_content_type" });
  }
  const text = await request.text();
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ApiError(400, `the body is not JSON: ${(error as Error).message}`, { code: "invalid_json" });
  }
}

/** @throws {ApiError} for another model than this. */
export function assertModel(asked: string, name: string): void {
  if (asked === name) return;
  const message = `there is no model ${JSON.stringify(asked)}; this server has ${JSON.stringify(name)}`;
  throw new ApiError(404, message, { param: "model", code: "model_not_found" });
}

async function scoreTokens(
  model: TrainableModel,
  prompts: readonly Int32Array[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  // One token has nothing before it to be predicted from.
  const long = prompts.filter((tokens) => tokens.length > 1);
  const scored = await model.forward(
    long.map((tokens) => ({ tokens, weights: new Float32Array(tokens.length).fill(1, 1) })),
    signal,
  );
  const byPrompt = new Map(long.map((tokens, i) => [tokens, scored[i]!]));
  return prompts.map((tokens) => byPrompt.get(tokens) ?? new Float32Array(1));
}

function describeUsage({ promptTokens, completionTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
