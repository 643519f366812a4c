/** What opening a checkpoint would run, for those who want to know before it does. */
import type { RoleServing, ServingRole } from "../config/serving-schema.ts";
import type { CheckpointKind } from "./checkpoint-kind.ts";
import { planLaunch } from "./presets.ts";
import { reloadCommandOf, reloadLog } from "./reload.ts";
import { serverLog } from "./replica.ts";

export interface PlannedServer {
  readonly command: readonly string[];
  /** Added to this process's own. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/**
 * The servers of a checkpoint, or the command that reloads those of others; none for an embedded model. A port that is
 * chosen at the start is written `PORT`. @throws ConfigError for what cannot be served so.
 */
export function planServers(options: {
  readonly role: ServingRole;
  readonly classifies: boolean;
  readonly settings: RoleServing;
  readonly checkpoint: CheckpointKind;
  readonly logs: string;
}): PlannedServer[] {
  const { role, settings, checkpoint, logs } = options;
  const { kind, port, replicas } = settings;
  if (kind === "embedded") return [];
  if (kind === "urls") {
    const command = reloadCommandOf(role, settings, checkpoint.directory);
    return command === null ? [] : [{ command, environment: {}, logFile: reloadLog(logs, role) }];
  }
  return Array.from({ length: replicas }, (_, replica) => {
    const launch = planLaunch(kind, { ...options, port: port === 0 ? "PORT" : port + replica, replica });
    return { command: launch.command, environment: launch.environment, logFile: serverLog(logs, role, replica) };
  });
}
