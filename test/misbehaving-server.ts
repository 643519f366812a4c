/**
 * An OpenAI-compatible server on loopback that answers from a function and misbehaves on demand: everything a real one
 * was seen to do wrong, over real sockets.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../src/clock.ts";
import { createManualLimits, type ManualLimits } from "./manual-limits.ts";

/** What happens to one request. */
export type Behaviour =
  /** A proper answer. */
  | "answer"
  /** Nothing ever comes. */
  | "hang"
  /** The connection breaks before a byte came. */
  | "drop"
  /** The connection breaks in the middle of the body. */
  | "drop halfway"
  /** A complete response whose JSON stops in the middle. */
  | "truncated"
  | "malformed"
  | "not JSON at all"
  | "empty choices"
  /** An error body under status 200, as gateways send it. */
  | "error in 200"
  | ErrorBehaviour;

export interface ErrorBehaviour {
  readonly status: number;
  readonly retryAfter?: string;
  /** As the error's body; default: an error object with a message. */
  readonly body?: unknown;
}

export interface AskedRequest {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** Parsed body; empty for GET. */
  readonly body: Record<string, unknown>;
  readonly text: string;
}

export interface MisbehavingServerOptions {
  readonly models?: readonly string[];
  /** Text of the choice with that index. */
  readonly text?: (request: AskedRequest, choiceIndex: number) => string;
  /** Default: always `answer`. `index` counts the requests for answers, from 0. */
  readonly behaviour?: (request: AskedRequest, index: number) => Behaviour | Promise<Behaviour>;
  /** Default: answer. */
  readonly modelsBehaviour?: "answer" | ErrorBehaviour;
  /** Choices per answer, whatever `n` says; 1 is a server that ignores it. */
  readonly mostChoices?: number;
  /** The likeliest first tokens, with their log-probabilities; without it the field is missing. */
  readonly logprobs?: (request: AskedRequest) => Readonly<Record<string, number>>;
  readonly withoutUsage?: boolean;
  /** Name in the answers; default: the one asked for. */
  readonly answersAs?: string;
  /** Requests without this bearer token get 401. */
  readonly key?: string;
  /** Fields added to every message. */
  readonly messageFields?: Readonly<Record<string, unknown>>;
  readonly finishReason?: string;
}

export interface MisbehavingServer {
  readonly baseUrl: string;
  /** Every request for an answer, in order of arrival. */
  readonly requests: readonly AskedRequest[];
  /** Most requests for answers that were under way at the same time. */
  readonly mostAtOnce: number;
  /** Stops listening and breaks every connection. */
  die(): Promise<void>;
  /** Listens again on the same port. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

/** A clock on which every wait is over at once and has lasted as long as it was to last; limits run out by hand. */
export interface HurriedClock extends Clock, ManualLimits {
  /** Every wait so far, milliseconds. */
  readonly waits: readonly number[];
}

/** `onWait` is awaited in the middle of every wait. */
export function createHurriedClock(onWait?: (waits: readonly number[]) => void | Promise<void>): HurriedClock {
  const waits: number[] = [];
  let slept = 0;
  return {
    ...createManualLimits(),
    waits,
    now: () => Date.UTC(2026, 0, 1) + slept,
    random: () => 0.5,
    async sleep(durationMs, signal) {
      signal?.throwIfAborted();
      waits.push(durationMs);
      slept += durationMs;
      await onWait?.(waits);
    },
  };
}

export async function startMisbehavingServer(options: MisbehavingServerOptions = {}): Promise<MisbehavingServer> {
  const requests: AskedRequest[] = [];
  let underWay = 0;
  let mostAtOnce = 0;

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await readText(incoming);
    const path = new URL(incoming.url ?? "/", "http://localhost").pathname;
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    const request = { path, headers: incoming.headers, body, text };
    if (options.key !== undefined && incoming.headers.authorization !== `Bearer ${options.key}`) {
      // Some servers repeat what they were sent.
      const message = `Incorrect API key provided: ${incoming.headers.authorization ?? "none"}`;
      sendJson(response, 401, { error: { message, code: "invalid_api_key" } });
    } else if (path === "/v1/models") {
      answerModels(response, options);
    } else if (path === "/v1/chat/completions" || path === "/v1/completions") {
      requests.push(request);
      mostAtOnce = Math.max(mostAtOnce, ++underWay);
      try {
        const behaviour = (await options.behaviour?.(request, requests.length - 1)) ?? "answer";
        misbehave(response, behaviour, JSON.stringify(answerBody(request, options)));
      } finally {
        underWay--;
      }
    } else {
      sendJson(response, 404, { detail: "Not Found" });
    }
  };

  const listen = (port: number): Promise<Server> =>
    new Promise((resolve, reject) => {
      const server = createServer((incoming, response) => {
        handle(incoming, response).catch((error: unknown) => response.destroy(error as Error));
      });
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => resolve(server));
    });
  const stop = (server: Server): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });

  let server: Server | null = await listen(0);
  const { port } = server.address() as AddressInfo;
  const die = async (): Promise<void> => {
    const running = server;
    server = null;
    if (running !== null) await stop(running);
  };
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    get mostAtOnce() {
      return mostAtOnce;
    },
    die,
    comeBack: async () => {
      server ??= await listen(port);
    },
    close: die,
  };
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

function answerModels(response: ServerResponse, options: MisbehavingServerOptions): void {
  const { modelsBehaviour = "answer", models = ["tiny"] } = options;
  if (modelsBehaviour === "answer") {
    sendJson(response, 200, { object: "list", data: models.map((id) => ({ id, object: "model" })) });
  } else {
    sendError(response, modelsBehaviour);
  }
}

function sendError(response: ServerResponse, { status, retryAfter, body }: ErrorBehaviour): void {
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "retry-after": retryAfter };
  sendJson(response, status, body ?? { error: { message: `told to answer ${status}` } }, headers);
}

function misbehave(response: ServerResponse, behaviour: Behaviour, body: string): void {
  if (typeof behaviour === "object") {
    sendError(response, behaviour);
    return;
  }
  switch (behaviour) {
    case "answer":
      sendJson(response, 200, body);
      return;
    case "hang":
      return;
    case "drop":
      response.socket?.destroy();
      return;
    case "drop halfway":
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
      response.write(body.slice(0, body.length / 2), () => response.socket?.destroy());
      return;
    case "truncated":
      sendJson(response, 200, body.slice(0, body.length / 2));
      return;
    case "malformed":
      sendJson(response, 200, { choices: [{ message: 17 }] });
      return;
    case "not JSON at all":
      response.writeHead(200, { "content-type": "text/html" });
      response.end("<html>Welcome to the proxy</html>");
      return;
    case "empty choices":
      sendJson(response, 200, { choices: [], usage: { prompt_tokens: 1, completion_tokens: 0 } });
      return;
    case "error in 200":
      sendJson(response, 200, { error: { message: "upstream failed", code: 502 } });
  }
}

function answerBody(request: AskedRequest, options: MisbehavingServerOptions): object {
  const isChat = request.path.endsWith("/chat/completions");
  const count = Math.min(Number(request.body["n"] ?? 1), options.mostChoices ?? Infinity);
  const { finishReason = "stop", text = defaultText } = options;
  const choices = Array.from({ length: count }, (_, index) => ({
    index,
    finish_reason: finishReason,
    ...(isChat
      ? { message: { role: "assistant", content: text(request, index), ...options.messageFields } }
      : { text: text(request, index) }),
    ...logprobsField(request, isChat, options),
  }));
  const usage = { prompt_tokens: 10, completion_tokens: 7 * count, total_tokens: 10 + 7 * count };
  return {
    object: isChat ? "chat.completion" : "text_completion",
    model: options.answersAs ?? request.body["model"],
    choices,
    ...(!options.withoutUsage && { usage }),
  };
}

const defaultText = (request: AskedRequest, choiceIndex: number): string =>
  `choice ${choiceIndex} of seed ${String(request.body["seed"])}`;

function logprobsField(request: AskedRequest, isChat: boolean, options: MisbehavingServerOptions): object {
  const wanted = request.body["logprobs"];
  if (options.logprobs === undefined || wanted === undefined || wanted === false) return {};
  const tokens = options.logprobs(request);
  if (!isChat) return { logprobs: { tokens: Object.keys(tokens).slice(0, 1), top_logprobs: [tokens] } };
  const top = Object.entries(tokens).map(([token, logprob]) => ({ token, logprob, bytes: null }));
  return { logprobs: { content: [{ ...top[0], top_logprobs: top }] } };
}
