/** Trains a base model from scratch on an endless stream of documents: loss on the completions alone, one epoch. */
import type { Datum, TrainableModel } from "../engine/engine.ts";
import { deriveSeed } from "../random.ts";
import type { Conversation } from "../tasks/prompt.ts";
import { planBatches } from "./batches.ts";
import { adamW, averagedOverTokens, completionDatum } from "./fit-generator.ts";
import { cosineSchedule } from "./schedule.ts";

export interface PretrainingDocument {
  readonly conversation: Conversation;
  readonly completion: string;
}

export interface PretrainSettings {
  readonly steps: number;
  readonly batchSize: number;
  /** Peak rate. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly seed: number;
}

/** Steps between two saved states; documents are drawn, sorted by length and batched in chunks of as many batches. */
export const STEPS_PER_CHUNK = 64;

export interface PretrainParts {
  /** Documents of a chunk: depends on the chunk's index alone, so that a resumed run sees the same ones. */
  readonly documents: (request: {
    readonly chunkIndex: number;
    readonly count: number;
    readonly seed: number;
  }) => readonly PretrainingDocument[];
  /** Called after each chunk with the number of steps done; whoever resumes passes it as `startStep`. */
  readonly onChunk: (stepsDone: number) => Promise<void>;
  readonly onStep?: (step: { readonly done: number; readonly loss: number; readonly tokens: number }) => void;
  readonly signal?: AbortSignal;
}

/** `startStep` is a multiple of {@link STEPS_PER_CHUNK}. */
export async function pretrain(
  model: TrainableModel,
  settings: PretrainSettings,
  startStep: number,
  parts: PretrainParts,
): Promise<void> {
  for (let done = startStep; done < settings.steps;) {
    const chunkIndex = done / STEPS_PER_CHUNK;
    const steps = Math.min(STEPS_PER_CHUNK, settings.steps - done);
    const seed = deriveSeed(settings.seed, "chunk", chunkIndex);
    const documents = parts.documents({ chunkIndex, count: steps * settings.batchSize, seed });
    const data = documents.map((document) => completionDatum(model, document)).filter((datum) => datum !== null);
    for (const batch of planBatches(data, datumLength, { batchSize: settings.batchSize, epochs: 1, seed })) {
      parts.signal?.throwIfAborted();
      const { loss } = await model.forwardBackward(averagedOverTokens(batch), parts.signal);
      const rate = settings.learningRate * cosineSchedule(done, settings.steps, settings.warmupSteps);
      await model.optimizerStep(adamW(settings, rate));
      done++;
      parts.onStep?.({ done, loss, tokens: batch.reduce((sum, datum) => sum + datum.tokens.length, 0) });
    }
    // Documents that do not fit the context make a chunk a step shorter; the next one still starts on its own boundary.
    done = Math.min(settings.steps, (chunkIndex + 1) * STEPS_PER_CHUNK);
    await parts.onChunk(done);
  }
}

function datumLength(datum: Datum): number {
  return datum.tokens.length;
}
