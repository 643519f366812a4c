/**
 * One HTTP request and its whole response. Built on `node:http` because the built-in fetch gives up after five minutes
 * without headers, which a busy server exceeds, and hides whether a server was reached at all.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Clock } from "../clock.ts";
import { errorCode } from "../store/file-errors.ts";

export interface HttpRequest {
  readonly method: string;
  /** Below the base URL and without query, e.g. `/chat/completions`: the same for every server. */
  readonly path: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for GET. */
  readonly body: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  /** The Retry-After header as it came. */
  readonly retryAfter: string | null;
  readonly body: Uint8Array;
}

export interface Transport {
  /** @throws TransportError; the signal's reason when it is aborted. */
  send(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse>;
  close(): Promise<void>;
}

/** No response came. `unreachable`: no connection; `dropped`: it broke; `timeout`: it took too long. */
export class TransportError extends Error {
  readonly kind: "unreachable" | "dropped" | "timeout";
  constructor(kind: TransportError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TransportError";
    this.kind = kind;
  }
}

export interface HttpTransportOptions {
  /** From the first byte sent to the last byte received. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "limit">;
}

const connectTimeoutMs = 15_000;
/** Far more than any answer: protects memory from a server that never stops. */
const largestBody = 64 << 20;

export function createHttpTransport(options: HttpTransportOptions): Transport {
  const pools = { "http:": new HttpAgent({ keepAlive: true }), "https:": new HttpsAgent({ keepAlive: true }) };
  return {
    async send(request, signal) {
      try {
        const agent = pools[request.url.protocol as keyof typeof pools];
        return await sendOnce(request, { ...options, agent, signal });
      } catch (error) {
        // Servers close idle connections, some at the moment in which the next request is on its way.
        if (!(error instanceof StaleConnection)) throw error;
        return sendOnce(request, { ...options, agent: false, signal });
      }
    },
    close: async () => {
      for (const pool of Object.values(pools)) pool.destroy();
    },
  };
}

/** A connection that an earlier request left open broke before anything came back. */
class StaleConnection extends Error {}

interface SendOptions extends HttpTransportOptions {
  /** `false` opens a connection for this request alone. */
  readonly agent: HttpAgent | false;
  readonly signal: AbortSignal | undefined;
}

function sendOnce(request: HttpRequest, { timeoutMs, clock, agent, signal }: SendOptions): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const isSecure = request.url.protocol === "https:";
    const outgoing = (isSecure ? httpsRequest : httpRequest)(request.url, {
      method: request.method,
      headers: { ...request.headers, "content-length": Buffer.byteLength(request.body) },
      agent,
    });
    let progress: "connecting" | "sent" | "answered" = "connecting";
    const settle = (): void => {
      endTotal();
      endConnecting();
      signal?.removeEventListener("abort", abort);
    };
    const fail = (error: unknown): void => {
      settle();
      outgoing.destroy();
      reject(error);
    };
    const abort = (): void => fail(signal?.reason);
    const broken = (cause: unknown): void => {
      if (progress === "sent" && outgoing.reusedSocket && agent !== false) fail(new StaleConnection());
      else fail(transportError(progress === "connecting" ? "unreachable" : "dropped", cause));
    };
    const endTotal = clock.limit(timeoutMs, () =>
      fail(new TransportError("timeout", `no complete answer within ${timeoutMs / 1000} s`)),
    );
    const endConnecting = clock.limit(connectTimeoutMs, () =>
      fail(new TransportError("unreachable", `no connection within ${connectTimeoutMs / 1000} s`)),
    );
    signal?.addEventListener("abort", abort, { once: true });
    outgoing.on("socket", (socket) => {
      const connected = (): void => {
        progress = "sent";
        endConnecting();
      };
      if (socket.connecting) socket.once(isSecure ? "secureConnect" : "connect", connected);
      else connected();
    });
    outgoing.on("error", broken);
    outgoing.on("response", (incoming) => {
      progress = "answered";
      readBody(incoming).then((body) => {
        settle();
        resolve({
          status: incoming.statusCode ?? 0,
          contentType: incoming.headers["content-type"] ?? "",
          retryAfter: incoming.headers["retry-after"] ?? null,
          body,
        });
      }, broken);
    });
    outgoing.end(request.body);
  });
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestBody) throw new Error(`an answer of more than ${largestBody >> 20} MiB`);
    chunks.push(chunk);
  }
  if (!incoming.complete) throw new Error("the connection closed in the middle of the answer");
  return Buffer.concat(chunks);
}

function transportError(kind: "unreachable" | "dropped", cause: unknown): TransportError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = errorCode(cause);
  const hint =
    code !== undefined && /CERT|SIGNATURE/.test(code) ? "; to trust it, name its file in NODE_EXTRA_CA_CERTS" : "";
  // Node gives several failed addresses as one error without a message.
  return new TransportError(kind, `${message || (code ?? "connection failed")}${hint}`, { cause });
}
