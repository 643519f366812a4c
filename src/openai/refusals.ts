/**
 * What a refusal means: for one conversation, or for all of them. The server's answer does not say; a harmless
 * conversation, asked in the same way, tells. See `docs/decisions/0015-one-or-all.md`.
 */
import { ConfigError, RefusedError } from "../errors.ts";
import type { Conversation } from "../tasks/prompt.ts";
import type { Address } from "./address.ts";
import type { Answer } from "./answers.ts";
import type { ContextFault } from "./context-faults.ts";
import { ModelServerError } from "./errors.ts";
import { explainRefusal, type RefusedFault } from "./faults.ts";
import type { Asked } from "./requests.ts";
import type { LastingFault } from "./retry.ts";

/** Nobody refuses it for what it says, and it fits every context. */
export const harmless: Conversation = [{ role: "user", content: "Write one line of random words." }];

/** A request that no repetition mends. */
export class Unanswered {
  readonly fault: LastingFault["fault"];
  /** Whether the server answered other requests while this one was under way. */
  readonly othersAnswered: boolean;
  constructor(fault: LastingFault["fault"], othersAnswered: boolean) {
    this.fault = fault;
    this.othersAnswered = othersAnswered;
  }
}

/** @throws ModelServerError: given up; what else ends the run. */
export type Exchange = (asked: Asked, signal?: AbortSignal) => Promise<Answer | Unanswered>;

export interface RefusalParts {
  readonly address: Address;
  readonly model: string;
  readonly exchange: Exchange;
  /** How many requests the server has answered so far. */
  answers(): number;
  listModels(): Promise<readonly string[]>;
}

export interface Refusals {
  /** @throws ConfigError once the server is known to refuse everything. */
  throwIfStopped(): void;
  /** From now on nothing is asked. */
  stop(reason: ConfigError): void;
  /** RefusedError: this conversation alone. ConfigError: all of them. ModelServerError: this kind of request. */
  judge(unanswered: Unanswered, asked: Asked, signal?: AbortSignal): Promise<Error>;
}

export function createRefusals({ address, model, exchange, answers, listModels }: RefusalParts): Refusals {
  const { baseUrl } = address;
  let stopped: ConfigError | undefined;

  /**
   * Why the server refuses everything; `null` when it does not. The harmless conversation is not asked where it cannot
   * matter: without an accepted key, an endpoint and a model nothing is answered, and words about what a conversation
   * says are about that one.
   */
  async function refusalOfAll(
    refusal: RefusedFault | ContextFault,
    asked: Asked,
    signal?: AbortSignal,
  ): Promise<RefusedFault | ContextFault | null> {
    if (asked.conversation === harmless) return refusal;
    if (refusal.kind === "refused") {
      if (refusal.reason === "content") return null;
      if (refusal.reason === "key" && answers() === 0) return refusal;
      const isUnknown = refusal.reason === "address" && answers() === 0;
      if (isUnknown && !(await listedModels(refusal))?.includes(model)) return refusal;
    }
    try {
      const outcome = await exchange({ ...asked, conversation: harmless }, signal);
      if (!(outcome instanceof Unanswered) || outcome.othersAnswered) return null;
      return outcome.fault.kind === "unsupported" ? refusal : outcome.fault;
    } catch (error) {
      if (isUndecided(error)) return null;
      throw error;
    }
  }

  async function listedModels(refusal: RefusedFault | ContextFault): Promise<readonly string[] | null> {
    if (refusal.kind !== "refused" || refusal.reason !== "address") return null;
    return listModels().catch(() => null);
  }

  const requestRefused = (text: string): ModelServerError =>
    new ModelServerError(`${baseUrl} refuses the request: ${text}`, { model });

  return {
    throwIfStopped() {
      if (stopped !== undefined) throw stopped;
    },
    stop(reason) {
      stopped ??= reason;
    },
    async judge({ fault, othersAnswered }, asked, signal) {
      if (fault.kind === "unsupported" && fault.parameter === "top_logprobs") return requestRefused(fault.text);
      const refusal =
        fault.kind === "unsupported" ? ({ kind: "refused", reason: "request", text: fault.text } as const) : fault;
      const ofAll = othersAnswered ? null : await refusalOfAll(refusal, asked, signal);
      if (ofAll === null) {
        const what = refusal.kind === "context" ? "has no room for the conversation" : "refuses the conversation";
        return new RefusedError(`${baseUrl} ${what}: ${refusal.text}`, { model });
      }
      // A server may write and yet give no log-probabilities.
      if (asked.logprobs && ofAll.kind === "refused" && ofAll.reason === "request") return requestRefused(ofAll.text);
      stopped ??= explainRefusal(ofAll, { ...address, model, listed: await listedModels(ofAll) });
      return stopped;
    },
  };
}

/** Not answered; or not in a recording, as other answers came in time when it was made. */
export function isUndecided(error: unknown): boolean {
  return error instanceof ModelServerError || error instanceof ConfigError;
}
