/** Documents from which a base model for mubpp is pretrained: conversations that end in a right program. */
import { createRandom } from "../../random.ts";
import { renderPrompt, type Message } from "../prompt.ts";
import { drawTask, type GeneratedTask } from "./generate.ts";
import { DEFAULT_PUBLIC_TEST_CANDIDATES, toTask } from "./mubpp.ts";
import { drawWrongAttempt, type WrongAttempt } from "./wrong-attempts.ts";

export interface PretrainingDocument {
  /** Context only: the prompt, then for each earlier attempt its program and the feedback on it. */
  readonly conversation: readonly Message[];
  /** The gold program, without the line break at its end: what the loss is taken on. */
  readonly completion: string;
}

export interface PretrainingDocumentOptions {
  readonly seed: number;
  /** Share of the documents whose prompt shows the public test. Default 0.1. */
  readonly showPublicTestsShare?: number;
  /** Share of the documents with one or two earlier attempts that fail the public test. Default 0.03. */
  readonly multiTurnShare?: number;
  /** As in the suite. */
  readonly publicTestCandidates?: number;
}

/** Mistakes drawn in search of one or two that fail the public test. */
const MISTAKE_DRAWS = 12;

/** An endless stream from the split `pretrain`; equal options give equal documents. */
export function* createPretrainingDocuments(
  options: PretrainingDocumentOptions,
): Generator<PretrainingDocument, never> {
  const {
    seed,
    showPublicTestsShare = 0.1,
    multiTurnShare = 0.03,
    publicTestCandidates = DEFAULT_PUBLIC_TEST_CANDIDATES,
  } = options;
  for (let draw = 0; ; draw++) {
    const random = createRandom("mubpp pretraining", seed, draw);
    const generated = drawTask(random, { split: "pretrain", publicTestCandidates });
    if (generated === undefined) continue;
    const task = toTask(`mubpp/pretrain/${draw}`, generated);
    const prompt = renderPrompt(task, { showPublicTests: random() < showPublicTestsShare });
    const conversation: Message[] = [{ role: "user", content: prompt }];
    if (random() < multiTurnShare) {
      for (const { program, feedback } of drawHistory(random, generated)) {
        conversation.push({ role: "assistant", content: program.trimEnd() }, { role: "user", content: feedback });
      }
    }
    yield { conversation, completion: generated.goldProgram.trimEnd() };
  }
}

/** One or two (1:2 in favour of one) different wrong attempts; none where no mistake shows in the public test. */
function drawHistory(random: () => number, generated: GeneratedTask): WrongAttempt[] {
  const count = random() < 1 / 3 ? 2 : 1;
  const attempts: WrongAttempt[] = [];
  for (let i = 0; i < MISTAKE_DRAWS && attempts.length < count; i++) {
    const attempt = drawWrongAttempt(random, generated);
    if (attempt && attempts.every(({ program }) => program !== attempt.program)) attempts.push(attempt);
  }
  return attempts;
}
