/** What is known of every suite without its files: where they come from, under which licence, and how large they are. */

/** A file and how to tell that it is whole. */
export interface UrlDownload {
  readonly kind: "url";
  readonly url: string;
  readonly fileName: string;
  readonly bytes: number;
  /** Of the file, hex. */
  readonly sha256: string;
}

/** Files of a data set on the Hugging Face hub; the hub declares their sizes and checksums. */
export interface HubDownload {
  readonly kind: "hub";
  /** `owner/name` of the data set. */
  readonly repository: string;
  /** The commit whose files these are. */
  readonly revision: string;
  readonly files: readonly string[];
}

export type Download = UrlDownload | HubDownload;

export interface SuiteFacts {
  /** What it is, in a few words. */
  readonly summary: string;
  /** Of the data; what mucode made of it is pinned by the hash of the task set. */
  readonly version: string;
  readonly licence: string;
  /** A page for people; absent for what mucode brings along. */
  readonly homepage?: string;
  /** Tasks of each split; `null`: as many as asked for, or as the file holds. */
  readonly splits: Readonly<Record<string, number | null>>;
  /** How `tasks pull` gets the files; absent where there is nothing to get. */
  readonly download?: Download;
}

const MBPP_HUB = {
  kind: "hub",
  repository: "google-research-datasets/mbpp",
  revision: "4bb6404fdc6cacfda99d4ac4205087b89d32030c",
} as const;

export const SUITE_CATALOG = {
  mubpp: {
    summary: "made by mucode: small Python functions in plain English, for models of a few million parameters",
    version: "1",
    licence: "Apache-2.0",
    splits: { pretrain: null, train: null, validation: null, test: null },
  },
  humaneval: {
    summary: "HumanEval: hand-written Python functions, signature and docstring given",
    version: "1",
    licence: "MIT",
    homepage: "https://github.com/openai/human-eval",
    splits: { test: 164 },
    download: {
      kind: "hub",
      repository: "openai/openai_humaneval",
      revision: "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
      files: ["openai_humaneval/test-00000-of-00001.parquet"],
    },
  },
  humanevalpack: {
    summary: "HumanEvalPack: HumanEval in Python and JavaScript, with a known wrong program for each task",
    version: "1",
    licence: "MIT",
    homepage: "https://huggingface.co/datasets/bigcode/humanevalpack",
    splits: { python: 164, js: 164 },
    download: {
      kind: "hub",
      repository: "bigcode/humanevalpack",
      revision: "9a41762f73a8cb23bb5811b73d5aab164efcf378",
      files: ["python/test-00000-of-00001.parquet", "js/test-00000-of-00001.parquet"],
    },
  },
  "humaneval-plus": {
    summary: "HumanEval+ (EvalPlus): HumanEval with about 80 times as many inputs",
    version: "0.1.10",
    licence: "Apache-2.0",
    homepage: "https://github.com/evalplus/evalplus",
    splits: { test: 164 },
    download: {
      kind: "url",
      url: "https://github.com/evalplus/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus.jsonl.gz",
      fileName: "HumanEvalPlus.jsonl.gz",
      bytes: 925_932,
      sha256: "272720b90ac375502c8ed23cd791c2a93dfb22a911641a494da74a426c09f101",
    },
  },
  mbpp: {
    summary: "MBPP: crowd-sourced Python functions, described in a sentence",
    version: "1",
    licence: "CC-BY-4.0",
    homepage: "https://github.com/google-research/google-research/tree/master/mbpp",
    splits: { prompt: 10, test: 500, validation: 90, train: 374 },
    download: { ...MBPP_HUB, files: mbppFiles("full") },
  },
  "mbpp-sanitized": {
    summary: "MBPP, the tasks that its authors checked and mended by hand",
    version: "1",
    licence: "CC-BY-4.0",
    homepage: "https://github.com/google-research/google-research/tree/master/mbpp",
    splits: { prompt: 7, test: 257, validation: 43, train: 120 },
    download: { ...MBPP_HUB, files: mbppFiles("sanitized") },
  },
  "mbpp-plus": {
    summary: "MBPP+ (EvalPlus): sanitized MBPP with about 35 times as many inputs",
    version: "0.2.0",
    licence: "Apache-2.0",
    homepage: "https://github.com/evalplus/evalplus",
    splits: { test: 378 },
    download: {
      kind: "url",
      url: "https://github.com/evalplus/mbppplus_release/releases/download/v0.2.0/MbppPlus.jsonl.gz",
      fileName: "MbppPlus.jsonl.gz",
      bytes: 336_032,
      sha256: "af43697e8791c4c149bdfd6b489d8b5412507551ac20e28a439f650b8225db63",
    },
  },
  codecontests: {
    summary: "CodeContests: competitive programming, standard input to standard output",
    version: "1",
    licence: "CC-BY-4.0",
    homepage: "https://huggingface.co/datasets/deepmind/code_contests",
    splits: { train: 300, validation: 117, test: 165 },
    download: {
      kind: "hub",
      repository: "deepmind/code_contests",
      revision: "802411c3010cb00d1b05bad57ca77365a3c699d6",
      files: [
        "data/valid-00000-of-00001-5e672c5751f060d3.parquet",
        "data/test-00000-of-00001-9c49eeff30aacaa8.parquet",
      ],
    },
  },
  livecodebench: {
    summary: "LiveCodeBench: problems of contests by date, functions and whole programs (code_generation_lite)",
    version: "1",
    licence: "CC",
    homepage: "https://huggingface.co/datasets/livecodebench/code_generation_lite",
    splits: {
      test: 1055,
      release_v1: 400,
      release_v2: 511,
      release_v3: 612,
      release_v4: 713,
      release_v5: 880,
      release_v6: 1055,
    },
  },
  bigcodebench: {
    summary: "BigCodeBench: functions that use libraries, tested by unittest classes; as far as libraries are there",
    version: "0.1.4",
    licence: "Apache-2.0",
    homepage: "https://huggingface.co/datasets/bigcode/bigcodebench",
    splits: { complete: null, instruct: null },
  },
  jsonl: {
    summary: "your own tasks: --data FILE.jsonl, one task per line (docs/suites.md)",
    version: "1",
    licence: "yours",
    splits: {},
  },
} as const satisfies Readonly<Record<string, SuiteFacts>>;

export type SuiteName = keyof typeof SUITE_CATALOG;

export const SUITE_NAMES = Object.keys(SUITE_CATALOG) as readonly SuiteName[];

export function suiteFacts(name: SuiteName): SuiteFacts {
  return SUITE_CATALOG[name];
}

function mbppFiles(configuration: "full" | "sanitized"): readonly string[] {
  return ["prompt", "test", "validation", "train"].map((split) => `${configuration}/${split}-00000-of-00001.parquet`);
}
