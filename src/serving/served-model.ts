/** A checkpoint in service: its replicas, or the servers of somebody else. */
import type { RoleServing, ServingRole } from "../config/serving-schema.ts";
import { ConfigError } from "../errors.ts";
import type { ReplicaAddresses } from "../openai/replicas.ts";
import { readCheckpointKind } from "./checkpoint-kind.ts";
import { reloadServers } from "./reload.ts";
import { startReplica, type Replica } from "./replica.ts";

export interface ServeCheckpointOptions {
  readonly role: ServingRole;
  readonly classifies: boolean;
  readonly settings: RoleServing;
  readonly directory: string;
  readonly logs: string;
  readonly records: string;
  readonly signal?: AbortSignal | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export interface ServedModel {
  /** The first replica's, for messages. */
  readonly baseUrl: string;
  readonly addresses: ReplicaAddresses;
  /** `undefined`: the only one that the servers list. */
  readonly model: string | undefined;
  /** Sent with every request for text. */
  readonly requestFields: Replica["requestFields"];
  /** Of the running processes. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/**
 * Resolves when every replica serves; none is left when one of them does not.
 * @throws ServingError, ConfigError as {@link startReplica}.
 */
export async function serveCheckpoint(options: ServeCheckpointOptions): Promise<ServedModel> {
  const { role, settings } = options;
  if (settings.kind === "embedded") throw new TypeError("an embedded model is not served");
  if (settings.kind === "urls") return useServers(options);
  const { kind } = settings;
  const checkpoint = await readCheckpointKind(options.directory);
  const starts = await Promise.allSettled(
    Array.from({ length: settings.replicas }, (_, index) => startReplica({ ...options, kind, checkpoint, index })),
  );
  const replicas = starts.filter((start) => start.status === "fulfilled").map(({ value }) => value);
  const failed = starts.find((start) => start.status === "rejected");
  if (failed !== undefined) {
    await Promise.all(replicas.map((replica) => replica.stop()));
    throw failed.reason;
  }
  return {
    baseUrl: replicas[0]!.baseUrl ?? `the ${role}'s server`,
    addresses: () => addressesOf(replicas),
    model: replicas[0]!.model,
    requestFields: replicas[0]!.requestFields,
    get pids() {
      return replicas.map(({ pid }) => pid).filter((pid) => pid !== null);
    },
    stop: async () => {
      await Promise.all(replicas.map((replica) => replica.stop()));
    },
  };
}

/** @throws ServingError when none will serve any more. */
function addressesOf(replicas: readonly Replica[]): string[] {
  const failures = replicas.map(({ failure }) => failure).filter((failure) => failure !== null);
  if (failures.length === replicas.length) throw failures[0]!;
  return replicas.map(({ baseUrl }) => baseUrl).filter((url) => url !== null);
}

/** Servers that are there already; the checkpoint is put into service by the reload command. */
async function useServers(options: ServeCheckpointOptions): Promise<ServedModel> {
  const { role, settings } = options;
  const urls = (settings.urls ?? "").split(/[\s,]+/).filter((url) => url !== "");
  if (urls.length === 0) {
    const key = `serving.${role}.urls`;
    throw new ConfigError(`${key}: serving.${role}.kind is urls, and no base URL is given`, { key });
  }
  await reloadServers(options);
  return {
    baseUrl: urls[0]!,
    addresses: () => urls,
    model: settings.model,
    requestFields: {},
    pids: [],
    stop: async () => {},
  };
}
