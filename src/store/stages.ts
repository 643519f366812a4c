/**
 * Stages of a run: done once, remembered by a manifest written last, with their time in `metrics.jsonl`.
 */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "../errors.ts";
import { writeJsonAtomic } from "./atomic-write.ts";
import { encodeRecord } from "./json.ts";
import { readIfThere } from "./read-file.ts";
import { openJsonl, readJsonl, type JsonlWriter } from "./jsonl.ts";

/** Seconds and counts charged to one resource (`sampling`, `grading`, `training`, …). */
export interface ResourceUse {
  readonly seconds: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** What a stage's work is given. */
export interface StageContext {
  readonly name: string;
  /** Charges wall-clock seconds and counts (e.g. `{ tokens: 12 }`) to a resource; calls add up. */
  spend(resource: string, seconds: number, counts?: Readonly<Record<string, number>>): void;
}

/** One line of `metrics.jsonl`: an attempt at a stage that ended by itself. */
interface StageAttempt {
  readonly stage: string;
  readonly endedAt: string;
  /** `false` when the work threw (an interrupt included). */
  readonly finished: boolean;
  /** Wall-clock of this attempt. */
  readonly seconds: number;
  readonly resources: Readonly<Record<string, ResourceUse>>;
}

/** `<name>.done.json`. */
interface StageManifest {
  readonly stage: string;
  readonly finishedAt: string;
  /** Wall-clock of every attempt that ended by itself; what a killed one spent is not known. */
  readonly seconds: number;
  readonly summary?: unknown;
}

export interface StageTotals {
  /** Wall-clock seconds by stage. */
  readonly stages: Readonly<Record<string, number>>;
  readonly resources: Readonly<Record<string, ResourceUse>>;
}

export interface Stages {
  run<T>(name: string, work: (stage: StageContext) => Promise<T>): Promise<T>;
  isFinished(name: string): Promise<boolean>;
  totals(): Promise<StageTotals>;
  close(): Promise<void>;
}

/** Stages of the run in `directory`; see `RunDirectory.stage`. */
export function createStages(directory: string): Stages {
  const metricsFile = join(directory, "metrics.jsonl");
  let metrics: Promise<JsonlWriter> | undefined;

  async function readAttempts(): Promise<StageAttempt[]> {
    await (await metrics)?.flush();
    return readJsonl<StageAttempt>(metricsFile);
  }

  async function record(attempt: StageAttempt): Promise<void> {
    metrics ??= openJsonl(metricsFile).catch((error: unknown) => {
      metrics = undefined;
      throw error;
    });
    const writer = await metrics;
    writer.append(attempt);
    await writer.flush();
  }

  return {
    async run<T>(name: string, work: (stage: StageContext) => Promise<T>): Promise<T> {
      const file = manifestFile(directory, name);
      const manifest = await readManifest(file);
      if (manifest !== undefined) return manifest.summary as T;

      const use = new Map<string, ResourceUse>();
      const startedMs = performance.now();
      const attempt = (finished: boolean): StageAttempt => ({
        stage: name,
        endedAt: new Date().toISOString(),
        finished,
        seconds: round((performance.now() - startedMs) / 1000),
        resources: Object.fromEntries(use),
      });
      let summary: T;
      try {
        summary = await work({
          name,
          spend: (resource, seconds, counts = {}) => use.set(resource, addUse(use.get(resource), { seconds, counts })),
        });
      } catch (error) {
        // The work's own error is the one to tell, even when the disk is full as well.
        await record(attempt(false)).catch(() => undefined);
        throw error;
      }
      // Before the manifest: an attempt killed in between is then repeated, and both did take their time.
      await record(attempt(true));
      const spent = (await readAttempts()).filter(({ stage }) => stage === name);
      const done: StageManifest = {
        stage: name,
        finishedAt: new Date().toISOString(),
        seconds: round(spent.reduce((sum, { seconds }) => sum + seconds, 0)),
        summary,
      };
      await writeJsonAtomic(file, done);
      // The same value whether the stage ran now or long ago: what JSON keeps of it.
      return summary === undefined ? summary : (JSON.parse(encodeRecord(summary)) as T);
    },

    async isFinished(name) {
      try {
        await access(manifestFile(directory, name));
        return true;
      } catch {
        return false;
      }
    },

    async totals() {
      const stages: Record<string, number> = {};
      const resources: Record<string, ResourceUse> = {};
      for (const attempt of await readAttempts()) {
        stages[attempt.stage] = round((stages[attempt.stage] ?? 0) + attempt.seconds);
        for (const [resource, use] of Object.entries(attempt.resources)) {
          resources[resource] = addUse(resources[resource], use);
        }
      }
      return { stages, resources };
    },

    async close() {
      await (await metrics)?.close();
    },
  };
}

function manifestFile(directory: string, name: string): string {
  return join(directory, `${name}.done.json`);
}

async function readManifest(file: string): Promise<StageManifest | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as StageManifest;
  } catch (error) {
    throw new StoreError(
      `${file} is not a stage's manifest; delete it to run the stage again`,
      { file },
      { cause: error },
    );
  }
}

function addUse(sum: ResourceUse | undefined, use: ResourceUse): ResourceUse {
  const counts: Record<string, number> = { ...sum?.counts };
  for (const [name, count] of Object.entries(use.counts)) counts[name] = (counts[name] ?? 0) + count;
  return { seconds: round((sum?.seconds ?? 0) + use.seconds), counts };
}

/** To the microsecond: what is below is noise and long decimals. */
function round(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}
