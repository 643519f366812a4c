/** One server of a model: started, waited for, started again when it ends by itself, stopped. */
import { get } from "node:http";
import { join } from "node:path";
import type { RoleServing, ServingRole } from "../config/serving-schema.ts";
import { joinWords } from "../config/words.ts";
import { ConfigError } from "../errors.ts";
import {
  describeExit,
  startManagedProcess,
  type ManagedProcess,
  type ProcessExit,
} from "../processes/managed-process.ts";
import type { CheckpointKind } from "./checkpoint-kind.ts";
import { freePort, isFree } from "./ports.ts";
import { planLaunch, type Launch, type StartedKind } from "./presets.ts";
import { endedError, servingError, type ServingError } from "./serving-error.ts";

export interface ReplicaOptions {
  readonly role: ServingRole;
  readonly kind: StartedKind;
  readonly classifies: boolean;
  readonly settings: RoleServing;
  readonly checkpoint: CheckpointKind;
  /** From 0. */
  readonly index: number;
  /** Directories for the server's log and for its record. */
  readonly logs: string;
  readonly records: string;
  readonly signal?: AbortSignal | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export interface Replica {
  /** `null` while it does not serve. */
  readonly baseUrl: string | null;
  /** What to call the model. */
  readonly model: string;
  readonly requestFields: Launch["requestFields"];
  /** Why it will not serve any more. */
  readonly failure: ServingError | null;
  /** Of the running process, for reports. */
  readonly pid: number | null;
  stop(): Promise<void>;
}

const pollEveryMs = 250;
const healthTimeoutMs = 5000;
const portAttempts = 5;
/** One that served for this long and ended has its restarts back. */
const soundAfterMs = 10 * 60_000;
const firstRestartMs = 1000;
const longestRestartMs = 60_000;

/**
 * Resolves when it serves.
 * @throws ServingError when it ends or stays silent; ConfigError when its program or its port cannot be had; the
 * signal's reason.
 */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const { role, index, settings } = options;
  const say = (line: string): void => options.log?.(`the ${role}'s server ${index + 1}: ${line}`);
  const stopping = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal;
  let running: Running | null = null;
  let failure: ServingError | null = null;

  let current = await launch(options, signal);
  running = current;
  const { model, requestFields } = current.launch;

  /** Starts it again whenever it ends, as often as the configuration allows in a row. */
  const watch = async (): Promise<void> => {
    let restarts = 0;
    for (;;) {
      const since = performance.now();
      const exit = await current.process.exited;
      running = null;
      if (stopping.signal.aborted) return;
      if (performance.now() - since > soundAfterMs) restarts = 0;
      const ended = servingError(role, `${describeExit(exit)} while it served`, current.process);
      for (;;) {
        if (restarts >= settings.restarts) {
          failure = ended;
          say(`${describeExit(exit)}; it was started again ${restarts} times and is given up`);
          return;
        }
        const waitMs = Math.min(longestRestartMs, firstRestartMs * 2 ** restarts++);
        say(`${describeExit(exit)}; starting it again (log: ${current.process.logFile})`);
        try {
          await pause(waitMs, signal);
          current = await launch(options, signal);
          running = current;
          say(`serves again at ${current.launch.baseUrl}`);
          break;
        } catch (error) {
          if (signal.aborted) return;
          say(error instanceof Error ? error.message : String(error));
        }
      }
    }
  };
  const watching = watch();

  return {
    get baseUrl() {
      return running?.launch.baseUrl ?? null;
    },
    model,
    requestFields,
    get failure() {
      return failure;
    },
    get pid() {
      return running?.process.pid ?? null;
    },
    async stop() {
      stopping.abort(new DOMException("the server is stopped", "AbortError"));
      await current.process.stop();
      await watching;
    },
  };
}

interface Running {
  readonly launch: Launch;
  readonly process: ManagedProcess;
}

/** One start, with other ports when somebody else takes the one that was free. */
async function launch(options: ReplicaOptions, signal: AbortSignal): Promise<Running> {
  const { role, kind, settings, index } = options;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const port = await choosePort(options);
    const plan = planLaunch(kind, { ...options, port, replica: index });
    const process = await startManagedProcess({
      command: plan.command,
      environment: plan.environment,
      logFile: serverLog(options.logs, role, index),
      records: options.records,
    });
    try {
      await untilHealthy(process, plan, options, signal);
      return { launch: plan, process };
    } catch (error) {
      await process.stop();
      const portTaken = settings.port === 0 && error instanceof EndedEarly && saysPortTaken(process.lastLines());
      if (portTaken && attempt < portAttempts) continue;
      throw error instanceof EndedEarly ? explainEnd(error.exit, process, options) : error;
    }
  }
}

/** @throws ConfigError when the configured port is taken. */
async function choosePort({ role, settings, index }: ReplicaOptions): Promise<number> {
  if (settings.port === 0) return freePort();
  const port = settings.port + index;
  if (await isFree(port)) return port;
  const key = `serving.${role}.port`;
  throw new ConfigError(
    `${key}: another program listens on port ${port}, which the ${role}'s server ${index + 1} is to have; end it, or take another port, or 0 for any that is free`,
    { key, port },
  );
}

/** It ended before it served. */
class EndedEarly extends Error {
  readonly exit: ProcessExit;
  constructor(exit: ProcessExit) {
    super(describeExit(exit));
    this.exit = exit;
  }
}

function explainEnd(exit: ProcessExit, process: ManagedProcess, { role }: ReplicaOptions): Error {
  if (exit.kind !== "not-started") return endedError(role, exit, process);
  const [program] = process.command;
  const key = `serving.${role}.executable`;
  return new ConfigError(
    `the ${role}'s server could not be started: ${exit.code === "ENOENT" ? `there is no program ${program}` : exit.message}; name it by ${key}\n  command: ${joinWords(process.command)}`,
    { key, program, code: exit.code },
  );
}

function saysPortTaken(lines: readonly string[]): boolean {
  return lines.some((line) => /EADDRINUSE|address already in use|port \d+ .*\bin use/i.test(line));
}

/** @throws EndedEarly; ServingError when it does not answer in time; the signal's reason. */
async function untilHealthy(
  process: ManagedProcess,
  { healthUrl }: Launch,
  { role, settings }: ReplicaOptions,
  signal: AbortSignal,
): Promise<void> {
  const limitMs = settings.startLimit * 1000;
  const deadline = performance.now() + limitMs;
  let exit: ProcessExit | undefined;
  const ended = process.exited.then((found) => {
    exit = found;
  });
  for (;;) {
    const healthy = await answersOk(healthUrl, Math.min(healthTimeoutMs, deadline - performance.now()));
    signal.throwIfAborted();
    if (exit !== undefined) throw new EndedEarly(exit);
    if (healthy) return;
    if (performance.now() >= deadline) {
      throw servingError(
        role,
        `did not answer at ${healthUrl} within ${settings.startLimit} s (serving.${role}.startLimit)`,
        process,
      );
    }
    await Promise.race([pause(pollEveryMs, signal), ended]);
  }
}

function answersOk(url: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: Math.max(1, timeoutMs), agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
    request.on("close", () => resolve(false));
  });
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener("abort", end, { once: true });
  });
}

/** Of one replica, from 0. */
export function serverLog(logs: string, role: ServingRole, index: number): string {
  return join(logs, `${role}-${index + 1}.log`);
}
