/** The two questions to a model server, and what is found out about it on the way. */
import { APIError } from "openai";
import { RefusedError } from "../errors.ts";
import type { Address } from "./address.ts";
import { readAnswer, readModels, type Answer, type AnsweredChoice } from "./answers.ts";
import { CarriedError, type ProtocolClient } from "./client.ts";
import { ModelServerError } from "./errors.ts";
import { AnswerError } from "./faults.ts";
import type { Meter } from "./meter.ts";
import type { Choice, CompleteRequest, ModelServer } from "./model-server.ts";
import { createReasoningCheck, isReasoningOnly } from "./reasoning-only.ts";
import { createRefusals, harmless, Unanswered } from "./refusals.ts";
import { firstDialect, giveWay, requestBody, type Asked, type Dialect } from "./requests.ts";
import { LastingFault, type Retrier } from "./retry.ts";
import { createSlots } from "./slots.ts";
import { TransportError } from "./transport.ts";

export interface CallParts {
  readonly address: Address;
  readonly api: "chat" | "completions";
  readonly model: string;
  readonly concurrency: number;
  /** Sent with every request. */
  readonly requestFields: Readonly<Record<string, unknown>>;
  readonly client: ProtocolClient;
  readonly meter: Meter;
  readonly retrier: Retrier;
  readonly log: (line: string) => void;
}

interface Found {
  choices: boolean | null;
  sampling: boolean | null;
  usage: boolean | null;
  logprobs: boolean | null;
  answeredBy: string | null;
}

export interface Calls extends Pick<ModelServer, "complete" | "firstTokens"> {
  readonly found: Readonly<Found>;
}

const noRoom: Choice = { text: "", stopReason: "no-room", tokenCount: 0 };

export function createCalls(parts: CallParts): Calls {
  const { address, api, model, client, meter, retrier, log } = parts;
  const slots = createSlots(parts.concurrency);
  const dialect = firstDialect();
  const found: Found = { choices: null, sampling: null, usage: null, logprobs: null, answeredBy: null };
  let answers = 0;
  const namesSeen = new Set<string>();

  /** One request and its answer, on the meter. */
  async function attempt(asked: Asked, sent: Dialect, signal?: AbortSignal): Promise<Answer> {
    const ticket = await meter.admit(asked.n * asked.maxTokens, signal);
    let answer: Answer;
    try {
      const body = { ...requestBody(api, model, asked, sent), ...parts.requestFields };
      answer = readAnswer(await client.ask(api, body, signal));
      if (asked.logprobs && found.logprobs === true && answer.choices[0]!.firstTokens === null) {
        throw new AnswerError("an answer without log-probabilities, which the server gave before");
      }
    } catch (error) {
      ticket.failed({ worked: mayHaveWorked(error) });
      throw error;
    }
    answers++;
    ticket.answered(answer.counts, { reasoningOnly: answer.choices.filter(isReasoningOnly).length });
    found.usage = answer.counts !== null && found.usage !== false;
    noteModel(answer.model);
    return answer;
  }

  const refusals = createRefusals({
    address,
    model,
    exchange,
    answers: () => answers,
    listModels: async () => readModels(await client.models()),
  });
  const checkReasoning = createReasoningCheck({ baseUrl: address.baseUrl, model, exchange, stop: refusals.stop });

  function noteModel(name: string | null): void {
    if (name === null) return;
    found.answeredBy = name;
    if (!namesSeen.has(name) && !name.includes(model) && !model.includes(name)) {
      log(`${address.baseUrl} was asked for ${model} and answers as ${name}`);
    }
    namesSeen.add(name);
  }

  /** Until it is answered or given up, with fewer new tokens and parameters where the server demands that. */
  function exchange(asked: Asked, signal?: AbortSignal): Promise<Answer | Unanswered> {
    return slots.hold(async () => {
      const answersBefore = answers;
      let { maxTokens } = asked;
      for (let shortened = 0; ;) {
        const sent = { ...dialect };
        try {
          return await retrier.run(() => attempt({ ...asked, maxTokens }, sent, signal), signal);
        } catch (error) {
          if (!(error instanceof LastingFault)) throw error;
          const { fault } = error;
          const fewer = fault.kind === "context" ? fewerTokens(maxTokens, fault.room) : null;
          if (fewer !== null && shortened++ < mostShortenings) maxTokens = fewer;
          else if (!doesWithout(fault, asked, sent)) return new Unanswered(fault, answers > answersBefore);
        }
      }
    }, signal);
  }

  function doesWithout(fault: LastingFault["fault"], asked: Asked, sent: Dialect): boolean {
    if (fault.kind !== "unsupported" || (fault.parameter === "top_logprobs" && !asked.logprobs)) return false;
    return giveWay(dialect, sent, fault.parameter);
  }

  /**
   * `null` when there is no room for an answer.
   * @throws RefusedError: this conversation alone; LastingFault about `n` alone; as `ModelServer.complete`.
   */
  async function ask(asked: Asked, signal?: AbortSignal): Promise<Answer | null> {
    refusals.throwIfStopped();
    const outcome = await exchange(asked, signal);
    if (!(outcome instanceof Unanswered)) return outcome;
    const { fault } = outcome;
    if (fault.kind === "unsupported" && fault.parameter === "n" && asked.n > 1) throw new LastingFault(fault);
    // A longer conversation loses turns, and a program that is too long for a verifier has a score.
    if (fault.kind === "context" && (asked.logprobs || asked.conversation.length > 1)) return null;
    throw await refusals.judge(outcome, asked, signal);
  }

  /**
   * Whether `n` gives several different choices, found out once by a small request. It is the same in every run, so
   * that a replay finds its answer, whichever item asked first.
   */
  let probing: Promise<void> | undefined;
  async function givesChoices(signal?: AbortSignal): Promise<boolean> {
    if (found.choices === null) {
      probing ??= probe(signal).finally(() => {
        probing = undefined;
      });
      await probing;
    }
    return found.choices === true;
  }

  async function probe(signal?: AbortSignal): Promise<void> {
    const together = await probeOnce({ n: choiceProbe.n, seed: 1 }, signal);
    if (together.length === choiceProbe.n && new Set(together).size > 1) {
      found.sampling = true;
      found.choices = true;
      return;
    }
    // Equal choices may come from one seed that served all of them, or from a server that does not sample at all.
    const [alone] = await probeOnce({ n: 1, seed: 2 }, signal);
    if (alone !== undefined && together.length > 0) {
      found.sampling = alone !== together[0];
      if (!found.sampling) {
        log(
          `${address.baseUrl} gives the same text whatever the seed, at temperature 1: is its sampling switched off?`,
        );
      }
    }
    found.choices = false;
    log(`${address.baseUrl} does not give several choices per request (n): asking for each by itself`);
  }

  /** The texts of the probe's choices; none when the server refuses it for the way in which it is asked. */
  async function probeOnce(asked: Pick<Asked, "n" | "seed">, signal?: AbortSignal): Promise<string[]> {
    refusals.throwIfStopped();
    const question = { ...choiceProbe, ...asked };
    try {
      const outcome = await exchange(question, signal);
      if (!(outcome instanceof Unanswered)) {
        return outcome.choices.map(({ text, reasoning }) => `${reasoning ?? ""}\n${text}`);
      }
      if (dependsOnRequest(outcome.fault)) return [];
      throw await refusals.judge(outcome, question, signal);
    } catch (error) {
      if (error instanceof ModelServerError || error instanceof RefusedError) return [];
      throw error;
    }
  }

  async function askOne(request: CompleteRequest, seed: number, signal?: AbortSignal): Promise<Choice> {
    const { conversation, temperature, maxTokens } = request;
    const asked = { conversation, temperature, maxTokens, seed, n: 1 };
    const answer = await ask(asked, signal);
    if (answer === null) return noRoom;
    await checkReasoning(answer, asked, signal);
    return toChoice(answer.choices[0]!, answer.counts?.completionTokens ?? null);
  }

  /** As many of the first seeds' choices as the server gives for `n`; the others are asked for one by one. */
  async function askTogether(request: CompleteRequest, signal?: AbortSignal): Promise<Choice[]> {
    const { conversation, temperature, maxTokens, seeds } = request;
    const choices: Choice[] = [];
    while (seeds.length - choices.length > 1 && (await givesChoices(signal))) {
      const n = seeds.length - choices.length;
      try {
        const asked = { conversation, temperature, maxTokens, seed: seeds[choices.length]!, n };
        const answer = await ask(asked, signal);
        if (answer === null) return seeds.map(() => noRoom);
        await checkReasoning(answer, asked, signal);
        choices.push(...answer.choices.slice(0, n).map((choice) => toChoice(choice, null)));
        if (answer.choices.length === 1) found.choices = false;
      } catch (error) {
        if (!(error instanceof LastingFault)) throw error;
        found.choices = false;
      }
    }
    return choices;
  }

  return {
    found,
    async complete(request, signal) {
      const { seeds } = request;
      // Greedy answers do not depend on the seed: one is asked for, whoever wants it.
      if (request.temperature === 0 && seeds.length > 0) {
        const choice = await askOne(request, seeds[0]!, signal);
        return seeds.map(() => choice);
      }
      const choices = await askTogether(request, signal);
      return [...choices, ...(await all(seeds.slice(choices.length).map((seed) => askOne(request, seed, signal))))];
    },
    async firstTokens(conversation, signal) {
      // At temperature 1 the probabilities are the model's own, wherever the server applies the temperature.
      const asked = { conversation, n: 1, seed: 0, temperature: 1, maxTokens: 1, logprobs: true };
      const answer = await ask(asked, signal);
      if (answer === null) return null;
      const tokens = answer.choices[0]!.firstTokens;
      found.logprobs = tokens !== null || found.logprobs === true;
      if (tokens === null) throw new ModelServerError(`${address.baseUrl} gives no log-probabilities`, { model });
      return [...tokens];
    },
  };
}

const choiceProbe = {
  conversation: harmless,
  n: 3,
  temperature: 1,
  maxTokens: 24,
};

const mostShortenings = 5;

/**
 * What to ask for when conversation and new tokens exceed the context: the room that is left where the server says it,
 * else half as much, down to a length at which no program fits. `null`: the conversation alone fills the context.
 */
function fewerTokens(maxTokens: number, room: number | null): number | null {
  if (room !== null) return room === 0 ? null : Math.max(1, Math.min(room, maxTokens - 1));
  const half = Math.floor(maxTokens / 2);
  return half < 32 ? null : half;
}

/** A refusal that another `n` or another number of new tokens may avoid. */
function dependsOnRequest(fault: LastingFault["fault"]): boolean {
  return fault.kind === "unsupported" || (fault.kind === "refused" && ["request", "content"].includes(fault.reason));
}

function toChoice({ text, reasoning, stopReason }: AnsweredChoice, tokenCount: number | null): Choice {
  return { text, ...(reasoning !== undefined && { reasoning }), stopReason, tokenCount };
}

/** A refusal costs no tokens, nor does a server that was not reached; whatever else failed may have cost all of them. */
function mayHaveWorked(error: unknown): boolean {
  if (!(error instanceof APIError)) return true;
  if (error.status !== undefined) return false;
  const carried = error.cause instanceof CarriedError ? error.cause.carried : undefined;
  return !(carried instanceof TransportError && carried.kind === "unreachable");
}

/** Waits for all, then gives the first failure: nothing goes on behind the caller's back. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  const failed = settled.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  return settled.map((outcome) => (outcome as PromiseFulfilledResult<T>).value);
}
