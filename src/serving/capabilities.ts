/** What a server of the run can do, found out by asking and said once: the protocol promises more than servers keep. */
import { RefusedError } from "../errors.ts";
import { ModelServerError } from "../openai/errors.ts";
import type { ModelServer } from "../openai/server.ts";

const conversation = [{ role: "user", content: "Write one line of random words." }] as const;

export interface ServedCapabilities {
  /** Several choices per request (`n`); `null` where the server did not answer. */
  readonly choices: boolean | null;
  /** Whether another seed gives another text. */
  readonly sampling: boolean | null;
  /** How many of the likeliest tokens come with a position; 0: no log-probabilities. */
  readonly topLogprobs: number;
  readonly usage: boolean | null;
}

/** @throws what `ModelServer.complete` throws when the server does not write at all. */
export async function findCapabilities(server: ModelServer, signal?: AbortSignal): Promise<ServedCapabilities> {
  await server.complete({ conversation, seeds: [1, 2], temperature: 1, maxTokens: 8 }, signal);
  const topLogprobs = await countLogprobs(server, signal);
  const { choices, sampling, usage } = server.description.capabilities;
  return { choices, sampling, topLogprobs, usage };
}

async function countLogprobs(server: ModelServer, signal?: AbortSignal): Promise<number> {
  try {
    return (await server.firstTokens(conversation, signal))?.length ?? 0;
  } catch (error) {
    if (error instanceof ModelServerError || error instanceof RefusedError) return 0;
    throw error;
  }
}

export function describeCapabilities({ choices, sampling, topLogprobs, usage }: ServedCapabilities): string {
  return [
    choices === true ? "several choices per request" : "one choice per request",
    ...(sampling === false ? ["the same text whatever the seed"] : []),
    topLogprobs > 0 ? `log-probabilities of ${topLogprobs} tokens` : "no log-probabilities",
    usage === true ? "token counts" : "no token counts",
  ].join(", ");
}
