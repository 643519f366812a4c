/** The suites that are known by name. */
import { ConfigError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { createBigCodeBench } from "./bigcodebench.ts";
import { createCodeContests } from "./codecontests.ts";
import { createHumanEvalPlus, createMbppPlus } from "./evalplus.ts";
import { createHumanEval } from "./humaneval.ts";
import { createHumanEvalPack } from "./humanevalpack.ts";
import { createLiveCodeBench } from "./livecodebench.ts";
import { createMbpp, createMbppSanitized, type FileSuiteOptions } from "./mbpp.ts";
import { createMubpp } from "./mubpp/mubpp.ts";
import { openOwnTasks, type HeldOut } from "./own-tasks.ts";
import { readSuiteManifest, suiteCacheDirectory } from "./suite-cache.ts";
import { SUITE_CATALOG, SUITE_NAMES, suiteFacts, type SuiteName } from "./suite-catalog.ts";
import type { Suite } from "./task.ts";

export { SUITE_NAMES, type SuiteName };

export interface OpenSuiteOptions {
  readonly name: string;
  /**
   * Where the files of a published suite are; default: where `mucode tasks pull` puts them. Of `jsonl` the file itself.
   * Ignored by mubpp, which has none.
   */
  readonly dataDirectory?: string;
  /** How tasks of `jsonl` are divided where their file does not; ignored by the others. Default: they are one set. */
  readonly heldOut?: HeldOut;
}

type OpenFiles = (options: FileSuiteOptions) => Suite;

const FILE_SUITES = {
  humaneval: createHumanEval,
  humanevalpack: createHumanEvalPack,
  "humaneval-plus": createHumanEvalPlus,
  mbpp: createMbpp,
  "mbpp-sanitized": createMbppSanitized,
  "mbpp-plus": createMbppPlus,
  codecontests: createCodeContests,
  livecodebench: createLiveCodeBench,
  bigcodebench: createBigCodeBench,
} as const satisfies Readonly<Record<Exclude<SuiteName, "mubpp" | "jsonl">, OpenFiles>>;

/**
 * @throws ConfigError for an unknown name (naming the nearest one) or files that are not there (naming the ways to get
 * them).
 */
export function openSuite({ name, dataDirectory, heldOut }: OpenSuiteOptions): Suite {
  const known = checkSuiteName(name);
  switch (known) {
    case "mubpp":
      return createMubpp();
    case "jsonl":
      if (dataDirectory !== undefined) return openOwnTasks({ file: dataDirectory, ...(heldOut && { heldOut }) });
      throw new ConfigError("suite jsonl is read from a file of your own: pass it (--data FILE)", { suite: name });
    default:
      return FILE_SUITES[known]({ dataDirectory: dataDirectory ?? pulledDirectory(known) });
  }
}

/** @throws ConfigError for a name that no suite has. */
export function checkSuiteName(name: string): SuiteName {
  if (Object.hasOwn(SUITE_CATALOG, name)) return name as SuiteName;
  const guess = nearest(name, SUITE_NAMES);
  const hint = guess === undefined ? "" : ` (did you mean "${guess}"?)`;
  throw new ConfigError(`unknown suite "${name}"${hint}; the suites are ${SUITE_NAMES.join(", ")}`, { suite: name });
}

function pulledDirectory(name: SuiteName): string {
  const directory = suiteCacheDirectory(name);
  if (readSuiteManifest(name, directory) !== undefined) return directory;
  const { homepage, download } = suiteFacts(name);
  const pull = download === undefined ? "" : `run "mucode tasks pull ${name}", or `;
  throw new ConfigError(
    `suite ${name} is not there yet: ${pull}get its files from ${homepage} ` +
      `and pass the directory that holds them (--data DIR)`,
    { suite: name, directory },
  );
}
