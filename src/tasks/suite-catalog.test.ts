import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { benchmarks, hasBenchmarks, withoutBenchmarks } from "../../test/benchmarks.ts";
import { SUITE_CATALOG, suiteFacts } from "./suite-catalog.ts";
import { openSuite, SUITE_NAMES, type SuiteName } from "./suites.ts";

/** Folders of the published files. */
const FOLDERS: Partial<Record<SuiteName, string>> = {
  humaneval: "humaneval",
  humanevalpack: "humanevalpack",
  "humaneval-plus": "humanevalplus",
  mbpp: "mbpp",
  "mbpp-sanitized": "mbpp",
  "mbpp-plus": "mbppplus",
  codecontests: "codecontests",
};

describe("the catalogue of suites", () => {
  it("pins what is downloaded: a commit of the hub, or a checksum", () => {
    const downloads = SUITE_NAMES.map((name) => suiteFacts(name).download).filter((one) => one !== undefined);
    const pins = downloads.map((one) => (one.kind === "hub" ? one.revision : one.sha256));
    expect(pins.filter((pin) => !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(pin))).toEqual([]);
    expect(downloads).toHaveLength(SUITE_NAMES.length - 4);
  });

  it("says of the built-in suite what the suite says of itself", () => {
    const { version, splits } = openSuite({ name: "mubpp" });
    expect({ version, splits }).toEqual({
      version: SUITE_CATALOG.mubpp.version,
      splits: Object.keys(SUITE_CATALOG.mubpp.splits),
    });
  });

  it.skipIf(!hasBenchmarks).each(Object.entries(FOLDERS))(
    `says of %s what its files hold${withoutBenchmarks}`,
    async (name, folder) => {
      const suite = openSuite({ name, dataDirectory: join(benchmarks, folder) });
      const facts = suiteFacts(name as SuiteName);
      expect(suite.version).toBe(facts.version);
      const sets = await Promise.all(suite.splits.map((split) => suite.load({ split })));
      const sizes = Object.fromEntries(sets.map(({ split, tasks }) => [split, tasks.length]));
      expect(facts.splits).toMatchObject(sizes);
      for (const { tasks, privateTests } of sets) {
        expect(tasks.filter(({ id, publicTests }) => publicTests.length * privateTests.of(id).length === 0)).toEqual(
          [],
        );
      }
    },
  );
});
