/**
 * The `likelihood` form of a verifier's score: z(x, y) = Σ_t log p(y_t | x, y_<t) over the program's tokens, under a
 * language model tuned so that right programs of a task get more of it than wrong ones. Of the forms tried at
 * 1-2 M parameters it ranked best.
 */
import type { Datum, Tokenizer } from "../engine/engine.ts";
import type { PromptOptions } from "../tasks/prompt.ts";
import { renderPrompt } from "../tasks/prompt.ts";
import type { ScoreRequest } from "./verifier.ts";

/**
 * The sequence whose weighted log-probability is the score: weight 1 on the program's tokens and its end, 0 on the
 * prompt. The verifier sees the prompt and one program, nothing else. `null` when it does not fit the context.
 */
export function likelihoodDatum(
  request: ScoreRequest,
  model: { readonly tokenizer: Tokenizer; readonly contextLength: number },
  options: PromptOptions,
): Datum | null {
  const prompt = { role: "user", content: renderPrompt(request.task, options) } as const;
  const answer = { role: "assistant", content: request.program.trimEnd() } as const;
  const promptLength = model.tokenizer.encodeChat([prompt], { addGenerationPrompt: true }).length;
  const tokens = model.tokenizer.encodeChat([prompt, answer], { addGenerationPrompt: false });
  if (tokens.length > model.contextLength) return null;
  return { tokens, weights: new Float32Array(tokens.length).fill(1, promptLength) };
}

/** The score: the weighted sum of a datum's log-probabilities, nats. */
export function likelihoodScore(datum: Datum, logprobs: Float32Array): number {
  let score = 0;
  for (let t = 0; t < logprobs.length; t++) score += datum.weights[t]! * logprobs[t]!;
  return score;
}
