/** What went wrong with one request, and what that means for the next one. */
import { APIConnectionError, APIError } from "openai";
import { ConfigError, StopRunError } from "../errors.ts";
import { CarriedError } from "./client.ts";
import { complaintIn, type Complaint } from "./complaints.ts";
import { contextFault, type ContextFault } from "./context-faults.ts";
import { showJson } from "./json-fields.ts";
import { TransportError } from "./transport.ts";

export type Fault =
  /** The same request may well succeed later. */
  | {
      readonly kind: "passing";
      readonly text: string;
      readonly retryAfterMs: number | null;
      /** `server`: nobody is served (down, restarting, loading). `limit`: too many requests. `request`: this one failed. */
      readonly extent: "server" | "limit" | "request";
    }
  | ContextFault
  /** The server refuses a parameter that we can do without. */
  | { readonly kind: "unsupported"; readonly parameter: OptionalParameter; readonly text: string }
  | RefusedFault
  /** Not the server's: thrown on as it is. */
  | { readonly kind: "foreign"; readonly error: unknown };

/** Sending the same request again changes nothing. Whether other conversations are refused too is not known from it. */
export interface RefusedFault {
  readonly kind: "refused";
  /**
   * `key`: the key is not accepted. `access`: forbidden, by the key's rights or by a filter. `address`: no such endpoint
   * or model. `content`: what the conversation or the answer says. `request`: anything else.
   */
  readonly reason: "key" | "access" | "address" | "content" | "request";
  readonly text: string;
}

export type OptionalParameter = "n" | "seed" | "max_tokens" | "top_logprobs";

/** A body under a status of success that is no answer: malformed, cut off, empty, an error, or kept back. */
export class AnswerError extends Error {
  /** The error that the body holds; `null` where it holds none. */
  readonly complaint: Complaint | null;
  /** Whether the server has an answer and does not give it: a filter, or a model that declines. */
  readonly keptBack: boolean;
  constructor(message: string, { complaint = null, keptBack = false }: Partial<Omit<AnswerError, keyof Error>> = {}) {
    super(message);
    this.complaint = complaint;
    this.keptBack = keptBack;
  }
}

/** `now` (ms since 1970) turns Retry-After dates into waits. */
export function classifyFault(error: unknown, now: number): Fault {
  if (error instanceof AnswerError) return classifyAnswer(error);
  if (error instanceof APIConnectionError) {
    const cause = error.cause instanceof CarriedError ? error.cause.carried : error;
    if (!(cause instanceof TransportError)) return { kind: "foreign", error: cause };
    return passing(cause.message, cause.kind === "unreachable" ? "server" : "request");
  }
  if (!(error instanceof APIError) || error.status === undefined) return { kind: "foreign", error };
  const text = `status ${error.status}: ${textOf(error)}`;
  const retryAfterMs = parseRetryAfter(error.headers?.get("retry-after") ?? null, now);
  return classifyStatus(Number(error.status), { text, param: error.param ?? null, retryAfterMs });
}

function classifyAnswer({ message, complaint, keptBack }: AnswerError): Fault {
  if (keptBack) return refused("content", message);
  const context = contextFault(message);
  if (context !== null) return context;
  if (complaint === null) return passing(message, "request");
  // A gateway that tells of the server behind it is up itself: only the request has failed.
  if (complaint.status === null || complaint.status >= 500) return classifyWords(message);
  return classifyStatus(complaint.status, { text: message, param: null, retryAfterMs: null });
}

interface Refusal {
  readonly text: string;
  /** The parameter that the server names, where it names one. */
  readonly param: string | null;
  readonly retryAfterMs: number | null;
}

function classifyStatus(status: number, refusal: Refusal): Fault {
  const { text, retryAfterMs } = refusal;
  const context = contextFault(text);
  if (context !== null) return context;
  if ([402, 403, 429].includes(status) && quotaWords.test(text)) {
    const stop = new StopRunError(`the server has no quota left for this key: ${text}`, { status });
    return { kind: "foreign", error: stop };
  }
  if (status === 401) return refused("key", text);
  if (status === 403) return refused(contentWords.test(text) ? "content" : "access", text);
  if (status === 404 || status === 405 || status === 410 || (status >= 300 && status < 400)) {
    return refused("address", text);
  }
  // Older builds of llama.cpp refuse `n` with status 500.
  if (status === 400 || status === 422 || (status === 500 && onlyOneChoice.test(text))) return classifyRefusal(refusal);
  // Larger than what a minute allows: no minute will do.
  if (status === 429 && /request too large/i.test(text)) return refused("request", text);
  if (status === 429) return passing(text, "limit", retryAfterMs);
  if (status === 502 || status === 503 || status === 504) return passing(text, "server", retryAfterMs);
  const lasts = status === 501 || status === 505;
  if (status === 408 || status === 409 || status === 425 || (status >= 500 && !lasts)) {
    return passing(text, "request", retryAfterMs);
  }
  return refused(contentWords.test(text) ? "content" : "request", text);
}

/** An error under a status of success that names no status: its words are all there is. */
function classifyWords(text: string): Fault {
  if (addressWords.test(text)) return refused("address", text);
  if (keyWords.test(text)) return refused("key", text);
  if (quotaWords.test(text)) return classifyStatus(402, { text, param: null, retryAfterMs: null });
  if (contentWords.test(text)) return refused("content", text);
  if (/rate.?limit|too many requests/i.test(text)) return passing(text, "limit");
  if (/invalid_request|bad_?request|validation_?error/i.test(text)) {
    return classifyRefusal({ text, param: null, retryAfterMs: null });
  }
  return passing(text, "request");
}

/** LM Studio, llama.cpp, Ollama, vLLM, OpenAI: no such endpoint, or no such model. */
const addressWords =
  /unexpected endpoint|(?:unknown|invalid|no such) (?:endpoint|url|path|route|model)|cannot (?:get|post) \/|model_not_found|model ['"`\\\w./:-]+ (?:not found|does not exist|is not found)|endpoint .{0,80}not found|^.{0,60}\bnot found["}\s]*$/i;
const keyWords = /invalid_api_key|(?:invalid|incorrect|missing|no) (?:api )?key|authentication_error|unauthori[sz]ed/i;
const quotaWords =
  /insufficient_quota|billing|insufficient (?:credit|balance|fund|quota)|requires more credits|arrear/i;
/** What the conversation says is refused: OpenAI, Azure, OpenRouter, Gemini, DashScope. */
const contentWords =
  /content.?(?:filter|management|policy|moderation|inspection)|flagged|moderation|safety|prohibited.content|usage polic|inappropriate|sensitive.(?:content|words?|information)|responsible.?ai|jailbreak|guardrail/i;
const onlyOneChoice = /only one (?:completion )?choice/i;

function refused(reason: RefusedFault["reason"], text: string): RefusedFault {
  return { kind: "refused", reason, text };
}

function passing(
  text: string,
  extent: "server" | "limit" | "request",
  retryAfterMs: number | null = null,
): Extract<Fault, { kind: "passing" }> {
  return { kind: "passing", text, retryAfterMs, extent };
}

/** What the error body says, the whole of it where it has no message: facts such as token counts stand beside it. */
function textOf(error: APIError): string {
  const body: unknown = error.error;
  // Without a body that it understands, the client puts the status before the text.
  if (body === undefined || body === null) return showJson(error.message.replace(/^\d{3} /, ""));
  return complaintIn({ error: body })?.text ?? showJson(body);
}

/**
 * Seconds, a fraction of them, or an HTTP date; `null` for anything else.
 * https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function parseRetryAfter(header: string | null, now: number): number | null {
  if (header === null || header.trim() === "") return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** Status 400 and 422: parameters that some servers and models do not know, and everything else. */
function classifyRefusal({ text, param }: Refusal): Fault {
  const unsupported = (parameter: OptionalParameter): Fault => ({ kind: "unsupported", parameter, text });
  if (/max_completion_tokens/.test(text)) return unsupported("max_tokens");
  if (/logprobs/i.test(text)) return unsupported("top_logprobs");
  if (param === "n" || /['"`]n\\?['"`]|\bn must be/i.test(text) || onlyOneChoice.test(text)) return unsupported("n");
  if (param === "seed" || /['"`]seed\\?['"`]/.test(text)) return unsupported("seed");
  return refused(contentWords.test(text) ? "content" : "request", text);
}

/** The error that a refusal of everything becomes. */
export function explainRefusal(
  fault: RefusedFault | ContextFault,
  about: { baseUrl: string; model: string; keySource: string | null; listed: readonly string[] | null },
): ConfigError {
  const { baseUrl, model, keySource, listed } = about;
  if (fault.kind === "context") {
    return new ConfigError(
      `${baseUrl} has no room for any conversation: ${fault.text}\n` +
        "serve the model with a longer context (vLLM: --max-model-len, llama.cpp: -c, Ollama: OLLAMA_CONTEXT_LENGTH), " +
        "or ask for fewer new tokens",
      { baseUrl, model },
    );
  }
  if (fault.reason === "key" || fault.reason === "access") {
    const fix =
      keySource === null
        ? "it wants a key: set MUCODE_API_KEY or OPENAI_API_KEY"
        : `it refuses ${keySource}: check that it belongs to this server and may use the model`;
    return new ConfigError(`${baseUrl} answers ${fault.text}\n${fix}`, { baseUrl, keySource });
  }
  if (fault.reason === "address") {
    const fix =
      listed === null || listed.length === 0
        ? "it lists no models either: check the base URL, which usually ends in /v1"
        : `the models it lists: ${listed.join(", ")}`;
    return new ConfigError(`${baseUrl} answers ${fault.text} (model ${model})\n${fix}`, { baseUrl, model, listed });
  }
  return new ConfigError(
    `${baseUrl} refuses every request, also a harmless one: ${fault.text}\n` +
      "check what the model takes (temperature, new tokens), or ask another server",
    { baseUrl, model },
  );
}
