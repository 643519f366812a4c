/**
 * The directory of one run: what it was started with (`run.json`), which of its stages are finished, and where its
 * time went. Reopening it under an equal configuration resumes; a process killed at any moment loses the work in
 * flight and nothing else.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { ConfigError } from "../errors.ts";
import { temporaryPattern, writeJsonAtomic } from "./atomic-write.ts";
import { listDifferences, type Difference } from "./differences.ts";
import { errorCode, fileError } from "./file-errors.ts";
import { readIfThere } from "./read-file.ts";
import { acquireLock } from "./lock.ts";
import { openRecordLog } from "./record-log.ts";
import type { RecordLog, RunStore } from "./run-store.ts";
import { createStages, type StageContext } from "./stages.ts";

export interface RunDirectoryOptions {
  readonly directory: string;
  /**
   * Everything that decides the results, as plain JSON: the resolved configuration with its seed, and the hashes of the
   * task sets. Must be equal for a run to be resumed; leave out what may change between attempts (threads, paths).
   */
  readonly configuration: Record<string, unknown>;
  /** What the run is made with (package, node, …): recorded, and reported when it changes, but no obstacle. */
  readonly versions: Record<string, string>;
}

export interface RunDirectory extends RunStore {
  readonly directory: string;
  /** Whether the run was there already. */
  readonly resumed: boolean;
  /** Versions that differ from those the run was started with. */
  readonly versionChanges: readonly Difference[];
  /**
   * Runs a stage unless it is finished, and returns its summary (plain JSON, as it reads back from the file). A stage is
   * finished when `<name>.done.json` exists, which is written after `work` has resolved. `work` may find what a killed
   * attempt left and go on from there. `name` may be a path: `iteration-1/rollouts`.
   * @throws what `work` throws; StoreError when the manifest cannot be read or written.
   */
  stage<S>(name: string, work: (stage: StageContext) => Promise<S>): Promise<S>;
  /** Whether the stage's manifest is there. */
  isFinished(name: string): Promise<boolean>;
  /** Closes the record logs that are still open and gives up the lock. @throws StoreError when they cannot be written. */
  close(): Promise<void>;
}

const runFile = "run.json";
const lockFile = "run.lock";

/**
 * Creates the run or opens it again, and locks it.
 * @throws ConfigError when the run was started with another configuration (every differing key is listed), when the
 *   directory holds something that is no run, or when another process is writing it.
 * @throws StoreError when it cannot be read or written.
 */
export async function openRunDirectory(options: RunDirectoryOptions): Promise<RunDirectory> {
  const { directory } = options;
  await checkRunPlace(directory);
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    if (["EACCES", "EPERM", "EROFS"].includes(errorCode(error) ?? "")) {
      throw new ConfigError(
        `no permission to create ${directory}; choose another --out`,
        { directory },
        { cause: error },
      );
    }
    throw fileError("creating", directory, error);
  }
  const lock = await acquireLock(join(directory, lockFile));
  try {
    await removeTemporaryFiles(directory);
    const opened = await readOrCreateRun(options);
    const stages = createStages(directory);
    const logs: Pick<RecordLog<unknown>, "close">[] = [];
    return {
      directory,
      ...opened,
      path: (...parts) => join(directory, ...parts),
      async openRecords<R>(name: string) {
        const log = await openRecordLog<R>(join(directory, `${name}.jsonl`));
        logs.push(log);
        return log;
      },
      stage: (name, work) => stages.run(name, work),
      isFinished: (name) => stages.isFinished(name),
      totals: () => stages.totals(),
      async close() {
        try {
          for (const log of logs) await log.close();
          await stages.close();
        } finally {
          await lock.release();
        }
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Refuses, without touching anything, a file, and a directory with files that no run of ours put there. @throws ConfigError */
export async function checkRunPlace(directory: string): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    if (errorCode(error) === "ENOTDIR") {
      throw new ConfigError(`${directory} is a file, not a directory; choose another --out`, { directory });
    }
    throw fileError("reading", directory, error);
  }
  if (entries.includes(runFile)) return;
  const foreign = entries.filter((name) => !name.startsWith(lockFile) && !temporaryPattern.test(name));
  if (foreign.length > 0) {
    throw new ConfigError(
      `${directory} holds files (${foreign.slice(0, 3).join(", ")}${foreign.length > 3 ? ", …" : ""}) but no ` +
        `${runFile}, so it is not a run; choose another --out`,
      { directory, entries: foreign },
    );
  }
}

/** What a killed writer left half-made. The lock is ours, so nobody is writing them now (drafts of locks excepted). */
async function removeTemporaryFiles(directory: string): Promise<void> {
  try {
    const entries = await readdir(directory, { recursive: true });
    const left = entries.filter((name) => temporaryPattern.test(name) && !name.startsWith(lockFile));
    await Promise.all(left.map((name) => rm(join(directory, name), { force: true })));
  } catch (error) {
    throw fileError("cleaning", directory, error);
  }
}

async function readOrCreateRun(
  options: RunDirectoryOptions,
): Promise<{ resumed: boolean; versionChanges: Difference[] }> {
  const { directory, configuration, versions } = options;
  const file = join(directory, runFile);
  const stored = await readRun(file);
  if (stored === undefined) {
    await writeJsonAtomic(file, { startedAt: new Date().toISOString(), versions, configuration });
    return { resumed: false, versionChanges: [] };
  }
  const differences = listDifferences(stored.configuration, configuration);
  if (differences.length > 0) {
    const lines = differences.map(({ key, before, after }) => `  ${key}: ${show(before)} there, ${show(after)} now`);
    throw new ConfigError(
      `${directory} holds a run with another configuration:\n${lines.join("\n")}\n` +
        `Give the same values to resume it, choose another --out, or delete ${directory} to start over.`,
      { directory, differences },
    );
  }
  return { resumed: true, versionChanges: listDifferences(stored.versions, versions) };
}

async function readRun(file: string): Promise<{ configuration: unknown; versions: unknown } | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    const run = JSON.parse(text) as { configuration?: unknown; versions?: unknown } | null;
    if (typeof run?.configuration === "object" && run.configuration !== null) {
      return { configuration: run.configuration, versions: run.versions };
    }
  } catch {
    // Told below, together with JSON that is no run.
  }
  throw new ConfigError(`${file} is not a ${basename(file)} of mucode; choose another --out`, { file });
}

function show(value: unknown): string {
  return value === undefined ? "not set" : JSON.stringify(value);
}
