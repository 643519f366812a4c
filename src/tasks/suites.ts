/** The suites that are known by name. */
import { ConfigError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { createHumanEval } from "./humaneval.ts";
import { createMbpp } from "./mbpp.ts";
import { createMubpp } from "./mubpp/mubpp.ts";
import type { Suite } from "./task.ts";

export interface OpenSuiteOptions {
  readonly name: string;
  /** Where the files of a published suite are; required by mbpp and humaneval, ignored by mubpp. */
  readonly dataDirectory?: string;
}

const SUITES = {
  mubpp: () => createMubpp(),
  mbpp: (options) => createMbpp({ dataDirectory: requireDirectory(options) }),
  humaneval: (options) => createHumanEval({ dataDirectory: requireDirectory(options) }),
} as const satisfies Record<string, (options: OpenSuiteOptions) => Suite>;

export type SuiteName = keyof typeof SUITES;

export const SUITE_NAMES = Object.keys(SUITES) as readonly SuiteName[];

/** @throws ConfigError for an unknown name (naming the nearest one) or a missing data directory. */
export function openSuite(options: OpenSuiteOptions): Suite {
  const { name } = options;
  if (!isSuiteName(name)) {
    const guess = nearest(name, SUITE_NAMES);
    const hint = guess === undefined ? "" : ` (did you mean "${guess}"?)`;
    throw new ConfigError(`unknown suite "${name}"${hint}; the suites are ${SUITE_NAMES.join(", ")}`, { suite: name });
  }
  return SUITES[name](options);
}

function isSuiteName(name: string): name is SuiteName {
  return Object.hasOwn(SUITES, name);
}

function requireDirectory({ name, dataDirectory }: OpenSuiteOptions): string {
  if (dataDirectory === undefined) {
    throw new ConfigError(`suite ${name} is read from files: pass the directory that holds them (--data DIR)`, {
      suite: name,
    });
  }
  return dataDirectory;
}
