/** Fetches the files of a published suite into the cache, whole or not at all. */
import { allSettled } from "../concurrency.ts";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { datasetInfo, downloadFile, HubApiError, listFiles, type ListFileEntry } from "@huggingface/hub";
import { ConfigError, DownloadError, SuiteError } from "../errors.ts";
import { silentProgress, type ProgressReporter } from "../progress.ts";
import { writeJsonAtomic } from "../store/atomic-write.ts";
import { fileError } from "../store/file-errors.ts";
import { MANIFEST_FILE, readSuiteManifest, suiteCacheDirectory, type SuiteManifest } from "../tasks/suite-cache.ts";
import { suiteFacts, type Download, type HubDownload, type UrlDownload } from "../tasks/suite-catalog.ts";
import { checkSuiteName } from "../tasks/suites.ts";
import {
  downloadVerified,
  PermanentError,
  verifyFile,
  withRetries,
  type DeclaredFile,
  type RetryOptions,
} from "./download-tasks.ts";

export interface PullTasksOptions {
  /** Name of a suite with files to fetch. */
  readonly suite: string;
  /** Default: where the suite is read from without `--data`. */
  readonly directory?: string;
  /** Where its files come from. Default: what is known of the suite. */
  readonly download?: Download;
  /** The Hugging Face hub. Default: `HF_ENDPOINT`, else https://huggingface.co. */
  readonly endpoint?: string;
  /** For data sets that ask for one. Default: `HF_TOKEN`. */
  readonly token?: string;
  /** Fetch the files although they are there. */
  readonly force?: boolean;
  /** Wait before the second attempt at a file. Default 1000. */
  readonly retryDelayMs?: number;
  readonly progress?: ProgressReporter;
  readonly signal?: AbortSignal;
}

export interface PullReport {
  readonly directory: string;
  readonly manifest: SuiteManifest;
  /** Files that were fetched now; the others were there. */
  readonly fetched: number;
}

const ATTEMPTS = 3;

/** A file to fetch: where it goes, what it must be, how to get it. */
interface RemoteFile {
  /** Below the suite's folder. */
  readonly path: string;
  readonly declared: DeclaredFile;
  openContent(): Promise<AsyncIterable<Uint8Array>>;
}

interface Remote {
  readonly source: string;
  readonly commit?: string;
  readonly files: readonly RemoteFile[];
}

/**
 * Files that an earlier, interrupted pull left whole are kept. The manifest, without which nothing is read from the
 * folder, is written last.
 * @throws ConfigError for what the user can mend (an unknown suite, no permission); DownloadError when the network or
 * the server fails time after time; StoreError when the disk does.
 */
export async function pullTasks(options: PullTasksOptions): Promise<PullReport> {
  const suite = checkSuiteName(options.suite);
  const { directory = suiteCacheDirectory(suite), download = suiteFacts(suite).download } = options;
  const { force = false, progress = silentProgress, signal } = options;
  if (download === undefined) {
    const { homepage, summary } = suiteFacts(suite);
    const way = homepage === undefined ? summary : `get them from ${homepage} and pass --data DIR`;
    throw new ConfigError(`suite ${suite} has no files to pull: ${way}`, { suite });
  }
  const remote = download.kind === "url" ? describeUrl(download, signal) : await askHub(suite, download, options);
  const complete = force ? undefined : await findComplete(suite, directory, remote);
  if (complete !== undefined) return { directory, manifest: complete, fetched: 0 };

  const stage = progress.stage(`pull ${suite}`, { total: remote.files.length, unit: "files" });
  try {
    // Until the new one is written nobody may read a mixture of old and new files.
    await rm(join(directory, MANIFEST_FILE), { force: true });
    const files: SuiteManifest["files"] = [];
    let fetched = 0;
    for (const { path, declared, openContent } of remote.files) {
      const file = join(directory, path);
      let sha256 = force ? undefined : await verifyFile(file, declared);
      if (sha256 === undefined) {
        const onRetry = (reason: string): void => progress.log(`${path}: ${reason}; trying again`);
        ({ sha256 } = await downloadVerified({ ...retryOptions(options), openContent, declared, file, onRetry }));
        fetched++;
      }
      files.push({ path, bytes: declared.bytes, sha256 });
      stage.advance();
    }
    const { source, commit } = remote;
    const pulledAt = new Date().toISOString();
    const manifest = { suite, source, ...(commit !== undefined && { commit }), pulledAt, files };
    await writeJsonAtomic(join(directory, MANIFEST_FILE), manifest);
    return { directory, manifest, fetched };
  } catch (error) {
    throw isFileSystemError(error) ? fileError("writing", directory, error) : error;
  } finally {
    stage.finish();
  }
}

/** What is there already, if it is just what would be fetched, every byte of it. */
async function findComplete(suite: string, directory: string, remote: Remote): Promise<SuiteManifest | undefined> {
  let manifest: SuiteManifest | undefined;
  try {
    manifest = readSuiteManifest(suite, directory);
  } catch (error) {
    if (error instanceof SuiteError) return undefined;
    throw error;
  }
  if (manifest?.source !== remote.source || manifest.commit !== remote.commit) return undefined;
  const checks = await allSettled(
    remote.files.map(({ path, declared }) => verifyFile(join(directory, path), declared)),
  );
  return checks.every((sha256) => sha256 !== undefined) ? manifest : undefined;
}

function describeUrl({ url, fileName, bytes, sha256 }: UrlDownload, signal: AbortSignal | undefined): Remote {
  const declared: DeclaredFile = { bytes, checksum: { kind: "sha256", hex: sha256 } };
  const openContent = async (): Promise<AsyncIterable<Uint8Array>> => {
    const response = await fetch(url, { ...(signal && { signal }) });
    if (response.ok && response.body !== null) return response.body;
    const failure = new DownloadError(`${url} answered with status ${response.status}`, {
      url,
      status: response.status,
    });
    throw isTemporary(response.status) ? failure : new PermanentError(failure.message, { cause: failure });
  };
  return { source: url, files: [{ path: fileName, declared, openContent }] };
}

/** Asks the hub for the commit and for what it declares of each file. */
async function askHub(suite: string, download: HubDownload, options: PullTasksOptions): Promise<Remote> {
  const { repository, revision, files: wanted } = download;
  const access = hubAccess(options);
  const repo = { type: "dataset", name: repository } as const;
  const explain = (error: unknown): unknown => explainHubError(error, suite, repository, access.hubUrl);

  const { commit, entries } = await withRetries(access.hubUrl, retryOptions(options), async () => {
    try {
      const { sha } = await datasetInfo({ name: repository, revision, additionalFields: ["sha"], ...access });
      const found = new Map<string, ListFileEntry>();
      for await (const entry of listFiles({ repo, revision: sha, recursive: true, ...access })) {
        if (entry.type === "file") found.set(entry.path, entry);
      }
      return { commit: sha, entries: found };
    } catch (error) {
      throw explain(error);
    }
  });

  const files = wanted.map((path): RemoteFile => {
    const entry = entries.get(path);
    if (entry === undefined) {
      throw new SuiteError(`${access.hubUrl}/datasets/${repository} has no file ${path} at ${commit}`, { suite, path });
    }
    return {
      path,
      declared: declaredBy(entry, repository),
      async openContent() {
        try {
          const blob = await downloadFile({ repo, path, revision: commit, xet: false, ...access });
          if (blob === null) throw new DownloadError(`${path} is gone from ${repository}`);
          return blob.stream() as unknown as AsyncIterable<Uint8Array>;
        } catch (error) {
          throw explain(error);
        }
      },
    };
  });
  return { source: repository, commit, files };
}

function retryOptions({ retryDelayMs = 1000, signal }: PullTasksOptions): RetryOptions {
  return { attempts: ATTEMPTS, retryDelayMs, ...(signal && { signal }) };
}

/** Large files are declared by SHA-256 (LFS), small ones by their name in git. */
export function declaredBy({ path, size, oid, lfs }: ListFileEntry, repository: string): DeclaredFile {
  if (lfs !== undefined) return { bytes: lfs.size, checksum: { kind: "sha256", hex: lfs.oid.replace(/^sha256:/, "") } };
  if (oid !== undefined) return { bytes: size, checksum: { kind: "git-sha1", hex: oid } };
  throw new DownloadError(`the hub declares no checksum of ${path} in ${repository}`, { path, repository });
}

export interface HubAccess {
  readonly hubUrl: string;
  readonly accessToken?: string;
  readonly fetch: typeof fetch;
}

/** @throws ConfigError for an endpoint or a token that cannot be one. */
export function hubAccess({
  endpoint,
  token,
  signal,
}: Pick<PullTasksOptions, "endpoint" | "token" | "signal">): HubAccess {
  const hubUrl = (endpoint ?? (process.env["HF_ENDPOINT"] || "https://huggingface.co")).replace(/\/+$/, "");
  if (!/^https?:\/\/[^/]/.test(hubUrl)) {
    throw new ConfigError(`the endpoint of the hub must be a URL like https://huggingface.co, not "${hubUrl}"`, {
      endpoint: hubUrl,
    });
  }
  const accessToken = token ?? process.env["HF_TOKEN"] ?? "";
  if (accessToken !== "" && !accessToken.startsWith("hf_")) {
    throw new ConfigError("the token in HF_TOKEN is none of the Hugging Face hub: those start with hf_");
  }
  return {
    hubUrl,
    ...(accessToken !== "" && { accessToken }),
    fetch: (input, init) => fetch(input, { ...init, ...(signal && { signal }) }),
  };
}

/** What the hub's answer means to a person; anything else comes back as it is. */
function explainHubError(error: unknown, suite: string, repository: string, hubUrl: string): unknown {
  if (!(error instanceof HubApiError)) return error;
  const { statusCode: status, url } = error;
  const page = `${hubUrl}/datasets/${repository}`;
  if (isTemporary(status)) return new DownloadError(`the hub answered with status ${status}`, { suite, status, url });
  const message =
    status === 401 || status === 403
      ? `${page} may not be read without permission (status ${status}): ` +
        `accept its terms there and set HF_TOKEN to a token of your account`
      : `${page} has no such data set, revision or file (status ${status}: ${url})`;
  const cause = new ConfigError(message, { suite, status, url }, { cause: error });
  return new PermanentError(message, { cause });
}

export function isTemporary(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

function isFileSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && "path" in error;
}
