/**
 * The policy for failed requests. One that fails by itself is sent again a few times, then given up: it costs its item.
 * A server that serves nobody is waited for: the run pauses, up to a limit, then stops with its work kept.
 */
import { StopRunError } from "../errors.ts";
import type { Clock } from "../clock.ts";
import { ModelServerError } from "./errors.ts";
import type { Fault } from "./faults.ts";

export interface RetryOptions {
  readonly retries: number;
  readonly pauseLimitMs: number;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** The server, for messages. */
  readonly name: string;
}

/** Thrown for faults that no repetition mends; whoever asked decides. */
export class LastingFault extends Error {
  readonly fault: Exclude<Fault, { kind: "passing" | "foreign" }>;
  constructor(fault: LastingFault["fault"]) {
    super(fault.kind);
    this.fault = fault;
  }
}

export interface Retrier {
  /** @throws LastingFault; ModelServerError: given up; StopRunError: the server stays away, from then on always. */
  run<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** When a request failed for the first time, and how many answers to others had come by then. */
interface FirstFailure {
  readonly since: number;
  readonly answers: number;
}

const firstWaitMs = 500;
const longestWaitMs = 30_000;

export function createRetrier(options: RetryOptions, classify: (error: unknown) => Fault): Retrier {
  const { retries, pauseLimitMs, clock, log, name } = options;
  let answers = 0;
  let pausedSince: number | null = null;
  let stopped: StopRunError | undefined;

  const answered = (): void => {
    answers++;
    if (pausedSince === null) return;
    log(`${name} answers again after ${seconds(clock.now() - pausedSince)}; going on`);
    pausedSince = null;
  };

  /** How long to wait before the same request is sent again. @throws when it is not. */
  const nextWait = (fault: Extract<Fault, { kind: "passing" }>, failures: number, first: FirstFailure): number => {
    const { since } = first;
    const now = clock.now();
    // Half of each wait is random, so that requests that failed together do not come back together.
    const backOff = Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - 1)) * (0.5 + clock.random() / 2);
    const wait = Math.max(backOff, fault.retryAfterMs ?? 0);
    const servesOthers = answers > first.answers;
    if (failures > retries && (fault.extent === "request" || (fault.extent === "server" && servesOthers))) {
      throw new ModelServerError(`${name} failed ${failures} times: ${fault.text}`, { attempts: failures });
    }
    if (now + wait - since > pauseLimitMs) {
      const text = `${name} was waited for ${seconds(now - since)}: ${fault.text}`;
      if (servesOthers || fault.extent === "request") throw new ModelServerError(text, { attempts: failures });
      const limit = `the limit for pauses is ${seconds(pauseLimitMs)}`;
      stopped = new StopRunError(
        `${text}\n${limit}${fault.retryAfterMs === null ? "" : `, and it asks to wait ${seconds(fault.retryAfterMs)}`}; ` +
          `what is finished is kept: run again when the server answers`,
        { attempts: failures },
      );
      throw stopped;
    }
    if (fault.extent !== "request" && failures > retries && pausedSince === null) {
      pausedSince = since;
      log(`${name} does not answer (${fault.text}); pausing for up to ${seconds(pauseLimitMs)}`);
    }
    return wait;
  };

  return {
    async run(attempt, signal) {
      let first: FirstFailure = { since: 0, answers: 0 };
      for (let failures = 0; ;) {
        signal?.throwIfAborted();
        if (stopped !== undefined) throw stopped;
        try {
          const result = await attempt();
          answered();
          return result;
        } catch (error) {
          signal?.throwIfAborted();
          const fault = classify(error);
          if (fault.kind === "foreign") throw fault.error;
          if (fault.kind !== "passing") throw new LastingFault(fault);
          if (failures++ === 0) first = { since: clock.now(), answers };
          await clock.sleep(nextWait(fault, failures, first), signal);
        }
      }
    },
  };
}

function seconds(durationMs: number): string {
  return durationMs < 120_000 ? `${Math.round(durationMs / 1000)} s` : `${Math.round(durationMs / 60_000)} min`;
}
