/**
 * A model behind an OpenAI-compatible server (vLLM, SGLang, llama.cpp, Ollama, LM Studio, `mucode serve`, hosted APIs).
 * What the protocol promises and what a server does are two things: `n`, `seed`, log-probabilities and token counts are
 * found out from its answers, never assumed.
 */
import type { Conversation } from "../tasks/prompt.ts";
import type { ReplicaAddresses } from "./replicas.ts";

export interface Prices {
  /** Per million tokens, in the user's currency. */
  readonly inputPerMillion: number;
  readonly outputPerMillion: number;
}

export interface ModelServerOptions {
  /** Up to and including the version, e.g. `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string;
  /** Equal servers that share the requests; `baseUrl` then only names them in messages. Default: the one at `baseUrl`. */
  readonly replicas?: ReplicaAddresses;
  /** Sent with every request for text, beside what the protocol has: for servers that sample only when told so. */
  readonly requestFields?: Readonly<Record<string, unknown>>;
  /** Default: the only one that the server lists. */
  readonly model?: string;
  /** Default: MUCODE_API_KEY, else OPENAI_API_KEY from the environment; local servers need none. */
  readonly apiKey?: string;
  /** `completions` is for models without a chat template. Default `chat`. */
  readonly api?: "chat" | "completions";
  /** For one request, its whole body included. Default 300 000. */
  readonly requestTimeoutMs?: number;
  /** Requests under way at the same time. Default 8. */
  readonly concurrency?: number;
  /** How often a failed request is sent again before its item is given up. Default 5. */
  readonly retries?: number;
  /** How long a server may be unreachable before the run stops. Default 300 000. */
  readonly pauseLimitMs?: number;
  /** Requests for answers, repeated ones included. Default: no limit. */
  readonly maxRequests?: number;
  /** New tokens of all answers. Never exceeded: what a request may use at most is set aside while it is under way. */
  readonly maxTokens?: number;
  readonly prices?: Prices;
  /** Appends every response to this JSONL file. */
  readonly record?: string;
  /** Answers from such a file, byte for byte, without a server; the base URL then only names it. */
  readonly replay?: string;
  /** For pauses and what was found out about the server; never contains a key. */
  readonly log?: (line: string) => void;
}

/** What was found out so far; `null`: not yet. */
export interface Capabilities {
  /** Whether `n` gives as many different choices as asked for. */
  readonly choices: boolean | null;
  /** Whether another seed gives another text at temperature 1; where not, several candidates are one and the same. */
  readonly sampling: boolean | null;
  /** Whether token counts come with the answers. */
  readonly usage: boolean | null;
  readonly logprobs: boolean | null;
}

export interface Usage {
  /** Requests for answers that were sent, repeated ones included. */
  readonly requests: number;
  /** Those without a usable answer. */
  readonly failedRequests: number;
  /** Choices that are a thought alone, without an answer after it: there is no program in them. */
  readonly reasoningOnly: number;
  /** Of the answers; `null` when at least one answer came without counts. */
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  /** `null` without prices or without counts. */
  readonly cost: number | null;
}

export interface CompleteRequest {
  readonly conversation: Conversation;
  /** One choice per seed. */
  readonly seeds: readonly number[];
  /** 0 is greedy. */
  readonly temperature: number;
  readonly maxTokens: number;
}

export interface Choice {
  readonly text: string;
  readonly reasoning?: string;
  readonly stopReason: "end" | "length" | "no-room";
  /** New tokens; `null` where the server does not say, or says it for several choices together. */
  readonly tokenCount: number | null;
}

export interface TokenLogprob {
  readonly token: string;
  /** Nats. */
  readonly logprob: number;
}

export interface ModelServer {
  /** For reports, as far as it is known at this moment; never contains a key. */
  readonly description: {
    readonly baseUrl: string;
    readonly model: string;
    readonly api: "chat" | "completions";
    /** The model's name in the last answer, where the server gives one: servers of one model answer whatever is asked. */
    readonly answeredBy: string | null;
    readonly capabilities: Capabilities;
  };
  usage(): Usage;
  /**
   * `choices[i]` belongs to `seeds[i]`. `no-room` is for conversations that turns can be taken from.
   * @throws RefusedError: this conversation is refused, or its one message leaves no room; ModelServerError: this request
   * failed; StopRunError: every further one would; ConfigError: the user must act.
   */
  complete(request: CompleteRequest, signal?: AbortSignal): Promise<Choice[]>;
  /**
   * The likeliest first tokens of an answer, likeliest first; `null` when the conversation does not fit the context.
   * @throws like `complete`; ModelServerError when the server gives no log-probabilities.
   */
  firstTokens(conversation: Conversation, signal?: AbortSignal): Promise<TokenLogprob[] | null>;
  close(): Promise<void>;
}
