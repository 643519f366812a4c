/** When to give up a request: its client has gone, its time is over, or the server stops. */
import type { Clock } from "../clock.ts";
import { ApiError } from "./api-error.ts";

export interface RequestLifetime {
  /** Aborts with what the client is to be told. */
  readonly signal: AbortSignal;
  clientGone(): void;
  /** The request is answered: nothing is waited for any more. */
  end(): void;
}

export function createLifetime(options: {
  readonly client: AbortSignal;
  readonly server: AbortSignal;
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "limit">;
}): RequestLifetime {
  const { client, server, timeoutMs, clock } = options;
  const controller = new AbortController();
  const clientGone = (): void => controller.abort(new DOMException("the client has gone", "AbortError"));
  const serverStops = (): void => {
    controller.abort(new ApiError(503, "the server is shutting down", { code: "shutting_down" }));
  };
  const endLimit = clock.limit(timeoutMs, () => {
    controller.abort(new ApiError(504, `not finished within ${timeoutMs / 1000} s`, { code: "request_timeout" }));
  });
  client.addEventListener("abort", clientGone);
  server.addEventListener("abort", serverStops);
  if (client.aborted) clientGone();
  if (server.aborted) serverStops();
  return {
    signal: controller.signal,
    clientGone,
    end() {
      endLimit();
      client.removeEventListener("abort", clientGone);
      server.removeEventListener("abort", serverStops);
    },
  };
}
