/** A listening server of one model, and its end. */
import { setMaxListeners } from "node:events";
import type { Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { systemClock, type Clock } from "../clock.ts";
import { ConfigError, InfrastructureError } from "../errors.ts";
import { Admission, isLoopback } from "./admission.ts";
import { createBoundedTokenizer } from "./bounded-tokenizer.ts";
import { createApp } from "./app.ts";
import type { ServedModel } from "./app-options.ts";

export interface ServerOptions extends ServedModel {
  /** 0 takes a free one. */
  readonly port: number;
  readonly host: string;
  /** Needed where others than this machine can connect. */
  readonly apiKey?: string;
  /** New tokens per choice, at most; else the context length. */
  readonly maxTokens?: number;
  /** Choices under way and waiting, at most. */
  readonly maxQueue: number;
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
  /** Ends what takes longer than its limit. Default: the machine's. */
  readonly clock?: Pick<Clock, "limit">;
  /** Told of failures that are the server's fault. */
  readonly onError?: (error: unknown) => void;
}

export interface RunningServer {
  /** Base URL for clients, e.g. `http://127.0.0.1:8000/v1`. */
  readonly url: string;
  /**
   * Refuses new requests, waits for those under way, then stops listening; the model stays open. What is not finished
   * after `graceMs` is given up.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/** How long a client may take to send a request. */
const RECEIVE_TIMEOUT_MS = 30_000;

/** How long a client may take to read its last answer when the server shuts down. */
const SEND_TIMEOUT_MS = 2000;

/** @throws {ConfigError} for an address that others can reach without a key, or that cannot be listened on. */
export async function openServer(options: ServerOptions): Promise<RunningServer> {
  const { host, port, apiKey, clock = systemClock } = options;
  if (apiKey === undefined && !isLoopback(host)) {
    const message = `host is ${host}, which others can reach: set the environment variable MUCODE_API_KEY to the key they must send`;
    throw new ConfigError(message, { host });
  }
  const admission = new Admission(options.maxQueue);
  const stop = new AbortController();
  // Every request under way listens to it.
  setMaxListeners(0, stop.signal);
  const app = createApp({
    ...options,
    admission,
    boundedTokenizer: createBoundedTokenizer(options.model),
    apiKey,
    maxTokens: options.maxTokens ?? options.model.contextLength,
    signal: stop.signal,
    clock,
    onError: options.onError ?? (() => undefined),
  });
  const server = createServer(
    { requestTimeout: RECEIVE_TIMEOUT_MS, headersTimeout: RECEIVE_TIMEOUT_MS },
    getRequestListener(app.fetch, { overrideGlobalObjects: false }),
  );
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const name = host.includes(":") ? `[${host.replace(/^\[|\]$/g, "")}]` : host;
  let closed: Promise<void> | undefined;
  return {
    url: `http://${name}:${address.port}/v1`,
    close({ graceMs = options.requestTimeoutMs } = {}) {
      closed ??= (async () => {
        const endGrace = clock.limit(graceMs, () => stop.abort(new DOMException("shutting down", "AbortError")));
        await admission.close();
        endGrace();
        await stopListening(server, clock);
      })();
      return closed;
    },
  };
}

/** Connections end as soon as their last answer is sent, and in any case before long. */
async function stopListening(server: Server, clock: Pick<Clock, "limit">): Promise<void> {
  const timer = setInterval(() => server.closeIdleConnections(), 20);
  const endSending = clock.limit(SEND_TIMEOUT_MS, () => server.closeAllConnections());
  try {
    await new Promise<void>((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
  } finally {
    clearInterval(timer);
    endSending();
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  const mistakes: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} of ${host} is in use; take another one, or 0 for any that is free`,
    EACCES: `port ${port} needs privileges that this process does not have; take one above 1023`,
    EADDRNOTAVAIL: `${host} is no address of this machine`,
    ENOTFOUND: `${host} is no address of this machine`,
  };
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const mistake = mistakes[cause.code ?? ""];
      if (mistake !== undefined) reject(new ConfigError(mistake, { host, port }, { cause }));
      else reject(new InfrastructureError(`cannot listen on ${host}, port ${port}`, { host, port }, { cause }));
    });
    server.listen({ host: host.replace(/^\[|\]$/g, ""), port }, resolve);
  });
}
