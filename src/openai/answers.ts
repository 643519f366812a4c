/** Reads what servers answer: leniently where they differ, strictly where an answer would be made up. */
import { complaintIn } from "./complaints.ts";
import { assembleStream, isEventStream } from "./event-stream.ts";
import { AnswerError } from "./faults.ts";
import { fieldsOf, listOf, numberOf, parseJson, quote, showJson, wordsOf } from "./json-fields.ts";
import { firstTokens } from "./log-probabilities.ts";
import type { TokenCounts } from "./meter.ts";
import { splitReasoning } from "../tasks/completion/reasoning.ts";
import type { TokenLogprob } from "./model-server.ts";

export interface AnsweredChoice {
  /** What was answered, without what was thought before; empty for a choice that is a thought alone. */
  readonly text: string;
  readonly reasoning?: string;
  readonly stopReason: "end" | "length";
  /** The likeliest tokens at the first position; `null` without log-probabilities. */
  readonly firstTokens: readonly TokenLogprob[] | null;
}

export interface Answer {
  /** At least one, in the server's order. */
  readonly choices: readonly AnsweredChoice[];
  /** `null` where the server does not count, or counts nothing although it wrote. */
  readonly counts: TokenCounts | null;
  /** The model's name as the server gives it. */
  readonly model: string | null;
}

/** @throws AnswerError when the body is no answer: an error, a refusal, nothing written, or not this protocol. */
export function readAnswer(body: string): Answer {
  const value = readBody(body);
  const { choices, usage, model } = fieldsOf(value);
  if (!Array.isArray(choices)) throw new AnswerError(`the answer has no choices: ${quote(showJson(value))}`);
  if (choices.length === 0) throw new AnswerError("the answer has no choices: its list is empty");
  const counts = readCounts(usage);
  const ordered = choices.map(fieldsOf).toSorted((a, b) => (numberOf(a["index"]) ?? 0) - (numberOf(b["index"]) ?? 0));
  return {
    choices: ordered.map((choice) => readChoice(choice, counts)),
    counts: counts !== null && counts.completionTokens > 0 ? counts : null,
    model: wordsOf(model),
  };
}

/** The value of a body. @throws AnswerError for what is not JSON, and for what complains. */
export function readBody(body: string): unknown {
  if (body.trim() === "") throw new AnswerError("the answer is empty");
  let value: unknown;
  try {
    value = isEventStream(body) ? assembleStream(body) : parseJson(body);
  } catch {
    const what = /^\s*</.test(body) ? "a page and not JSON: check the base URL" : "not JSON";
    throw new AnswerError(`the answer is ${what} (${body.length} characters): ${quote(body)}`);
  }
  const complaint = complaintIn(value);
  if (complaint !== null) throw new AnswerError(`an error under status 200: ${complaint.text}`, { complaint });
  return value;
}

function readCounts(usage: unknown): TokenCounts | null {
  const fields = fieldsOf(usage);
  const [promptTokens, completionTokens] = [fields["prompt_tokens"], fields["completion_tokens"]].map((count) =>
    typeof count === "number" && Number.isSafeInteger(count) && count >= 0 ? count : null,
  );
  if (typeof promptTokens !== "number" || typeof completionTokens !== "number") return null;
  return { promptTokens, completionTokens };
}

/** How the servers say that the model was cut at its limit. */
const cutReasons = /^(?:length|max_?tokens|max_output_tokens|model_length|max_length|limit|incomplete)$/i;
/** How they say that they gave the answer up: vLLM, SGLang, Ollama ("load": it has loaded the model), DeepSeek, GLM. */
const gaveUpReasons = /abort|error|cancel|fail|timeout|insufficient|^(?:un)?load$/i;
/** How they say that they keep the answer back. */
const filterReasons = /filter|safety|moderation|prohibited|blocklist|recitation|refus|guardrail|sensitive|toxic|spii/i;

function readChoice(choice: ReturnType<typeof fieldsOf>, counts: TokenCounts | null): AnsweredChoice {
  const complaint = complaintIn({ error: choice["error"] });
  if (complaint !== null) throw new AnswerError(`an error under status 200: ${complaint.text}`, { complaint });
  const finish = wordsOf(choice["finish_reason"]);
  const message = fieldsOf(choice["message"]);
  const hasMessage = Object.keys(message).length > 0;
  const content = readContent(hasMessage ? message["content"] : choice["text"]);
  const refusal = wordsOf(message["refusal"]) ?? content.refusal;
  if ((finish !== null && filterReasons.test(finish)) || (refusal !== null && content.text.trim() === "")) {
    const why = [finish === null ? null : `finish_reason ${finish}`, refusal].filter((words) => words !== null);
    throw new AnswerError(`the answer is kept back (${why.join("; ")})`, { keptBack: true });
  }
  if (finish !== null && gaveUpReasons.test(finish)) {
    throw new AnswerError(`the server gave the answer up (finish_reason ${finish})`);
  }
  const { text, reasoning: thought } = splitReasoning(content.text);
  const reasoning = joinThoughts([givenThought(message) ?? givenThought(choice), content.reasoning, thought]);
  const tokens = firstTokens(choice["logprobs"]);
  const isCut = finish !== null && cutReasons.test(finish);
  if (!hasMessage && typeof choice["text"] !== "string") throw new AnswerError("a choice without message and text");
  const wrote = text.trim() !== "" || reasoning !== undefined || tokens !== null || callsTool(message);
  const counted = counts === null ? isCut : counts.completionTokens > 0;
  if (!wrote && (finish === null || !counted)) {
    throw new AnswerError(`a choice without text (finish_reason ${finish}, ${showCount(counts)})`);
  }
  if (finish === null && counts !== null && !counted) {
    throw new AnswerError(`a choice that is not finished (finish_reason null, ${showCount(counts)})`);
  }
  return {
    text,
    ...(reasoning !== undefined && { reasoning }),
    stopReason: isCut ? "length" : "end",
    firstTokens: tokens,
  };
}

function showCount(counts: TokenCounts | null): string {
  return counts === null ? "tokens not counted" : `${counts.completionTokens} tokens counted`;
}

function callsTool(message: ReturnType<typeof fieldsOf>): boolean {
  return listOf(message["tool_calls"]).length > 0 || Object.keys(fieldsOf(message["function_call"])).length > 0;
}

interface Content {
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string | null;
}

/** A text, or a list of parts, some of which may be what was thought. @throws AnswerError for anything else. */
function readContent(content: unknown): Content {
  if (content === null || content === undefined) return { text: "", reasoning: "", refusal: null };
  if (typeof content === "string") return { text: content, reasoning: "", refusal: null };
  if (typeof content !== "object")
    throw new AnswerError(`a choice whose content is no text: ${showJson(content, 100)}`);
  let [text, reasoning] = ["", ""];
  let refusal: string | null = null;
  for (const part of Array.isArray(content) ? content : [content]) {
    const { type } = fieldsOf(part);
    if (typeof type === "string" && /think|reason/i.test(type)) reasoning += thoughtIn(part);
    else if (type === "refusal") refusal ??= wordsOf(fieldsOf(part)["refusal"]);
    else text += textIn(part);
  }
  return { text, reasoning, refusal };
}

function textIn(part: unknown): string {
  if (typeof part === "string") return part;
  const { text, content } = fieldsOf(part);
  return typeof text === "string" ? text : typeof content === "string" ? content : "";
}

/** In its own field or in one of the others, as one text or in parts. */
function thoughtIn(part: unknown): string {
  const { thinking, reasoning, summary } = fieldsOf(part);
  return textIn(part) || [thinking, reasoning, summary].map(partsIn).find((text) => text !== "") || "";
}

function partsIn(value: unknown): string {
  return Array.isArray(value) ? value.map(textIn).join("") : textIn(value);
}

/** What the server itself took for a thought; servers that give it twice give the same. */
function givenThought(message: ReturnType<typeof fieldsOf>): string | null {
  for (const key of ["reasoning_content", "reasoning", "thinking", "thinking_content"]) {
    const text = partsIn(message[key]);
    if (text.trim() !== "") return text;
  }
  return wordsOf(listOf(message["reasoning_details"]).map(thoughtIn).join(""));
}

function joinThoughts(thoughts: readonly (string | null | undefined)[]): string | undefined {
  const said = thoughts.filter((thought): thought is string => typeof thought === "string" && thought.trim() !== "");
  const different = said.filter((thought, index) => said.findIndex((one) => one.trim() === thought.trim()) === index);
  return different.length === 0 ? undefined : different.join("\n\n");
}

/** The ids that a server lists. @throws AnswerError when the body is no list of models. */
export function readModels(body: string): string[] {
  const value = readBody(body);
  const { data, models } = fieldsOf(value);
  // Ollama without models gives null; together.ai gives the list itself.
  const listed = Array.isArray(value) ? value : (data ?? models ?? (fieldsOf(value)["object"] === "list" ? [] : null));
  if (!Array.isArray(listed)) throw new AnswerError(`no list of models: ${quote(showJson(value))}`);
  return listed.map(fieldsOf).flatMap(({ id, name }) => wordsOf(id) ?? wordsOf(name) ?? []);
}
