/** What every client of a model server stands on: its address, the way there, the policy for failures, the count. */
import { replayClock, systemClock, type Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";
import { resolveAddress, type Address } from "./address.ts";
import { createProtocolClient, type ProtocolClient } from "./client.ts";
import { classifyFault } from "./faults.ts";
import { createMeter, type Meter } from "./meter.ts";
import type { ModelServerOptions } from "./model-server.ts";
import { recordExchanges, replayExchanges } from "./recording.ts";
import { balanceReplicas } from "./replicas.ts";
import { createRetrier, type Retrier } from "./retry.ts";
import { createRedactor, redactResponses, type Redactor } from "./secrets.ts";
import { createHttpTransport, type Transport } from "./transport.ts";

/** What tests put in the place of the machine's own. */
export interface Surroundings {
  readonly clock?: Clock;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface Connection {
  readonly address: Address;
  readonly client: ProtocolClient;
  readonly retrier: Retrier;
  readonly meter: Meter;
  /** Blacks keys out. */
  readonly log: (line: string) => void;
  close(): Promise<void>;
}

/** Sends nothing. @throws ConfigError for options that cannot be used; StoreError for a recording that cannot. */
export async function openConnection(options: ModelServerOptions, surroundings: Surroundings): Promise<Connection> {
  checkOptions(options);
  const address = resolveAddress({ ...options, environment: surroundings.environment ?? process.env });
  const redactor = createRedactor(address.secrets);
  const log = (line: string): void => options.log?.(redactor.message(line));
  const clock = options.replay === undefined ? (surroundings.clock ?? systemClock) : replayClock;
  const transport = await openTransport(options, redactor, clock);
  const { retries = 5, pauseLimitMs = 300_000 } = options;
  const retrier = createRetrier({ retries, pauseLimitMs, clock, log, name: address.baseUrl }, (error) =>
    classifyFault(error, clock.now()),
  );
  const client = createProtocolClient(address, transport);
  return { address, client, retrier, meter: createMeter(options), log, close: () => transport.close() };
}

async function openTransport(options: ModelServerOptions, redactor: Redactor, clock: Clock): Promise<Transport> {
  if (options.replay !== undefined) return replayExchanges(options.replay);
  const http = createHttpTransport({ timeoutMs: options.requestTimeoutMs ?? 300_000, clock });
  const balanced = options.replicas === undefined ? http : balanceReplicas(http, options.replicas, clock);
  const clean = redactResponses(balanced, redactor);
  return options.record === undefined ? clean : recordExchanges(clean, options.record);
}

/** Whole numbers, with the least that makes sense. */
const limits = {
  requestTimeoutMs: 1,
  concurrency: 1,
  retries: 0,
  pauseLimitMs: 0,
  maxRequests: 1,
  maxTokens: 1,
} as const;

function checkOptions(options: ModelServerOptions): void {
  for (const [key, least] of Object.entries(limits)) {
    const value = options[key as keyof typeof limits];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) {
      throw new ConfigError(`${key} is ${value}: give a whole number of at least ${least}`, { key, value });
    }
  }
  for (const [key, value] of Object.entries(options.prices ?? {})) {
    if (!(Number.isFinite(value) && value >= 0)) {
      throw new ConfigError(`the price ${key} is ${value}: give a number of at least 0`, { key, value });
    }
  }
  if (options.record !== undefined && options.replay !== undefined) {
    throw new ConfigError("record and replay exclude each other: a replay is on record already", { key: "record" });
  }
}
