import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { untilComputing } from "../../../test/computing.ts";
import { HASTY_MS, PATIENT_MS } from "../../../test/cpu-limits.ts";
import { until, whileRunning } from "../../../test/until.ts";
import type { ProgramJob } from "../sandbox.ts";
import { createPyodideSandbox, type PyodideSandbox } from "./pyodide-sandbox.ts";
import { ensureSnapshot } from "./snapshot.ts";

const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 64 * 2 ** 20 };
const job = (program: string, calls: string[], more: Partial<ProgramJob> = {}): ProgramJob => ({
  program,
  calls,
  limits,
  ...more,
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the Pyodide sandbox", () => {
  let sandbox: PyodideSandbox;
  beforeAll(async () => {
    sandbox = await createPyodideSandbox({ workers: 1 });
    await sandbox.ready();
  });
  afterAll(() => sandbox.close());

  test("runs a program once and evaluates calls in order", async () => {
    const program = "n = 0\ndef f(x):\n    global n\n    n += 1\n    return [n, x, {'a': 2.0}]\n";
    expect(await sandbox.run(job(program, ["f(1)", "f((None, b'x'))", "f", "1 / 0"]))).toEqual({
      kind: "finished",
      cpuTimeMs: expect.any(Number) as number,
      calls: [
        { kind: "value", encoded: "[q1/1,q1/1,d{s1:a=q2/1}]", shown: "[1, 1, {'a': 2.0}]" },
        { kind: "value", encoded: "[q2/1,(N,b78),d{s1:a=q2/1}]", shown: "[2, (None, b'x'), {'a': 2.0}]" },
        { kind: "value", encoded: "?1function", shown: expect.stringContaining("<function f at ") as string },
        {
          kind: "raised",
          exception: "ZeroDivisionError: division by zero",
          traceback: "ZeroDivisionError: division by zero",
        },
      ],
    });
  });

  test("keeps types apart in the typed encoding", async () => {
    const result = await sandbox.run(job("", ["[1, 1.5, True, 'é']", "float('nan')", "object"], { encoding: "typed" }));
    expect(result.kind === "finished" && result.calls.map((call) => call.kind === "value" && call.encoded)).toEqual([
      '["list",[["int","1"],["float","0x1.8000000000000p+0"],true,"\\u00e9"]]',
      '["float","nan"]',
      '["?","?1type"]',
    ]);
  });

  test("reports what the program itself or the setup code raised, with the program's own lines", async () => {
    expect(await sandbox.run(job("def f(:\n", []))).toMatchObject({
      kind: "raised",
      exception: "SyntaxError: invalid syntax (line 1)",
    });
    expect(await sandbox.run(job("def g():\n    return [][1]\nx = g()\n", ["x"], { entryPoint: "x" }))).toMatchObject({
      kind: "raised",
      exception: "IndexError: list index out of range",
      traceback:
        "line 3, in <module>\n    x = g()\nline 2, in g\n    return [][1]\nIndexError: list index out of range",
    });
    expect(await sandbox.run(job("x = 1\n", ["x"], { setupCode: "y = x + z" }))).toMatchObject({
      kind: "raised",
      exception: "NameError: name 'z' is not defined",
    });
    expect(await sandbox.run(job("x = 1\n", ["y"], { setupCode: "y = x + 1" }))).toMatchObject({ kind: "finished" });
  });

  test("starts every program from the same state, chance included", async () => {
    const program =
      "import random, os, builtins\nrandom.seed()\nx = (random.random(), os.urandom(8), hasattr(builtins, 'mark'))\nbuiltins.mark = 1\n";
    const first = await sandbox.run(job(program, ["x"]));
    expect(first).toMatchObject({ kind: "finished" });
    expect(await sandbox.run(job(program, ["x"]))).toEqual({ ...first, cpuTimeMs: expect.any(Number) as number });
  });

  test("runs what ordinary programs use: asyncio, standard modules, deep recursion, files of their own", async () => {
    const program = `
import asyncio, functools, re, sys, statistics, decimal
async def one(i):
    await asyncio.sleep(0.001)
    return i
async def many():
    return await asyncio.gather(*[one(i) for i in range(3)])
@functools.lru_cache(None)
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
sys.setrecursionlimit(20000)
def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)
def files():
    with open('/tmp/a.txt', 'w') as f:
        f.write('hello')
    return open('/tmp/a.txt').read()
`;
    const calls = [
      "asyncio.run(many())",
      "depth(900)",
      "deep(15000)",
      "files()",
      "statistics.mean([1, 2])",
      "re.sub('a', 'b', 'aa')",
    ];
    const result = await sandbox.run(job(program, calls));
    expect(
      result.kind === "finished" && result.calls.map((call) => (call.kind === "value" ? call.shown : call.exception)),
    ).toEqual(["[0, 1, 2]", "900", "15000", "'hello'", "1.5", "'bb'"]);
  });

  test("does not block the event loop while a program computes", async () => {
    let turns = 0;
    const endless = job("while True:\n    pass\n", [], { limits: { ...limits, cpuTimeMs: HASTY_MS } });
    await whileRunning(sandbox.run(endless), () => turns++);
    expect(turns).toBeGreaterThan(3);
  });
});

describe("processes and images of the Pyodide sandbox", () => {
  test.skipIf(process.platform === "win32")("a computing child ends when its parent is killed", async () => {
    const host = fileURLToPath(new URL("./host.mjs", import.meta.url));
    const folder = fileURLToPath(new URL(".", import.meta.resolve("pyodide/package.json")));
    const parent = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import { spawn } from "node:child_process";
         const config = JSON.stringify({ pyodideFolder: ${JSON.stringify(folder)}, parentPid: process.pid });
         const child = spawn(process.execPath, [${JSON.stringify(host)}, config], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
         child.send({ prepare: { source: "def step(text):\\n    while True: pass" } });
         child.once("message", () => {
           child.send({ id: 1, steps: ["x"], memoryBytes: 2 ** 26 }, () => console.log(child.pid));
         });`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const pid = Number(await new Promise<Buffer>((resolve) => parent.stdout.once("data", resolve)));
    await untilComputing(() => [pid]);
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await until(() => !isAlive(pid));
  });

  test("images are written once when several start at the same time, and done without where they cannot be", async () => {
    const directory = await mkdtemp(join(tmpdir(), "mucode-snapshots-"));
    try {
      const source = "def step(text):\n    return text\n";
      const [first, second] = await Promise.all([ensureSnapshot(source, directory), ensureSnapshot(source, directory)]);
      expect(second).toBe(first);
      expect((await readdir(directory)).map((name) => join(directory, name))).toEqual([first]);

      await writeFile(join(directory, "file"), "");
      const cold = await createPyodideSandbox({ workers: 1, snapshotDirectory: join(directory, "file", "below") });
      expect(await cold.run(job("", ["1 + 1"]))).toMatchObject({ kind: "finished", calls: [{ encoded: "q2/1" }] });
      await cold.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("a new image pushes out those that were not used for longest", async () => {
    const directory = await mkdtemp(join(tmpdir(), "mucode-snapshots-"));
    try {
      for (let age = 1; age <= 9; age++) {
        const file = join(directory, `${age}.snapshot`);
        await writeFile(file, "image");
        const used = new Date(Date.UTC(2025, 0, 31 - age));
        await utimes(file, used, used);
      }
      const made = await ensureSnapshot("def step(text):\n    return text\n", directory);
      const kept = [1, 2, 3, 4, 5, 6].map((age) => `${age}.snapshot`);
      expect((await readdir(directory)).toSorted()).toEqual([...kept, basename(made!)].toSorted());
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test.runIf(process.platform === "linux")("children have an empty environment", async () => {
    const sandbox = await createPyodideSandbox({ workers: 1 });
    await sandbox.ready();
    const environment = await new Promise<string>((resolve) => {
      execFile("cat", [`/proc/${sandbox.pids()[0]}/environ`], (_, text) => resolve(text));
    });
    await sandbox.close();
    // Node itself names the channel to the parent there.
    expect(environment.split("\0").filter((line) => line && !line.startsWith("NODE_CHANNEL_"))).toEqual([]);
  });
});
