/**
 * The `head` form of a verifier's score on a server: a sequence-classification checkpoint with one label, as trainers of
 * reward models write and vLLM and SGLang serve it. Prompt and program become the tokens that the embedded engine reads.
 */
import { ConfigError, VerifierError } from "../errors.ts";
import type { ClassificationServer } from "../openai/classification-server.ts";
import { ModelServerError } from "../openai/errors.ts";
import { scoreData, type SequenceLimits } from "./score-forms.ts";
import type { VerifierSettings } from "./verifier-files.ts";
import type { ScoreRequest, Verifier } from "./verifier.ts";

export interface ClassificationVerifierOptions {
  /** Of the checkpoint that is served. */
  readonly model: SequenceLimits;
  readonly settings: VerifierSettings;
  /** Programs sent in one request at most. Default 32. */
  readonly batchSize?: number;
}

interface Waiting {
  readonly tokens: Int32Array;
  readonly request: ScoreRequest;
  readonly resolve: (score: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Programs that wait at the same time go into common requests. One that does not fit the context scores −∞. Takes over
 * the server: `close()` closes it.
 * @throws ConfigError for a verifier whose score is read in another way.
 */
export function createClassificationVerifier(
  server: ClassificationServer,
  options: ClassificationVerifierOptions,
): Verifier {
  const { model, settings, batchSize = 32 } = options;
  assertHead(settings);
  let waiting: Waiting[] = [];
  const closing = new AbortController();

  const send = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const scores = await server.classify(
        batch.map(({ tokens }) => tokens),
        closing.signal,
      );
      batch.forEach(({ request, resolve, reject }, index) => {
        const score = scores[index]!;
        if (score instanceof Error) reject(toVerifierError(score, server, request));
        else resolve((score ?? -Infinity) + settings.bias);
      });
    } catch (error) {
      for (const { request, reject } of batch) reject(toVerifierError(error, server, request));
    }
  };

  const flush = (): void => {
    while (waiting.length > 0) void send(waiting.splice(0, batchSize));
  };

  return {
    async score(request, signal) {
      signal?.throwIfAborted();
      const data = scoreData(request, model, { form: "head", showPublicTests: settings.showPublicTests });
      if (data === null) return -Infinity;
      return new Promise<number>((resolve, reject) => {
        if (waiting.length === 0) setTimeout(flush, 0);
        waiting.push({ tokens: data[0]!.tokens, request, resolve, reject });
      });
    },
    async close() {
      closing.abort(new DOMException("the verifier is closed", "AbortError"));
      await server.close();
    },
  };
}

/** Two sequences of different lengths in the form of any scored program: to find out what a server gives. */
export function exampleSequences(model: SequenceLimits): Int32Array[] {
  return ["pass", "return 0", "x = 1\nwhile x:\n    x += 1", "import os\nprint(os)"].map((program) =>
    model.tokenizer.encodeChat(
      [
        { role: "user", content: "Write a program." },
        { role: "assistant", content: program },
      ],
      { addGenerationPrompt: false },
    ),
  );
}

function assertHead(settings: VerifierSettings): void {
  if (settings.form === "head") return;
  throw new ConfigError(
    `a verifier whose score is a ${settings.form} has no classification head: train it with --verifier.form head, or score it embedded`,
    { form: settings.form },
  );
}

function toVerifierError(error: unknown, server: ClassificationServer, { task }: ScoreRequest): unknown {
  if (!(error instanceof ModelServerError)) return error;
  const { model } = server.description;
  return new VerifierError(error.message, { ...error.fields, model, task: task.id }, { cause: error.cause });
}
