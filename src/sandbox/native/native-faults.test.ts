import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { untilComputing } from "../../../test/computing.ts";
import { HASTY_MS, PATIENT_MS } from "../../../test/cpu-limits.ts";
import { until, whileRunning } from "../../../test/until.ts";
import { ConfigError, SandboxError } from "../../errors.ts";
import type { ProgramJob } from "../sandbox.ts";
import { type NativeSandbox, createNativeSandbox } from "./native-sandbox.ts";
import { probeNativeSandbox } from "./probe.ts";

const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 64 * 2 ** 20 };
const hasty = { ...limits, cpuTimeMs: HASTY_MS };
const job = (program: string, calls: string[], more: Partial<ProgramJob> = {}): ProgramJob => ({
  program,
  calls,
  limits,
  ...more,
});
const LOOP = "def f(x):\n    while x == 0:\n        pass\n    return x\n";
const ALONE = { kind: "finished", calls: [{ kind: "value", shown: "5" }] };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Alive, and not merely waiting for its parent to take note of its end. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** Ids of the processes whose parent is `pid`. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

const probe = await probeNativeSandbox();
const reason = probe.available ? "" : ` (skipped: ${probe.reason})`;

describe.skipIf(!probe.available)(`programs that cheat or do harm in the native sandbox${reason}`, () => {
  let sandbox: NativeSandbox;
  beforeAll(async () => {
    sandbox = await createNativeSandbox({ workers: 1 });
    await sandbox.ready();
  });
  afterAll(() => sandbox.close());

  const frame = (text: string): string => `(len(b'${text}').to_bytes(4, 'little') + b'${text}')`;
  const OK = frame('["ok"]');
  const SIX = frame('["value","q6/1","6"]');
  const cheats: Record<string, string> = {
    "forges the frame of a call and lets the runner go on": `def f(x):\n    os.write(4, ${SIX})\n    return 0\n`,
    "forges all frames before any call": `os.write(4, ${OK} + ${SIX} * 2)\ndef f(x):\n    return 0\n`,
    "forges frames one by one, reading the calls itself": `for answer in (${OK}, ${SIX}):\n    os.write(4, answer)\n    os.read(3, 4096)\nos.write(4, ${SIX})\nos._exit(1)\n`,
    "answers twice": `def f(x):\n    os.write(4, ${SIX} * 2)\n    os._exit(0)\n`,
    "writes half a frame": `def f(x):\n    os.write(4, ${SIX}[:9])\n    os._exit(0)\n`,
    "announces four gigabytes":
      "def f(x):\n    os.write(4, b'\\xff' * 4)\n    while True:\n        os.write(4, bytes(65536))\n",
    "writes what is no frame": `def f(x):\n    os.write(4, ${frame("[[6]]")})\n    os._exit(0)\n`,
    "closes the channel": "os.close(4)\ndef f(x):\n    return 6\n",
    "writes to every descriptor": `for fd in range(100):\n    try:\n        os.write(fd, ${SIX})\n    except OSError:\n        pass\ndef f(x):\n    return 0\n`,
    "leaves with status 0": "os._exit(0)\n",
  };
  test.for(Object.entries(cheats))("gives nothing to a program that %s", async ([, program]) => {
    const calls = ["f(3)", "f(3)"];
    const result = await sandbox.run(job(`import os\n${program}`, calls, { limits: hasty }));
    expect(result.kind).toMatch(/^(exited|timed-out)$/);
    expect(await sandbox.run(job("", ["2 + 3"]))).toMatchObject(ALONE);
  });

  test("lets no program signal another, not even through a descriptor's owner", async () => {
    const victim = spawn("sleep", ["86400"]);
    const pid = victim.pid as number;
    const program = `
import fcntl, os, signal
def tried(action):
    try:
        return repr(action())
    except OSError as e:
        return type(e).__name__
def owner():
    r, w = os.pipe()
    fcntl.fcntl(r, fcntl.F_SETOWN, ${pid})
    fcntl.fcntl(r, 10, 9)
    fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)
    os.write(w, b'x')
`;
    const attempts = [`os.kill(${pid}, 9)`, `os.killpg(${pid}, 9)`, "os.kill(-1, 9)", "os.kill(0, 9)", "owner()"];
    const pids = sandbox.pids();
    const result = await sandbox.run(
      job(
        program,
        attempts.map((attempt) => `tried(lambda: ${attempt})`),
      ),
    );
    expect(result).toMatchObject({ calls: attempts.map(() => ({ shown: "'PermissionError'" })) });
    expect(sandbox.pids()).toEqual(pids);
    // The first signal that reaches it is this one.
    victim.kill("SIGTERM");
    expect(await once(victim, "exit")).toEqual([null, "SIGTERM"]);
  });

  test("ends threads with their program and bounds how many there are", async () => {
    const program = `
import threading, time
threading.stack_size(32768)
started = []
def bomb():
    try:
        for _ in range(100000):
            thread = threading.Thread(target=time.sleep, args=(1000,))
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):
        pass
    return len(started)
`;
    const result = await sandbox.run(job(program, ["bomb() < 2000"], { limits: hasty }));
    expect(result.kind).toMatch(/^(finished|exited|out-of-memory|timed-out)$/);
    expect(childrenOf(sandbox.pids()[0] as number)).toEqual([]);
    const background =
      "import threading\ndef spin():\n    while True:\n        pass\nthreading.Thread(target=spin).start()\n";
    expect(await sandbox.run(job(background, ["2 + 3"]))).toMatchObject(ALONE);
    expect(childrenOf(sandbox.pids()[0] as number)).toEqual([]);
    const spinning = await sandbox.run(job(background, ["[spin() for _ in range(3)]"], { limits: hasty }));
    expect(spinning.kind).toBe("timed-out");
  });

  test("makes no processes", async () => {
    const attempts = [
      "os.fork()",
      "os.system('true')",
      "subprocess.run(['true'])",
      "os.execv('/bin/true', ['true'])",
      "os.posix_spawn('/bin/true', ['true'], {})",
      "multiprocessing.Process(target=print).start()",
    ];
    const program =
      "import multiprocessing, os, subprocess\ndef tried(action):\n    try:\n        return action()\n    except OSError as e:\n        return 'refused'\n";
    const result = await sandbox.run(
      job(
        program,
        attempts.map((attempt) => `tried(lambda: ${attempt}) in ('refused', -1, 32512)`),
      ),
    );
    expect(result).toMatchObject({ kind: "finished", calls: attempts.map(() => ({ shown: "True" })) });
  });

  test("throws away what is printed by a program with calls, and bounds what a script prints", async () => {
    const flood = "def f(x):\n    for _ in range(100):\n        print('x' * 10 ** 6)\n    return x\n";
    expect(await sandbox.run(job(flood, ["f(5)"]))).toMatchObject(ALONE);
    const endless = await sandbox.run(job("while True:\n    print('x' * 10 ** 6)\n", [], { stdin: "" }));
    expect(endless).toMatchObject({ kind: "raised", exception: "OSError: [Errno 27] File too large" });
  });

  test("hears of no later call before the earlier ones are answered", async () => {
    const program = `
import os
def peek():
    os.set_blocking(3, False)
    try:
        return os.read(3, 4096)
    except BlockingIOError:
        return None
    finally:
        os.set_blocking(3, True)
`;
    expect(await sandbox.run(job(program, ["peek()", "'secret call'"]))).toMatchObject({
      kind: "finished",
      calls: [{ shown: "None" }, { shown: "'secret call'" }],
    });
  });
});

describe.skipIf(!probe.available)(`faults around the native sandbox${reason}`, () => {
  test("jobs whose process is killed run again: none lost, none doubled, none mixed up", async () => {
    const sandbox = await createNativeSandbox({ workers: 2 });
    await sandbox.ready();
    let kills = 0;
    let done = 0;
    const numbers = Array.from({ length: 400 }, (_, i) => i);
    const results = await Promise.all(
      numbers.map(async (i) => {
        const result = await sandbox.run(job("import time\ntime.sleep(0.004)\n", [`${i} * 2`, `str(${i})`]));
        // The next jobs are under way in both.
        const pid = ++done % 50 === 0 ? sandbox.pids()[kills % 2] : undefined;
        if (pid !== undefined) kills += Number(process.kill(pid, "SIGKILL"));
        return result;
      }),
    );
    expect(kills).toBeGreaterThan(3);
    expect(
      results.map((result) => "calls" in result && result.calls.map((call) => "shown" in call && call.shown)),
    ).toEqual(numbers.map((i) => [String(i * 2), `'${i}'`]));
    await sandbox.close();
  });

  test("gives up with a SandboxError when the process is killed every time, then works again", async () => {
    const sandbox = await createNativeSandbox({ workers: 1 });
    const hopeless = sandbox.run(job(LOOP, ["f(0)"]));
    const kill = (): void => {
      for (const pid of sandbox.pids()) if (childrenOf(pid).length > 0) process.kill(pid, "SIGKILL");
    };
    await expect(whileRunning(hopeless, kill)).rejects.toThrow(SandboxError);
    expect(await sandbox.run(job("", ["2 + 3"]))).toMatchObject(ALONE);
    await sandbox.close();
  });

  test("a program ends with its zygote", async () => {
    const sandbox = await createNativeSandbox({ workers: 1 });
    await sandbox.ready();
    const [pid] = sandbox.pids() as [number];
    const running = sandbox.run(job(LOOP, ["f(0)"]));
    await until(() => childrenOf(pid).length === 1);
    const [child] = childrenOf(pid) as [number];
    process.kill(pid, "SIGKILL");
    await until(() => !isRunning(child));
    await Promise.all([sandbox.close(), expect(running).rejects.toThrow(SandboxError)]);
    expect(isRunning(pid)).toBe(false);
  });

  test("an aborted job is stopped at once, and its worker goes on", async () => {
    const sandbox = await createNativeSandbox({ workers: 1 });
    await sandbox.ready();
    const [pid] = sandbox.pids();
    const controller = new AbortController();
    const running = sandbox.run(job(LOOP, ["f(0)"]), controller.signal);
    const waiting = sandbox.run(job(LOOP, ["f(1)"]), controller.signal);
    const other = sandbox.run(job(LOOP, ["f(5)"]));
    const rejected = [running, waiting].map((one) => expect(one).rejects.toThrow("enough"));
    await untilComputing(() => sandbox.pids());
    controller.abort(new Error("enough"));
    await Promise.all(rejected);
    await expect(sandbox.run(job("", []), controller.signal)).rejects.toThrow("enough");
    expect(await other).toMatchObject(ALONE);
    expect(sandbox.pids()).toEqual([pid]);
    await sandbox.close();
  });

  test("closing ends every process, the running program's too, and refuses further jobs", async () => {
    const sandbox = await createNativeSandbox({ workers: 2 });
    await sandbox.ready();
    const running = sandbox.run(job(LOOP, ["f(0)"]));
    const pids = sandbox.pids();
    await until(() => pids.some((pid) => childrenOf(pid).length > 0));
    const children = pids.flatMap(childrenOf);
    await Promise.all([sandbox.close(), expect(running).rejects.toThrow(SandboxError)]);
    expect([pids.length, children.length]).toEqual([2, 1]);
    expect([...pids, ...children].filter(isAlive)).toEqual([]);
    await expect(sandbox.run(job("", []))).rejects.toThrow(SandboxError);
  });

  test("memory and descriptors stay flat over fifteen hundred programs", async () => {
    const sandbox = await createNativeSandbox({ workers: 2 });
    await sandbox.ready();
    const pids = sandbox.pids();
    const residentKb = (pid: number): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    const program = (i: number): ProgramJob =>
      i % 3 === 0
        ? job("print(input() * 1000)", [], { stdin: "abc\n" })
        : job(i % 3 === 1 ? "x = [0] * 10 ** 5\n" : "x = 1 / 0", ["len(x)", "'y' * 10 ** 5"]);
    const round = (n: number) => Promise.all(Array.from({ length: n }, (_, i) => sandbox.run(program(i))));
    await round(300);
    const before = pids.map(residentKb);
    const mine = readdirSync("/proc/self/fd").length;
    await round(1200);
    expect(sandbox.pids()).toEqual(pids);
    expect(pids.map((pid, i) => residentKb(pid) - (before[i] as number) < 2000)).toEqual([true, true]);
    expect(readdirSync("/proc/self/fd").length - mine).toBeLessThan(4);
    expect(pids.flatMap(childrenOf)).toEqual([]);
    await sandbox.close();
  });

  test("an unsuitable Python is a mistake of the user's, with the reason", async () => {
    await expect(createNativeSandbox({ python: "no-such-python" })).rejects.toThrow(ConfigError);
    expect(await probeNativeSandbox({ python: "no-such-python" })).toEqual({
      available: false,
      reason: "no-such-python is not installed (or not on the PATH)",
    });
    expect(await probeNativeSandbox({ python: "true" })).toMatchObject({ available: false });
  });

  test("the version names Python and the mechanism", async () => {
    const versions: string[] = [];
    for (const mechanism of [undefined, "no-files"] as const) {
      const sandbox = await createNativeSandbox(mechanism === undefined ? {} : { mechanism });
      versions.push(sandbox.version);
      await sandbox.close();
    }
    const { stdout } = await promisify(execFile)("python3", [
      "-c",
      "import platform; print(platform.python_version())",
    ]);
    expect(versions[0]).toContain(`native-${stdout.trim()}-`);
    expect(versions[1]).toContain("-no-files-");
    expect(new Set(versions).size).toBe(probe.available && probe.mechanism === "no-files" ? 1 : 2);
  });
});
