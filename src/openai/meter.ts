/** Counts what a run uses, and refuses to send what could exceed its limits. */
import { StopRunError } from "../errors.ts";
import type { Prices, Usage } from "./model-server.ts";

export interface MeterOptions {
  readonly maxRequests?: number;
  readonly maxTokens?: number;
  readonly prices?: Prices;
}

/** Token counts of one answer. */
export interface TokenCounts {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** One request under way: exactly one of its functions is called, once. */
export interface Ticket {
  /** `counts` is `null` when the answer came without; `reasoningOnly`: choices that are a thought alone. */
  answered(counts: TokenCounts | null, choices?: { readonly reasoningOnly: number }): void;
  /** `worked`: the model may have written tokens that nobody counted. */
  failed(outcome: { readonly worked: boolean }): void;
}

export interface Meter {
  /**
   * Before each request. `tokens` is what it may write at most: set aside until its answer says how many they were,
   * so that the limit holds whatever happens. Waits while only requests under way stand between it and the limit.
   * @throws StopRunError when a limit is reached, from then on always; the signal's reason.
   */
  admit(tokens: number, signal?: AbortSignal): Promise<Ticket>;
  usage(): Usage;
}

export function createMeter(options: MeterOptions): Meter {
  const { maxRequests = Infinity, maxTokens = Infinity, prices } = options;
  let requests = 0;
  let failedRequests = 0;
  let promptTokens = 0;
  let completionTokens = 0;
  let uncounted = 0;
  let reasoningOnly = 0;
  /** Against `maxTokens`: tokens counted, and what uncounted answers may have used at most. */
  let spent = 0;
  let reserved = 0;
  let reached: StopRunError | undefined;
  let waiting: (() => void)[] = [];

  const settle = (tokens: number, used: number): void => {
    reserved -= tokens;
    spent += used;
    const wake = waiting;
    waiting = [];
    for (const resume of wake) resume();
  };

  return {
    async admit(tokens, signal) {
      for (;;) {
        signal?.throwIfAborted();
        if (requests >= maxRequests) reached ??= requestLimit(maxRequests);
        else if (spent + tokens > maxTokens) reached ??= tokenLimit(maxTokens, spent, tokens);
        if (reached !== undefined) throw reached;
        if (spent + reserved + tokens <= maxTokens) break;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      requests++;
      reserved += tokens;
      return {
        answered(counts, choices) {
          reasoningOnly += choices?.reasoningOnly ?? 0;
          if (counts === null) uncounted++;
          promptTokens += counts?.promptTokens ?? 0;
          completionTokens += counts?.completionTokens ?? 0;
          settle(tokens, counts?.completionTokens ?? tokens);
        },
        failed({ worked }) {
          failedRequests++;
          settle(tokens, worked ? tokens : 0);
        },
      };
    },
    usage() {
      const isCounted = uncounted === 0;
      const cost =
        prices && isCounted
          ? (promptTokens * prices.inputPerMillion + completionTokens * prices.outputPerMillion) / 1e6
          : null;
      return {
        requests,
        failedRequests,
        reasoningOnly,
        promptTokens: isCounted ? promptTokens : null,
        completionTokens: isCounted ? completionTokens : null,
        cost,
      };
    },
  };
}

function requestLimit(limit: number): StopRunError {
  return new StopRunError(
    `the limit of ${limit} requests is reached; what is finished is kept: run again with a higher --max-requests to go on`,
    { limit: "max-requests", value: limit },
  );
}

function tokenLimit(limit: number, spent: number, needed: number): StopRunError {
  return new StopRunError(
    `the limit of ${limit} new tokens leaves ${Math.max(0, limit - spent)}, and the next request may need ${needed}; ` +
      `what is finished is kept: run again with a higher --max-tokens to go on`,
    { limit: "max-tokens", value: limit, spent, needed },
  );
}
