/** What is left after `kill -9`: a child process writes a run with the real store and is killed at a random moment. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../test/until.ts";
import { ConfigError } from "../errors.ts";
import { createRandom } from "../random.ts";
import { readJsonl } from "./jsonl.ts";
import { openRunDirectory } from "./run-directory.ts";

const source = dirname(fileURLToPath(import.meta.url));
const versions = { mucode: "1" };
const configuration = { seed: 1 };

/** Goes on where it finds the run: one record per task, a stage that ends when all are there. */
const child = `
import { openRunDirectory } from "./dist/store/run-directory.js";
import { openJsonl, readJsonl } from "./dist/store/jsonl.js";
const run = await openRunDirectory({ directory: process.argv[2], configuration: { seed: 1 }, versions: { mucode: "1" } });
console.log("open");
await run.stage("rollouts", async () => {
  const file = run.path("records.jsonl");
  const done = (await readJsonl(file)).length;
  const writer = await openJsonl(file);
  for (let task = done; task < 400; task++) {
    writer.append({ task, text: "x".repeat(20_000) });
    if (task % 7 === 0) await writer.flush();
    if (task % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await writer.close();
  return { tasks: 400 };
});
console.log("done");
if (process.argv[3] === "stay") await new Promise((resolve) => setInterval(() => {}, 1000));
await run.close();
`;

let workplace: string;

beforeAll(async () => {
  // The child runs plain Node, so the store is compiled for it.
  workplace = await mkdtemp(join(tmpdir(), "mucode-kill-"));
  await mkdir(join(workplace, "src"));
  await cp(source, join(workplace, "src", "store"), { recursive: true, filter: (file) => !file.endsWith(".test.ts") });
  await cp(join(source, "..", "errors.ts"), join(workplace, "src", "errors.ts"));
  await writeFile(join(workplace, "package.json"), '{ "type": "module" }');
  await writeFile(join(workplace, "child.js"), child);
  const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
  const options = ["--rootDir", "src", "--outDir", "dist", "--module", "nodenext", "--target", "es2023", "--noCheck"];
  const files = [join("src", "store", "run-directory.ts"), join("src", "store", "jsonl.ts")];
  execFileSync(
    process.execPath,
    [join(typescript, "bin", "tsc"), ...options, "--rewriteRelativeImportExtensions", ...files],
    { cwd: workplace },
  );
});
afterAll(async () => {
  await rm(workplace, { recursive: true, force: true });
});

interface Running {
  readonly process: ChildProcess;
  said(line: string): Promise<void>;
  readonly ended: Promise<void>;
}

function start(directory: string, ...more: string[]): Running {
  const running = spawn(process.execPath, [join(workplace, "child.js"), directory, ...more], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  running.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const waiting = new Set<() => void>();
  running.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    for (const look of waiting) look();
  });
  const ended = new Promise<void>((resolve) => running.on("close", () => resolve()));
  const said = (line: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(`${line}\n`)) resolve();
      };
      waiting.add(look);
      look();
      void ended.then(() => reject(new Error(`the child ended without saying ${line}: ${errors}`)));
    });
  return { process: running, said, ended };
}

test("a run killed again and again loses nothing finished, and completes", async () => {
  const directory = join(workplace, "killed-run");
  const random = createRandom("kill");
  const file = join(directory, "records.jsonl");
  const written = (): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  let finished = 0;
  for (let kill = 0; kill < 5; kill++) {
    const running = start(directory);
    await running.said("open");
    // Wherever it is by then; it may have written everything.
    const enough = written() + random() * 1_500_000;
    await until(() => written() >= enough || running.process.exitCode !== null);
    running.process.kill("SIGKILL");
    await running.ended;
    const records = await readJsonl<{ task: number }>(file);
    expect(records.map(({ task }) => task)).toEqual(records.map((_, index) => index));
    expect(records.length).toBeGreaterThanOrEqual(finished);
    finished = records.length;
  }
  const last = start(directory);
  await last.said("done");
  await last.ended;
  const run = await openRunDirectory({ directory, configuration, versions });
  const summary = await run.stage("rollouts", () => Promise.reject(new Error("the stage is finished")));
  expect(summary).toEqual({ tasks: 400 });
  expect(await readJsonl(run.path("records.jsonl"))).toHaveLength(400);
  await run.close();
});

test("a lock holds against another process while its holder lives, and no longer once that is killed", async () => {
  const directory = join(workplace, "locked-run");
  const holder = start(directory, "stay");
  await holder.said("done");
  await expect(openRunDirectory({ directory, configuration, versions })).rejects.toThrow(ConfigError);
  await expect(openRunDirectory({ directory, configuration, versions })).rejects.toThrow(
    `process ${holder.process.pid} is writing this run`,
  );
  holder.process.kill("SIGKILL");
  await holder.ended;
  const run = await openRunDirectory({ directory, configuration, versions });
  expect(run.resumed).toBe(true);
  expect(await run.isFinished("rollouts")).toBe(true);
  await run.close();
});
