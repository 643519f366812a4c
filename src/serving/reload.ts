/** Putting a checkpoint into service where the servers are somebody else's: by the command that the configuration names. */
import { join } from "node:path";
import type { RoleServing, ServingRole } from "../config/serving-schema.ts";
import { fillPlaceholders, splitWords } from "../config/words.ts";
import { ConfigError } from "../errors.ts";
import { describeExit, startManagedProcess } from "../processes/managed-process.ts";
import { servingError } from "./serving-error.ts";

export interface ReloadOptions {
  readonly role: ServingRole;
  readonly settings: RoleServing;
  /** The checkpoint's. */
  readonly directory: string;
  readonly logs: string;
  readonly records: string;
  readonly signal?: AbortSignal | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * Without a command the servers are taken to have the checkpoint.
 * @throws ServingError when the command fails or takes longer than the limit for starts; the signal's reason.
 */
export async function reloadServers(options: ReloadOptions): Promise<void> {
  const { role, settings, directory, signal } = options;
  const command = reloadCommandOf(role, settings, directory);
  if (command === null) return;
  signal?.throwIfAborted();
  const process = await startManagedProcess({
    command,
    logFile: reloadLog(options.logs, role),
    records: options.records,
  });
  let stopped: "late" | "aborted" | undefined;
  const stop = (reason: "late" | "aborted") => (): void => {
    stopped ??= reason;
    void process.stop();
  };
  const timer = setTimeout(stop("late"), settings.startLimit * 1000);
  const abort = stop("aborted");
  signal?.addEventListener("abort", abort, { once: true });
  const exit = await process.exited;
  clearTimeout(timer);
  signal?.removeEventListener("abort", abort);
  signal?.throwIfAborted();
  if (stopped === "late") {
    throw servingError(role, `is not reloaded: the command took longer than ${settings.startLimit} s`, process);
  }
  if (exit.kind !== "exited" || exit.exitCode !== 0) {
    throw servingError(role, `is not reloaded: the command ${describeExit(exit)}`, process);
  }
}

/** `null` without one. @throws ConfigError for a command that cannot be read. */
export function reloadCommandOf(role: ServingRole, settings: RoleServing, directory: string): string[] | null {
  if (settings.reloadCommand === undefined) return null;
  const key = `serving.${role}.reloadCommand`;
  const command = fillPlaceholders(splitWords(settings.reloadCommand, key), { checkpoint: directory }, key);
  if (command.length === 0) throw new ConfigError(`${key} is empty`, { key });
  return command;
}

export function reloadLog(logs: string, role: ServingRole): string {
  return join(logs, `${role}-reload.log`);
}
