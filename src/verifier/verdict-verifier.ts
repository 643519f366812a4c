/**
 * The `verdict` form of a verifier's score: z(x, y) = log p(yes) − log p(no) for the first token of the answer to
 * "is this program right?". Any served language model can be asked, without training, if its server returns the
 * log-probabilities of the likeliest tokens.
 */
import { ConfigError, RefusedError, VerifierError } from "../errors.ts";
import { ModelServerError } from "../openai/errors.ts";
import { quote } from "../openai/json-fields.ts";
import type { ModelServer, TokenLogprob } from "../openai/server.ts";
import type { Conversation, PromptOptions } from "../tasks/prompt.ts";
import type { Task } from "../tasks/task.ts";
import { renderVerdictQuestion } from "./verdict-question.ts";
import type { Verifier } from "./verifier.ts";

export interface VerdictVerifierOptions extends PromptOptions {
  readonly server: ModelServer;
}

/**
 * Asks one question first, to see that the model can be asked at all. A program that does not fit the context scores
 * −∞. `close()` leaves the server open: a generator may share it. Besides VerifierError, `score` throws RefusedError and
 * what `ModelServer` throws for a run that cannot go on.
 * @throws ConfigError when the server gives no log-probabilities, or the model does not answer with a verdict.
 */
export async function createVerdictVerifier(options: VerdictVerifierOptions): Promise<Verifier> {
  const { server } = options;
  await tryOut(options);
  return {
    async score(request, signal) {
      const tokens = await likeliestVerdicts(server, renderVerdictQuestion(request, options), signal);
      if (tokens === null) return -Infinity;
      const margin = verdictMargin(tokens);
      if (margin !== null) return margin;
      throw new VerifierError(`neither yes nor no is among the likeliest first tokens: ${showTokens(tokens)}`, {
        model: server.description.model,
        task: request.task.id,
      });
    },
    close: async () => {},
  };
}

async function likeliestVerdicts(
  server: ModelServer,
  question: Conversation,
  signal?: AbortSignal,
): Promise<readonly TokenLogprob[] | null> {
  try {
    return await server.firstTokens(question, signal);
  } catch (error) {
    if (!(error instanceof ModelServerError)) throw error;
    throw new VerifierError(error.message, error.fields, { cause: error.cause });
  }
}

/**
 * log p(yes) − log p(no), each summed over its spellings among the likeliest tokens. A verdict that is not among them
 * has at most the probability of the least likely one listed, and at most what the list leaves over: it gets that
 * bound. `null` when neither is listed.
 */
export function verdictMargin(tokens: readonly TokenLogprob[]): number | null {
  // Servers that cannot write −∞ into JSON write something like −9999.
  const listed = tokens.filter(({ logprob }) => logprob > impossible);
  const yes = logSum(listed.filter(({ token }) => spelling(token) === "yes"));
  const no = logSum(listed.filter(({ token }) => spelling(token) === "no"));
  if (yes === null && no === null) return null;
  const least = listed.reduce((lowest, { logprob }) => Math.min(lowest, logprob), 0);
  const left = Math.log(Math.max(1 - Math.exp(logSum(listed)!), smallestLeft));
  const bound = Math.min(least, left);
  return (yes ?? bound) - (no ?? bound);
}

const impossible = -100;
/** Rounded log-probabilities sum to 1 or more now and then. */
const smallestLeft = 1e-9;

/** Word-initial marks of tokenizers (▁, Ġ) and white space are not part of the word. */
function spelling(token: string): string {
  return token
    .replace(/^[\s▁Ġ]+/, "")
    .trimEnd()
    .toLowerCase();
}

function logSum(tokens: readonly TokenLogprob[]): number | null {
  if (tokens.length === 0) return null;
  const largest = tokens.reduce((highest, { logprob }) => Math.max(highest, logprob), -Infinity);
  return largest + Math.log(tokens.reduce((sum, { logprob }) => sum + Math.exp(logprob - largest), 0));
}

/** A question whose answer is plain. */
const example = {
  program: "def double(x):\n    return 2 * x\n",
  task: {
    id: "example",
    prompt: "Write a function double(x) that returns twice the number x.",
    language: "python",
    entryPoint: "double",
    publicTests: [{ kind: "assert", source: "assert double(2) == 4" }],
  } satisfies Task,
};

async function tryOut(options: VerdictVerifierOptions): Promise<void> {
  const { server } = options;
  const { baseUrl, model } = server.description;
  let tokens: readonly TokenLogprob[] | null;
  try {
    tokens = await server.firstTokens(renderVerdictQuestion(example, options));
  } catch (error) {
    if (!(error instanceof ModelServerError || error instanceof RefusedError)) throw error;
    throw new ConfigError(
      `${model} cannot be a verifier: ${error.message}\n` +
        "a verdict is read from the log-probabilities of one token: use a server that returns them (vLLM, SGLang, llama.cpp)",
      { baseUrl, model },
    );
  }
  if (tokens !== null && verdictMargin(tokens) !== null) return;
  const found = tokens === null ? "the question does not fit its context" : `it begins with ${showTokens(tokens)}`;
  throw new ConfigError(
    `${model} cannot be a verifier: it does not answer a yes-or-no question with yes or no (${found})\n` +
      "use an instruction-tuned model, and serve reasoning models with their thinking switched off",
    { baseUrl, model },
  );
}

function showTokens(tokens: readonly TokenLogprob[]): string {
  return tokens
    .slice(0, 5)
    .map(({ token }) => quote(token))
    .join(", ");
}
