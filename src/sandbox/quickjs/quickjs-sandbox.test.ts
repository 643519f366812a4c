import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { untilComputing } from "../../../test/computing.ts";
import { HASTY_MS, PATIENT_MS } from "../../../test/cpu-limits.ts";
import { until, whileRunning } from "../../../test/until.ts";
import { SandboxError } from "../../errors.ts";
import type { ProgramJob } from "../sandbox.ts";
import { type QuickjsSandbox, createQuickjsSandbox } from "./quickjs-sandbox.ts";

const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 64 * 2 ** 20 };
const hasty = { ...limits, cpuTimeMs: HASTY_MS };
const job = (program: string, calls: string[], more: Partial<ProgramJob> = {}): ProgramJob => ({
  program,
  calls,
  limits,
  ...more,
});
const LOOP = "const f = (x) => { while (x === 0) {} return x; };";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the QuickJS sandbox", () => {
  let sandbox: QuickjsSandbox;
  beforeAll(async () => {
    sandbox = await createQuickjsSandbox({ workers: 1 });
    await sandbox.ready();
  });
  afterAll(() => sandbox.close());

  test("runs a program once and evaluates calls in order", async () => {
    const program = "let n = 0;\nfunction f(x) {\n  n++;\n  return [n, x, { a: undefined }];\n}\n";
    const result = await sandbox.run(job(program, ["f(1)", "f('é')", "f", "null.x"]));
    expect(result).toEqual({
      kind: "finished",
      calls: [
        { kind: "value", encoded: '[n1,n1,{"a":u}]', shown: '[1, 1, {"a": undefined}]' },
        { kind: "value", encoded: '[n2,"é",{"a":u}]', shown: '[2, "é", {"a": undefined}]' },
        { kind: "value", encoded: "?1function", shown: "[function]" },
        {
          kind: "raised",
          exception: "TypeError: cannot read property 'x' of null",
          traceback: "TypeError: cannot read property 'x' of null",
        },
      ],
      cpuTimeMs: expect.any(Number) as number,
    });
    expect(result.cpuTimeMs).toBeGreaterThan(0);
    expect(result.cpuTimeMs).toBeLessThan(limits.cpuTimeMs);
  });

  test("reports what the program itself or the setup code threw, with the program's own lines", async () => {
    expect(await sandbox.run(job("const a = 1;\nfunction f(:\n", []))).toMatchObject({
      kind: "raised",
      exception: "SyntaxError: missing formal parameter (line 2)",
    });
    const program = "function g() {\n  return null.x;\n}\nconst y = g();\n";
    expect(await sandbox.run(job(program, ["y"], { entryPoint: "y" }))).toMatchObject({
      kind: "raised",
      exception: "TypeError: cannot read property 'x' of null",
      traceback:
        "line 4\n    const y = g();\nline 2, in g\n    return null.x;\nTypeError: cannot read property 'x' of null",
    });
    expect(await sandbox.run(job("const x = 1;", ["x"], { setupCode: "const y = x + z;" }))).toMatchObject({
      kind: "raised",
      exception: "ReferenceError: 'z' is not defined",
    });
    expect(await sandbox.run(job("throw { code: 7 };", []))).toMatchObject({
      kind: "raised",
      exception: 'Uncaught {"code": 7}',
    });
    expect(await sandbox.run(job("const x = 1;", ["y"], { setupCode: "const y = x + 1;" }))).toMatchObject({
      kind: "finished",
      calls: [{ encoded: "n2" }],
    });
  });

  test("a call's value is what its promise resolves to, and time jumps over timers", async () => {
    const program = `
      const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      async function f(x) { await later(1e9); return x; }
      let ticks = 0;
      const done = new Promise((resolve) => { const id = setInterval(() => { if (++ticks === 3) { clearInterval(id); resolve(ticks); } }, 50); });
    `;
    const calls = ["f(1)", "done", "Promise.reject(new RangeError('no'))", "new Promise(() => {})"];
    expect(await sandbox.run(job(program, calls))).toMatchObject({
      kind: "finished",
      calls: [
        { encoded: "n1" },
        { encoded: "n3" },
        { kind: "raised", exception: "RangeError: no" },
        { kind: "raised", exception: "Error: the promise was never settled" },
      ],
    });
    const typed = await sandbox.run(job(program, ["f(1)"], { encoding: "typed" }));
    expect(typed).toMatchObject({ calls: [{ encoded: '["promise",1]' }] });
  });

  test("says how a program was stopped and keeps the calls finished before", async () => {
    const calls = ["f(5)", "f(0)", "f(5)"];
    const before = [{ kind: "value", encoded: "n5" }];
    const timedOut = await sandbox.run(job(LOOP, calls, { limits: hasty }));
    expect(timedOut).toMatchObject({ kind: "timed-out", calls: before });
    expect(timedOut.cpuTimeMs).toBeGreaterThanOrEqual(HASTY_MS);
    const hungry = "const f = (x) => x || Array(1e8).fill(0);";
    expect(await sandbox.run(job(hungry, calls))).toMatchObject({ kind: "out-of-memory", calls: before });
    const leaving = "const f = (x) => x || process.exit();";
    expect(await sandbox.run(job(leaving, calls))).toMatchObject({ kind: "exited", calls: before });
  });

  test("a program that reads standard input gives back what it printed", async () => {
    const program = `
      const lines = require("fs").readFileSync(0, "utf8").trim().split("\\n");
      console.log(lines.length, lines.map(Number).reduce((a, b) => a + b));
      console.error("not this");
      process.stdout.write("é");
      process.exit(0);
    `;
    expect(await sandbox.run(job(program, [], { stdin: "1\n2\n39\n" }))).toMatchObject({
      kind: "finished",
      calls: [],
      stdout: "3 42\né",
    });
    expect(await sandbox.run(job("process.exit(3)", [], { stdin: "" }))).toMatchObject({ kind: "exited" });
    expect(await sandbox.run(job("console.log('x')", ["1"]))).not.toHaveProperty("stdout");
  });

  test("starts every program from the same state, chance included", async () => {
    const program = "const x = [Math.random(), globalThis.mark]; globalThis.mark = Array.prototype.mark = 1;";
    const first = await sandbox.run(job(program, ["x", "[].mark"]));
    const second = await sandbox.run(job(program, ["x", "[].mark"]));
    expect(first).toMatchObject({ kind: "finished" });
    expect(second.kind === "finished" && second.calls).toEqual(first.kind === "finished" && first.calls);
  });

  test("what the program finds is the language and a few harmless things", async () => {
    const known =
      "atob btoa console exports module performance process require structuredClone queueMicrotask setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate";
    const calls = [
      "Object.getOwnPropertyNames(globalThis).filter((name) => !/^[A-Z]/.test(name)).join(' ')",
      "[typeof std, typeof os, typeof fetch, typeof Atomics, typeof WebAssembly].join()",
      "import('fs').then(() => 'loaded')",
      "require('child_process')",
      "require('fs').readFileSync('/etc/passwd')",
    ];
    const result = await sandbox.run(job("", calls));
    expect(result).toMatchObject({ kind: "finished" });
    const [globals, hosts, ...refused] = result.kind === "finished" ? result.calls : [];
    const names = globals?.kind === "value" ? (JSON.parse(globals.encoded) as string).split(" ") : [];
    const language = "parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent";
    const others = "escape unescape undefined eval globalThis";
    expect(names.toSorted()).toEqual(`${known} ${language} ${others}`.split(" ").toSorted());
    expect(hosts).toMatchObject({ encoded: '"undefined,undefined,undefined,undefined,undefined"' });
    expect(refused.map(({ kind }) => kind)).toEqual(["raised", "raised", "raised"]);
  });

  test("does not block the event loop while a program computes", async () => {
    let turns = 0;
    await whileRunning(sandbox.run(job(LOOP, ["f(0)"], { limits: hasty })), () => turns++);
    expect(turns).toBeGreaterThan(3);
  });

  test("rejects aborted jobs, running or waiting, with the signal's reason and goes on", async () => {
    const controller = new AbortController();
    const running = sandbox.run(job(LOOP, ["f(0)"]), controller.signal);
    const waiting = sandbox.run(job(LOOP, ["f(0)"]), controller.signal);
    const other = sandbox.run(job(LOOP, ["f(2)"]));
    const rejected = [running, waiting].map((one) => expect(one).rejects.toThrow("enough"));
    await untilComputing(() => sandbox.pids());
    controller.abort(new Error("enough"));
    await Promise.all(rejected);
    await expect(sandbox.run(job("", []), controller.signal)).rejects.toThrow("enough");
    expect(await other).toMatchObject({ kind: "finished" });
  });

  test("runs a job again when its process is killed, and gives up when that happens every time", async () => {
    const once = sandbox.run(job("for (let i = 0; i < 3e6; i++);", ["1"]));
    await untilComputing(() => sandbox.pids(), once);
    process.kill(sandbox.pids()[0] as number, "SIGKILL");
    expect(await once).toMatchObject({ kind: "finished" });

    const hopeless = sandbox.run(job(LOOP, ["f(0)"]));
    const kill = (): void => {
      for (const pid of sandbox.pids().filter(isAlive)) process.kill(pid, "SIGKILL");
    };
    await expect(whileRunning(hopeless, kill)).rejects.toThrow(SandboxError);
    expect(await sandbox.run(job("", ["1"]))).toMatchObject({ kind: "finished" });
  });

  test("closing kills every process and refuses further jobs", async () => {
    const other = await createQuickjsSandbox({ workers: 2 });
    await other.ready();
    const pids = other.pids();
    const running = other.run(job(LOOP, ["f(0)"]));
    await Promise.all([other.close(), expect(running).rejects.toThrow(SandboxError)]);
    expect(pids).toHaveLength(2);
    expect(pids.filter(isAlive)).toEqual([]);
    await expect(other.run(job("", []))).rejects.toThrow(SandboxError);
  });

  test.runIf(process.platform === "linux")("a process that is replaced leaves no other behind", async () => {
    const children = (): string => readFileSync(`/proc/self/task/${process.pid}/children`, "latin1").trim();
    const before = children().split(" ").length;
    for (let i = 0; i < 2; i++) {
      const killed = sandbox.run(job("for (let i = 0; i < 3e6; i++);", ["1"]));
      await untilComputing(() => sandbox.pids(), killed);
      process.kill(sandbox.pids()[0] as number, "SIGKILL");
      expect(await killed).toMatchObject({ kind: "finished" });
    }
    await until(() => children().split(" ").length <= before);
    expect(children().split(" ")).toHaveLength(before);
  });

  test.runIf(process.platform === "linux")("its processes have an empty environment", async () => {
    await sandbox.run(job("", []));
    const environment = readFileSync(`/proc/${sandbox.pids()[0]}/environ`, "latin1");
    // Node itself names the channel to the parent there.
    expect(environment.split("\0").filter((line) => line && !line.startsWith("NODE_CHANNEL_"))).toEqual([]);
  });
});
