/** The `openai` client on our transport: its retries, time-outs, key handling and logging are off, ours do that. */
import OpenAI from "openai";
import type { Address } from "./address.ts";
import type { Transport } from "./transport.ts";

export interface ProtocolClient {
  /** The body of a successful response. @throws what `classifyFault` understands */
  ask(api: "chat" | "completions", body: object, signal?: AbortSignal): Promise<string>;
  /** Of an endpoint that the protocol does not know, by its path below the base URL. */
  post(path: string, body: object, signal?: AbortSignal): Promise<string>;
  /** The body of the list of models. */
  models(signal?: AbortSignal): Promise<string>;
}

/** What our transport threw, carried through the client unread: it would guess time-outs from words in messages. */
export class CarriedError extends Error {
  readonly carried: unknown;
  constructor(carried: unknown) {
    super("carried");
    this.carried = carried;
  }
}

const longestTimeoutMs = 2 ** 31 - 1;

export function createProtocolClient(address: Address, transport: Transport): ProtocolClient {
  const client = new OpenAI({
    baseURL: address.baseUrl,
    apiKey: "set by the transport",
    adminAPIKey: null,
    defaultQuery: { ...address.query },
    maxRetries: 0,
    timeout: longestTimeoutMs,
    logLevel: "off",
    fetch: transportFetch(address, transport),
  });
  return {
    ask: (api, body, signal) =>
      whileListening(signal, async (options) => {
        const request =
          api === "chat"
            ? client.chat.completions.create(body as OpenAI.Chat.ChatCompletionCreateParamsNonStreaming, options)
            : client.completions.create(body as OpenAI.CompletionCreateParamsNonStreaming, options);
        return (await request.asResponse()).text();
      }),
    post: (path, body, signal) =>
      whileListening(signal, async (options) => (await client.post(path, { body, ...options }).asResponse()).text()),
    models: (signal) =>
      whileListening(signal, async (options) => (await client.models.list(options).asResponse()).text()),
  };
}

/** The client never takes its listener off a signal, and a run's signal outlives thousands of requests. */
async function whileListening<T>(
  signal: AbortSignal | undefined,
  work: (options: { signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await work({ signal: controller.signal });
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function transportFetch(address: Address, transport: Transport) {
  return async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init.headers);
    headers.delete("authorization");
    if (address.authorization !== null) headers.set("authorization", address.authorization);
    const request = {
      method: (init.method ?? "GET").toUpperCase(),
      path: `${url.origin}${url.pathname}`.slice(address.baseUrl.length),
      url,
      headers: Object.fromEntries(headers),
      body: typeof init.body === "string" ? init.body : "",
    };
    const response = await transport.send(request, init.signal ?? undefined).catch((error: unknown) => {
      throw new CarriedError(error);
    });
    const isAnswer = response.status >= 200 && response.status < 300;
    const text = Buffer.from(response.body).toString("utf8");
    const shown = {
      "content-type": response.contentType,
      ...(response.retryAfter !== null && { "retry-after": response.retryAfter }),
    };
    if (isAnswer) return new Response(text, { headers: shown });
    // Statuses outside this range have no Response.
    const status = response.status >= 300 && response.status <= 599 && response.status !== 304 ? response.status : 500;
    return new Response(nestError(text), { status, headers: shown });
  };
}

/** The client reads `error` alone, and SGLang, FastAPI and others put the message beside or elsewhere. */
function nestError(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !("error" in body)) return JSON.stringify({ error: body });
  } catch {
    // Not JSON: the client shows the text.
  }
  return text;
}
