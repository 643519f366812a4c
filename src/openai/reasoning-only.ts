/** Answers that are a thought alone: the model's own, or a server that takes every answer for a thought. */
import { ConfigError } from "../errors.ts";
import type { Answer, AnsweredChoice } from "./answers.ts";
import { harmless, isUndecided, Unanswered, type Exchange } from "./refusals.ts";
import type { Asked } from "./requests.ts";

export function isReasoningOnly({ text, reasoning }: AnsweredChoice): boolean {
  return reasoning !== undefined && text.trim() === "";
}

/** @throws ConfigError when the server takes every answer for a thought; as {@link Exchange}. */
export type ReasoningCheck = (answer: Answer, asked: Asked, signal?: AbortSignal) => Promise<void>;

/**
 * A thought alone is the model's own when it was cut, and when other answers have a text. Where none has, a harmless
 * question tells, once.
 */
export function createReasoningCheck(parts: {
  readonly baseUrl: string;
  readonly model: string;
  readonly exchange: Exchange;
  /** Called with what is thrown. */
  stop(reason: ConfigError): void;
}): ReasoningCheck {
  const { baseUrl, model, exchange, stop } = parts;
  let isModelsOwn = false;
  let misread: ConfigError | undefined;
  let asking: Promise<void> | undefined;

  async function find(asked: Asked, signal?: AbortSignal): Promise<void> {
    try {
      const outcome = await exchange({ ...asked, conversation: harmless, n: 1, seed: 1 }, signal);
      const [choice] = outcome instanceof Unanswered ? [] : outcome.choices;
      if (choice !== undefined && isReasoningOnly(choice) && choice.stopReason === "end") {
        stop((misread = explain(baseUrl, model)));
        return;
      }
    } catch (error) {
      if (!isUndecided(error)) throw error;
    }
    isModelsOwn = true;
  }

  return async (answer, asked, signal) => {
    isModelsOwn ||= answer.choices.some(({ text }) => text.trim() !== "");
    if (isModelsOwn || !answer.choices.some((choice) => choice.stopReason === "end")) return;
    if (misread === undefined) {
      asking ??= find(asked, signal).finally(() => (asking = undefined));
      await asking;
    }
    if (misread !== undefined) throw misread;
  };
}

function explain(baseUrl: string, model: string): ConfigError {
  return new ConfigError(
    `${baseUrl} puts whole answers into the reasoning field and leaves the text empty\n` +
      "serve the model without a reasoning parser, or with its own " +
      "(vLLM, SGLang: --reasoning-parser, llama.cpp: --reasoning-format none)",
    { baseUrl, model },
  );
}
