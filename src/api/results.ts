/** A file of results beside what it was made from, so that grading goes on where it stopped and never mixes two things. */
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { writeFileAtomic, writeJsonAtomic } from "../store/atomic-write.ts";
import { listDifferences } from "../store/differences.ts";
import { fileError } from "../store/file-errors.ts";
import { encodeRecord } from "../store/json.ts";
import { openJsonl, readJsonl } from "../store/jsonl.ts";
import { acquireLock } from "../store/lock.ts";
import { readIfThere } from "../store/read-file.ts";

/** What decides the results: another value of any key means other results. */
export type ResultsConfiguration = Readonly<Record<string, unknown>>;

export interface OpenResultsOptions {
  /** The JSON Lines of results; its manifest stands beside it. */
  readonly file: string;
  readonly configuration: ResultsConfiguration;
  /** Recorded, but no obstacle to going on. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Open results: this process alone writes them. */
export interface Results<R> {
  /** What earlier calls left, mapped by `keep`: whole records would be as much as the samples themselves. */
  read<K>(keep: (record: R) => K): Promise<K[]>;
  append(record: R): void;
  /** Puts records in the place of others, all or none. Before the first `append` only. */
  replace(records: ReadonlyMap<number, R>): Promise<void>;
  /** Writes the manifest again, with what the results come to. */
  finish(summary: unknown): Promise<void>;
  close(): Promise<void>;
}

const manifestSchema = z.looseObject({
  startedAt: z.string(),
  configuration: z.record(z.string(), z.unknown()),
  versions: z.record(z.string(), z.string()),
});

/** `samples.results.json` of `samples.results.jsonl`. */
export function manifestOf(resultsFile: string): string {
  return `${resultsFile.replace(/\.jsonl$/, "")}.json`;
}

/**
 * @throws ConfigError where the file belongs to another configuration (every differing key is listed), is no file of
 *   results, or another process is writing it. @throws StoreError
 */
export async function openResults<R>(options: OpenResultsOptions): Promise<Results<R>> {
  const { file, configuration, versions } = options;
  const manifestFile = manifestOf(file);
  try {
    await mkdir(dirname(file), { recursive: true });
  } catch (error) {
    throw fileError("creating", dirname(file), error);
  }
  const lock = await acquireLock(`${file}.lock`);
  try {
    const earlier = await readManifest(manifestFile);
    if (earlier === undefined) await refuseForeign(file, manifestFile);
    else refuseOther(earlier.configuration, options);
    const manifest = { startedAt: earlier?.startedAt ?? new Date().toISOString(), configuration, versions };
    if (earlier === undefined) await writeJsonAtomic(manifestFile, manifest);
    // Cuts a half-written last line away.
    let writer = await openJsonl(file);
    return {
      async read<K>(keep: (record: R) => K) {
        return readJsonl(file, { parse: (record) => keep(record as R) });
      },
      append: (record) => writer.append(record),
      async replace(records) {
        await writer.close();
        const lines = (await readFile(file, "utf8")).split("\n");
        for (const [index, record] of records) lines[index] = encodeRecord(record);
        await writeFileAtomic(file, lines.join("\n"));
        writer = await openJsonl(file);
      },
      async finish(summary) {
        await writer.flush();
        await writeJsonAtomic(manifestFile, { ...manifest, summary });
      },
      async close() {
        try {
          await writer.close();
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

async function readManifest(file: string): Promise<z.infer<typeof manifestSchema> | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ConfigError(`${file} does not describe results of grading; choose another --out`, { file }, { cause });
  }
}

async function refuseForeign(file: string, manifestFile: string): Promise<void> {
  if ((await readIfThere(file)) === undefined) return;
  throw new ConfigError(
    `${file} is there already, without ${manifestFile} to say what it was made from; choose another --out or delete it`,
    { file },
  );
}

function refuseOther(before: ResultsConfiguration, { file, configuration }: OpenResultsOptions): void {
  const differences = listDifferences(before, configuration);
  if (differences.length === 0) return;
  const lines = differences.map(
    ({ key, before: there, after: now }) => `  ${key}: ${JSON.stringify(there)} there, ${JSON.stringify(now)} now`,
  );
  throw new ConfigError(
    `${file} holds results of something else:\n${lines.join("\n")}\n` +
      `Choose another --out, or delete ${file} and ${manifestOf(file)} to start over.`,
    { file, differences },
  );
}
