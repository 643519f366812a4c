import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError, StoreError } from "../errors.ts";
import { readJsonl } from "./jsonl.ts";
import { openRunDirectory, type RunDirectory } from "./run-directory.ts";

const configuration = { seed: 1, rollout: { turns: 3, temperature: 0.7 }, taskHashes: { train: "ab" } };
const versions = { mucode: "1.0.0", node: "v20" };

let parent: string;
let directory: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "mucode-run-"));
  directory = join(parent, "runs", "one");
});
afterEach(async () => {
  await rm(parent, { recursive: true, force: true });
});

const openRun = (other: Partial<Parameters<typeof openRunDirectory>[0]> = {}): Promise<RunDirectory> =>
  openRunDirectory({ directory, configuration, versions, ...other });

const leaveLock = async (lock: unknown): Promise<void> => {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "run.lock"), typeof lock === "string" ? lock : JSON.stringify(lock));
};

async function refusal(promise: Promise<unknown>): Promise<ConfigError> {
  const error = await promise.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  return error as ConfigError;
}

describe("opening a run", () => {
  test("creates the directory, records configuration and versions, and leaves no lock after closing", async () => {
    const run = await openRun();
    expect(run.resumed).toBe(false);
    expect(run.path("iteration-0", "x.jsonl")).toBe(join(directory, "iteration-0", "x.jsonl"));
    expect(JSON.parse(await readFile(join(directory, "run.json"), "utf8"))).toMatchObject({ configuration, versions });
    await run.close();
    expect(await readdir(directory)).toEqual(["run.json"]);
  });

  test("resumes under an equal configuration whatever the order of its keys", async () => {
    await (await openRun()).close();
    const reordered = {
      taskHashes: { train: "ab" },
      rollout: { temperature: 0.7, turns: 3 },
      seed: 1,
      data: undefined,
    };
    const run = await openRun({ configuration: reordered });
    expect(run.resumed).toBe(true);
    expect(run.versionChanges).toEqual([]);
    await run.close();
  });

  test("refuses under another configuration, naming every differing key with both values and the ways out", async () => {
    await (await openRun()).close();
    const error = await refusal(
      openRun({ configuration: { seed: 2, rollout: { turns: 3, temperature: 0.9 }, data: "x.jsonl", taskHashes: {} } }),
    );
    expect(error.message).toBe(
      [
        `${directory} holds a run with another configuration:`,
        `  data: not set there, "x.jsonl" now`,
        `  rollout.temperature: 0.7 there, 0.9 now`,
        `  seed: 1 there, 2 now`,
        `  taskHashes.train: "ab" there, not set now`,
        `Give the same values to resume it, choose another --out, or delete ${directory} to start over.`,
      ].join("\n"),
    );
    await (await openRun()).close();
  });

  test("resumes under other versions and tells which changed", async () => {
    await (await openRun()).close();
    const run = await openRun({ versions: { ...versions, node: "v22" } });
    expect(run.versionChanges).toEqual([{ key: "node", before: "v20", after: "v22" }]);
    await run.close();
  });

  test("refuses a directory with other files and touches nothing in it", async () => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "thesis.txt"), "precious");
    const error = await refusal(openRun());
    expect(error.message).toMatch(/thesis\.txt.*not a run.*--out/);
    expect(await readdir(directory)).toEqual(["thesis.txt"]);
  });

  test("takes an empty directory, and one in which a run was killed before its first file", async () => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "run.json.77-0.mucode-tmp"), "{");
    await (await openRun()).close();
    expect(await readdir(directory)).toEqual(["run.json"]);
  });

  test("refuses a file in the directory's place and a run.json that is none", async () => {
    await mkdir(join(parent, "runs"));
    await writeFile(directory, "");
    expect((await refusal(openRun())).message).toMatch(/is a file/);
    await rm(directory);
    await mkdir(directory);
    await writeFile(join(directory, "run.json"), "[]");
    expect((await refusal(openRun())).message).toMatch(/run\.json is not/);
    expect(await readdir(directory)).toEqual(["run.json"]);
  });
});

describe("the lock", () => {
  test("keeps a second writer out while the first is open", async () => {
    const run = await openRun();
    expect((await refusal(openRun())).message).toContain(`process ${process.pid} is writing this run`);
    await run.close();
    const next = await openRun();
    await run.close();
    await refusal(openRun());
    await next.close();
  });

  test("lets one in of many that open at once", async () => {
    const opened = await Promise.allSettled(Array.from({ length: 8 }, () => openRun()));
    expect(opened.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of opened) if (result.status === "fulfilled") await result.value.close();
  });

  test("of a process that is gone, or of nobody, is taken over", async () => {
    await leaveLock({ pid: 2 ** 22 + 1, host: hostname(), id: "x" });
    await (await openRun()).close();
    await leaveLock("");
    await (await openRun()).close();
    expect(await readdir(directory)).toEqual(["run.json"]);
  });

  test.runIf(process.platform === "linux")("of an earlier process with the same number is taken over", async () => {
    await leaveLock({ pid: process.pid, host: hostname(), start: "another-boot:1", id: "x" });
    await (await openRun()).close();
    expect(await readdir(directory)).toEqual(["run.json"]);
  });

  test("of a living process of unknown start, or of another host, is respected", async () => {
    await leaveLock({ pid: process.pid, host: hostname(), id: "x" });
    await refusal(openRun());
    await leaveLock({ pid: 1, host: "elsewhere", id: "x" });
    expect((await refusal(openRun())).message).toMatch(/on elsewhere.*delete .*run\.lock/);
  });
});

describe("record logs", () => {
  test("give what earlier attempts wrote and what is appended, half lines excepted", async () => {
    const run = await openRun();
    const log = await run.openRecords<{ task: number }>("iteration-0/trajectories");
    log.append({ task: 1 });
    expect(log.records).toEqual([{ task: 1 }]);
    await run.close();
    await appendFile(join(directory, "iteration-0", "trajectories.jsonl"), '{"task":');
    const again = await openRun();
    const continued = await again.openRecords<{ task: number }>("iteration-0/trajectories");
    continued.append({ task: 2 });
    await continued.close();
    expect(continued.records).toEqual([{ task: 1 }, { task: 2 }]);
    expect(await readJsonl(again.path("iteration-0", "trajectories.jsonl"))).toEqual(continued.records);
    await again.close();
  });
});

test("a record log puts its records in order, in memory and in the file, and goes on behind them", async () => {
  const run = await openRun();
  const log = await run.openRecords<{ task: number; first?: boolean }>("trajectories");
  for (const task of [3, 1, 2]) log.append({ task });
  log.append({ task: 1, first: false });
  await log.arrange(({ task }) => task);
  const ordered = [{ task: 1 }, { task: 1, first: false }, { task: 2 }, { task: 3 }];
  expect(log.records).toEqual(ordered);
  log.append({ task: 4 });
  await log.close();
  expect(await readJsonl(run.path("trajectories.jsonl"))).toEqual([...ordered, { task: 4 }]);
  expect((await readdir(directory)).filter((name) => name.endsWith("tmp"))).toEqual([]);
  await run.close();
});

describe("stages", () => {
  test("run once and afterwards give the stored summary", async () => {
    let runs = 0;
    const work = async (): Promise<{ solved: number; nothing?: string | undefined }> => {
      runs++;
      return { solved: 3, nothing: undefined };
    };
    const run = await openRun();
    const fresh = await run.stage("iteration-0/rollouts", work);
    expect(await run.isFinished("iteration-0/rollouts")).toBe(true);
    expect(await run.isFinished("iteration-0/verifier")).toBe(false);
    await run.close();
    const again = await openRun();
    expect(await again.stage("iteration-0/rollouts", work)).toEqual(fresh);
    expect(Object.keys(fresh)).toEqual(["solved"]);
    expect(runs).toBe(1);
    await again.close();
  });

  test("that fail have no manifest, run again, and their time counts", async () => {
    const run = await openRun();
    await expect(
      run.stage("fit", async (stage) => {
        stage.spend("training", 2, { examples: 10 });
        throw new Error("no luck");
      }),
    ).rejects.toThrow("no luck");
    expect(await run.isFinished("fit")).toBe(false);
    await run.stage("fit", async (stage) => {
      stage.spend("training", 3, { examples: 20 });
      stage.spend("training", 1, { examples: 5, steps: 1 });
      stage.spend("grading", 0.5);
    });
    const totals = await run.totals();
    expect(totals.resources).toEqual({
      training: { seconds: 6, counts: { examples: 35, steps: 1 } },
      grading: { seconds: 0.5, counts: {} },
    });
    const lines = await readJsonl<{ stage: string; finished: boolean }>(run.path("metrics.jsonl"));
    expect(lines.map(({ stage, finished }) => [stage, finished])).toEqual([
      ["fit", false],
      ["fit", true],
    ]);
    const manifest = JSON.parse(await readFile(run.path("fit.done.json"), "utf8")) as { seconds: number };
    expect(manifest.seconds).toBeCloseTo(totals.stages["fit"] as number, 5);
    await run.close();
  });

  test("may overlap", async () => {
    const run = await openRun();
    const names = ["a", "b", "c", "d"];
    expect(await Promise.all(names.map((name) => run.stage(name, async () => name)))).toEqual(names);
    expect(await readJsonl(run.path("metrics.jsonl"))).toHaveLength(4);
    await run.close();
  });

  test("whose summary JSON cannot hold fail instead of being remembered wrongly", async () => {
    const run = await openRun();
    await expect(run.stage("bad", async () => ({ loss: Number.NaN }))).rejects.toThrow(StoreError);
    expect(await run.isFinished("bad")).toBe(false);
    await run.close();
  });

  test("with a damaged manifest name the file", async () => {
    const run = await openRun();
    await writeFile(run.path("fit.done.json"), "{");
    await expect(run.stage("fit", async () => 1)).rejects.toThrow(
      /fit\.done\.json is not a stage's manifest; delete it/,
    );
    await run.close();
  });
});
