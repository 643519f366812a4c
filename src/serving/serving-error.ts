/** What a server of a run can do to it. */
import { StopRunError } from "../errors.ts";
import { describeExit, type ManagedProcess, type ProcessExit } from "../processes/managed-process.ts";
import type { ServingRole } from "../config/serving-schema.ts";
import { joinWords } from "../config/words.ts";

/** A server that does not serve: ends the run, its work kept. */
export class ServingError extends StopRunError {}

/** The role, what happened, the command, the log and its last lines. */
export function servingError(
  role: ServingRole,
  happened: string,
  { command, logFile, lastLines }: Pick<ManagedProcess, "command" | "logFile" | "lastLines">,
): ServingError {
  const lines = lastLines().slice(-15);
  const said = lines.length === 0 ? "it wrote nothing into its log" : "the end of its log:";
  return new ServingError(
    [
      `the ${role}'s server ${happened}`,
      `  command: ${joinWords(command)}`,
      `  log: ${logFile}; ${said}`,
      ...lines.map((line) => `    ${line}`),
    ].join("\n"),
    { role, command: joinWords(command), log: logFile },
  );
}

export function endedError(
  role: ServingRole,
  exit: ProcessExit,
  process: Pick<ManagedProcess, "command" | "logFile" | "lastLines">,
): ServingError {
  return servingError(role, `${describeExit(exit)} before it answered`, process);
}
