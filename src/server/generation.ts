/** One request for text, whichever endpoint it came by, and the choices that answer it. */
import { allSettled } from "../concurrency.ts";
import type { SampledToken, SampleRequest, TrainableModel } from "../engine/engine.ts";
import { deriveSeed } from "../random.ts";
import { ChoiceText, type ChoiceToken, type FinishReason } from "./choice-text.ts";

export interface Generation {
  /** Each 1 to contextLength − 1 tokens. */
  readonly prompts: readonly Int32Array[];
  /** n: choices per prompt. */
  readonly choicesPerPrompt: number;
  /** Unsigned 32-bit. */
  readonly seed: number;
  /** 0 is greedy. */
  readonly temperature: number;
  /** 1 draws from all tokens. */
  readonly topP: number;
  /** New tokens per choice, at most; 0 samples nothing. */
  readonly maxTokens: number;
  /** A choice ends before the first of these texts. */
  readonly stop: readonly string[];
  /** How many alternatives to tell of each token; `null`: no log-probabilities at all. */
  readonly topLogprobs: number | null;
}

/** A piece of one choice's text, with the tokens that begin in it. */
export interface ChoiceDelta {
  /** promptIndex · choicesPerPrompt + the choice's index within its prompt. */
  readonly choiceIndex: number;
  readonly text: string;
  readonly tokens: readonly ChoiceToken[];
  /** With a choice's last piece. */
  readonly finishReason: FinishReason | null;
}

export interface Usage {
  readonly promptTokens: number;
  /** Sampled tokens, end tokens and those of stop texts included. */
  readonly completionTokens: number;
}

/**
 * The seed of a choice: the request's own for the first, else derived from it and the index, so that choice i of a
 * request does not depend on how many were asked for.
 */
export function choiceSeed(seed: number, index: number): number {
  return index === 0 ? seed : deriveSeed(seed, "choice", index);
}

/** Samples all choices, telling of each piece of text as it comes. */
export async function generate(
  model: TrainableModel,
  request: Generation,
  onDelta: (delta: ChoiceDelta) => void,
  signal: AbortSignal,
): Promise<Usage> {
  const { prompts, choicesPerPrompt, maxTokens } = request;
  let completionTokens = 0;
  const seeds = Array.from({ length: choicesPerPrompt }, (_, index) => choiceSeed(request.seed, index));
  const sampleOf = (tokens: Int32Array, promptIndex: number): Promise<unknown> => {
    const choices = seeds.map(() => new ChoiceText(model.tokenizer, request.stop));
    const onToken = (sampled: SampledToken): "stop" | undefined => {
      completionTokens++;
      const choice = choices[sampled.sampleIndex]!;
      const piece = choice.add(sampled);
      if (piece.text !== "" || piece.tokens.length > 0 || piece.finishReason !== null) {
        onDelta({ choiceIndex: promptIndex * choicesPerPrompt + sampled.sampleIndex, ...piece });
      }
      return choice.stopped ? "stop" : undefined;
    };
    const sampling: SampleRequest = {
      tokens,
      seeds,
      temperature: request.temperature,
      maxTokens,
      topP: request.topP,
      topLogprobs: request.topLogprobs ?? 0,
      onToken,
    };
    return model.sample(sampling, signal);
  };
  if (maxTokens > 0) await allSettled(prompts.map(sampleOf));
  return { promptTokens: prompts.reduce((sum, prompt) => sum + prompt.length, 0), completionTokens };
}

/** A choice in one piece. */
export type Choice = ChoiceDelta & { readonly finishReason: FinishReason };

/** Puts the pieces of choices together; `choices[choiceIndex]`. */
export function collectChoices(deltas: readonly ChoiceDelta[], count: number): Choice[] {
  const parts = Array.from({ length: count }, (): ChoiceDelta[] => []);
  for (const delta of deltas) parts[delta.choiceIndex]!.push(delta);
  return parts.map((pieces, choiceIndex) => ({
    choiceIndex,
    text: pieces.map(({ text }) => text).join(""),
    tokens: pieces.flatMap(({ tokens }) => tokens),
    finishReason: pieces.at(-1)?.finishReason ?? "length",
  }));
}
