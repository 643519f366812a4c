/** Reads what servers answer: leniently where they differ, strictly where an answer would be made up. */
import { z } from "zod";
import { AnswerError } from "./faults.ts";
import type { TokenCounts } from "./meter.ts";
import { splitReasoning } from "../tasks/completion/reasoning.ts";
import type { TokenLogprob } from "./model-server.ts";

export interface AnsweredChoice {
  readonly text: string;
  readonly reasoning?: string;
  readonly stopReason: "end" | "length";
  /** The likeliest tokens at the first position; `null` without log-probabilities. */
  readonly firstTokens: readonly TokenLogprob[] | null;
}

export interface Answer {
  /** At least one, in the server's order. */
  readonly choices: readonly AnsweredChoice[];
  readonly counts: TokenCounts | null;
  /** The model's name as the server gives it. */
  readonly model: string | null;
}

const entry = z.object({ token: z.string(), logprob: z.number() });

/** Chat form, and the older one of completions: one map from token to log-probability per position. */
const logprobsSchema = z.object({
  content: z.array(z.object({ top_logprobs: z.array(entry).nullish() })).nullish(),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullish(),
});

/** Some servers give the parts of a message. */
const contentSchema = z.union([z.string(), z.array(z.object({ text: z.string().optional() }))]);

const choiceSchema = z.object({
  index: z.number().int().nullish(),
  finish_reason: z.string().nullish(),
  text: z.string().nullish(),
  message: z
    .object({
      content: contentSchema.nullish(),
      reasoning_content: z.string().nullish(),
      reasoning: z.string().nullish(),
    })
    .nullish(),
  logprobs: logprobsSchema.nullish().catch(null),
});

const answerSchema = z.object({
  model: z.string().nullish().catch(null),
  choices: z.array(choiceSchema).min(1),
  usage: z
    .object({ prompt_tokens: z.number().int().nonnegative(), completion_tokens: z.number().int().nonnegative() })
    .nullish()
    .catch(null),
});

/** @throws AnswerError when the body is no answer. */
export function readAnswer(body: string): Answer {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new AnswerError(`the answer is not JSON (${body.length} characters): ${quote(body)}`);
  }
  // Gateways report a failure behind them under status 200.
  if (typeof value === "object" && value !== null && "error" in value && value.error) {
    throw new AnswerError(`an error as answer: ${quote(JSON.stringify(value.error))}`);
  }
  const parsed = answerSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const what = `${issue.path.join(".") || "answer"}: ${issue.message}`;
    throw new AnswerError(`the answer is not one of this protocol (${what}): ${quote(body)}`);
  }
  const { choices, usage, model } = parsed.data;
  const ordered = choices.toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0));
  return {
    choices: ordered.map(readChoice),
    counts: usage ? { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens } : null,
    model: model ?? null,
  };
}

function readChoice(choice: z.infer<typeof choiceSchema>): AnsweredChoice {
  // vLLM and SGLang end a choice so when the engine gave it up.
  if (choice.finish_reason === "abort" || choice.finish_reason === "error") {
    throw new AnswerError(`the server gave the answer up (finish_reason ${choice.finish_reason})`);
  }
  const { message } = choice;
  if (!message && typeof choice.text !== "string") throw new AnswerError("a choice without message and text");
  const content = message ? contentText(message.content) : choice.text!;
  const given = message?.reasoning_content ?? message?.reasoning;
  const { text, reasoning } = given ? { text: content, reasoning: given } : splitReasoning(content);
  return {
    text,
    ...(reasoning !== undefined && { reasoning }),
    stopReason: choice.finish_reason === "length" ? "length" : "end",
    firstTokens: choice.logprobs ? firstTokens(choice.logprobs) : null,
  };
}

function contentText(content: z.infer<typeof contentSchema> | null | undefined): string {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => part.text ?? "").join("");
}

function firstTokens(logprobs: z.infer<typeof logprobsSchema>): TokenLogprob[] | null {
  const listed = logprobs.content?.[0]?.top_logprobs ?? null;
  if (listed !== null) return inOrder(listed);
  const map = logprobs.top_logprobs?.[0] ?? null;
  return map === null ? null : inOrder(Object.entries(map).map(([token, logprob]) => ({ token, logprob })));
}

function inOrder(tokens: readonly TokenLogprob[]): TokenLogprob[] | null {
  const sorted = tokens.toSorted((a, b) => b.logprob - a.logprob);
  return sorted.length === 0 ? null : sorted;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string() })) });

/** The ids a server lists; `null` when the body is no list of models. */
export function readModels(body: string): string[] | null {
  try {
    return modelsSchema.parse(JSON.parse(body)).data.map((model) => model.id);
  } catch {
    return null;
  }
}
