/** The published benchmarks' files, which are no part of this repository: tests that read them run only where asked for. */

/** What is read where the folder is not given; never opened. */
const NOWHERE = "MUCODE_BENCHMARKS is not set";

/** Folder with the files, from the environment variable `MUCODE_BENCHMARKS`. */
export const benchmarks = process.env["MUCODE_BENCHMARKS"] ?? NOWHERE;

/** Whether their tests run. A folder that is named and not there fails them. */
export const hasBenchmarks = benchmarks !== NOWHERE;

/** For the names of tests that are left out. */
export const withoutBenchmarks = hasBenchmarks ? "" : ` (skipped: ${NOWHERE})`;
