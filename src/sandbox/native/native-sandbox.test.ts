import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HASTY_MS, PATIENT_MS, WAITING_MS } from "../../../test/cpu-limits.ts";
import type { ProgramJob, ProgramResult } from "../sandbox.ts";
import { type NativeSandbox, createNativeSandbox } from "./native-sandbox.ts";
import { probeNativeSandbox } from "./probe.ts";

const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 64 * 2 ** 20 };
const job = (program: string, calls: string[], more: Partial<ProgramJob> = {}): ProgramJob => ({
  program,
  calls,
  limits,
  ...more,
});
const script = (program: string, stdin: string, more: Partial<ProgramJob> = {}): ProgramJob =>
  job(program, [], { stdin, ...more });
const LOOP = "def f(x):\n    while x == 0:\n        pass\n    return x\n";
/** Answers with the exception's type or with what came through. */
const TRY =
  "import os, sys\ndef tried(action):\n    try:\n        return action()\n    except OSError as e:\n        return type(e).__name__\n";

/** What each call gave: the shown value, or the exception. */
function answers(result: ProgramResult): string[] | string {
  if (result.kind !== "finished") return result.kind;
  return result.calls.map((call) => (call.kind === "value" ? call.shown : call.exception));
}

const probe = await probeNativeSandbox();
const reason = probe.available ? "" : ` (skipped: ${probe.reason})`;

describe.skipIf(!probe.available).each(["landlock", "no-files"] as const)(
  `the native sandbox with %s${reason}`,
  (mechanism) => {
    let sandbox: NativeSandbox;
    let missing = false;
    beforeAll(async () => {
      missing = probe.available && mechanism === "landlock" && !probe.mechanism.startsWith("landlock");
      sandbox = await createNativeSandbox({ workers: 1, ...(missing ? {} : { mechanism }) });
    });
    afterAll(() => sandbox.close());

    test("passes its self-test", async () => {
      expect(await probeNativeSandbox(missing ? {} : { mechanism })).toMatchObject({ available: true });
    });

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
      const result = await sandbox.run(job("", ["[1, 1.5, True, 'é']", "object"], { encoding: "typed" }));
      expect(result).toMatchObject({
        calls: [
          { encoded: '["list",[["int","1"],["float","0x1.8000000000000p+0"],true,"\\u00e9"]]' },
          { encoded: '["?","?1type"]' },
        ],
      });
    });

    test("reports what the program or the setup code raised, with the program's own lines", async () => {
      expect(await sandbox.run(job("def f(:\n", []))).toMatchObject({
        kind: "raised",
        exception: "SyntaxError: invalid syntax (line 1)",
      });
      expect(await sandbox.run(job("def g():\n    return [][1]\nx = g()\n", ["x"], { entryPoint: "x" }))).toMatchObject(
        {
          kind: "raised",
          exception: "IndexError: list index out of range",
          traceback:
            "line 3, in <module>\n    x = g()\nline 2, in g\n    return [][1]\nIndexError: list index out of range",
        },
      );
      expect(await sandbox.run(job("x = 1\n", ["x"], { setupCode: "y = x + z" }))).toMatchObject({
        kind: "raised",
        exception: "NameError: name 'z' is not defined",
      });
      expect(await sandbox.run(job("x = 1\n", ["y"], { setupCode: "y = x + 1" }))).toMatchObject({ kind: "finished" });
    });

    test("says how a program was stopped and keeps the calls finished before", async () => {
      const finished = [{ kind: "value", encoded: "q5/1" }];
      const calls = ["f(5)", "f(0)", "f(5)"];
      const slow = await sandbox.run(job(LOOP, calls, { limits: { ...limits, cpuTimeMs: HASTY_MS } }));
      expect(slow).toMatchObject({ kind: "timed-out", calls: finished });
      expect(slow.cpuTimeMs).toBeGreaterThanOrEqual(HASTY_MS);
      // The kernel stops what escapes the zygote, at whole seconds of its own.
      expect(slow.cpuTimeMs).toBeLessThan(HASTY_MS + 3000);
      const hungry = "def f(x):\n    return x if x else [0] * 10 ** 9\n";
      expect(await sandbox.run(job(hungry, calls))).toMatchObject({ kind: "out-of-memory", calls: finished });
      const endings = ["sys.exit()", "os._exit(0)", "os.closerange(0, 100)", "os.abort()"];
      const results = await Promise.all(
        endings.map((end) => sandbox.run(job(`import os, sys\ndef f(x):\n    return x if x else ${end}\n`, calls))),
      );
      expect(results.map(({ kind }) => kind)).toEqual(["exited", "exited", "exited", "exited"]);
      expect(results.map((result) => "calls" in result && result.calls)).toMatchObject(endings.map(() => finished));
    });

    test("stops a program that sleeps, after running it a second time", async () => {
      const asleep = job("import time\ntime.sleep(60)\n", [], { limits: { ...limits, cpuTimeMs: WAITING_MS } });
      const result = await sandbox.run(asleep);
      expect(result.kind).toBe("timed-out");
      expect(result.cpuTimeMs).toBeLessThan(WAITING_MS);
    });

    test("takes limits of any size", async () => {
      const none = { cpuTimeMs: Infinity, memoryBytes: Infinity };
      const calls = [{ kind: "value", shown: "2" }];
      expect(await sandbox.run(job("", ["1 + 1"], { limits: none }))).toMatchObject({ kind: "finished", calls });
      const tiny = await sandbox.run(job("while True:\n    pass\n", [], { limits: { cpuTimeMs: 1, memoryBytes: 0 } }));
      expect(tiny.kind).toMatch(/^(timed-out|out-of-memory)$/);
    });

    test("bounds recursion, through Python and through C, without losing the worker", async () => {
      const program = `
import functools, sys
def endless(x):
    return endless(x) + 1
@functools.lru_cache(None)
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)
def further(n):
    sys.setrecursionlimit(20000)
    return deep(n)
`;
      expect(answers(await sandbox.run(job(program, ["endless(1)", "depth(300)", "further(15000)"])))).toEqual([
        expect.stringContaining("RecursionError: maximum recursion depth exceeded"),
        "300",
        "15000",
      ]);
      const [pid] = sandbox.pids();
      const crash = "import sys\nsys.setrecursionlimit(10 ** 9)\nr = lambda x: [x].sort(key=r)\n";
      expect((await sandbox.run(job(crash, ["r(1)"]))).kind).toMatch(/^(exited|out-of-memory|finished)$/);
      expect(sandbox.pids()).toEqual([pid]);
    });

    test("runs what ordinary programs use: asyncio, threads, standard modules, exit functions", async () => {
      const program = `
import asyncio, dataclasses, queue, re, statistics, threading, unittest, zlib
from concurrent.futures import ThreadPoolExecutor
async def one(i):
    await asyncio.sleep(0.001)
    return i
async def many():
    return await asyncio.gather(*[one(i) for i in range(3)])
def threads():
    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda x: x * x, range(10)))
def large_stack():
    results = []
    threading.stack_size(2 ** 24)
    thread = threading.Thread(target=results.append, args=(1,))
    thread.start()
    thread.join()
    return results
`;
      const calls = ["asyncio.run(many())", "threads()", "large_stack()", "statistics.mean([1, 2])", "callable(exit)"];
      expect(answers(await sandbox.run(job(program, calls)))).toEqual(["[0, 1, 2]", "285", "[1]", "1.5", "True"]);
    });

    test("gives standard input as a file and what was printed back", async () => {
      const program =
        "import os, sys\nn = os.fstat(0).st_size\na = input()\nprint(n, a, sys.stdin.read().split(), 'é')\n";
      expect(await sandbox.run(script(program, "one\ntwo 3\n"))).toMatchObject({
        kind: "finished",
        calls: [],
        stdout: "10 one ['two', '3'] é\n",
      });
      const bytes = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])\n";
      expect(await sandbox.run(script(bytes, "ab\n"))).toMatchObject({ kind: "finished", stdout: "\nba" });
      const seek = "import sys\nsys.stdin.seek(2)\nprint(open(0).read())\n";
      expect(await sandbox.run(script(seek, "abc"))).toMatchObject({ kind: "finished", stdout: "c\n" });
      expect(await sandbox.run(script("print(input())", ""))).toMatchObject({ kind: "raised", exception: /EOFError/ });
    });

    test("takes status 0 in any way for a normal end of a script, and nothing else", async () => {
      const endings = ["", "exit()", "raise SystemExit(None)", "print(end='', flush=True); import os; os._exit(0)"];
      for (const end of endings) {
        expect(await sandbox.run(script(`print(1, flush=True)\n${end}`, ""))).toMatchObject({
          kind: "finished",
          stdout: "1\n",
        });
      }
      const late = "import atexit, threading, time\natexit.register(print, 3)\n";
      const thread = "threading.Thread(target=lambda: (time.sleep(0.02), print(2))).start()\nprint(1)\n";
      expect(await sandbox.run(script(late + thread, ""))).toMatchObject({ kind: "finished", stdout: "1\n2\n3\n" });
      for (const end of ["import sys; sys.exit(3)", "exit('no')", "import os; os._exit(1)", "import os; os.abort()"]) {
        expect(await sandbox.run(script(`print(1)\n${end}`, ""))).toMatchObject({ kind: "exited" });
      }
      expect(await sandbox.run(script("print(1)\nx = {}[2]\n", ""))).toMatchObject({
        kind: "raised",
        exception: "KeyError: 2",
        traceback: "line 2, in <module>\n    x = {}[2]\nKeyError: 2",
      });
    });

    test("starts every program from the same state, chance and the order of sets included", async () => {
      const program =
        "import random, builtins\nx = (random.random(), list({'a', 'b', 'c', 'd'}), hasattr(builtins, 'm'))\nbuiltins.m = 1\n";
      const other = await createNativeSandbox({ workers: 1, ...(missing ? {} : { mechanism }) });
      const results = [await sandbox.run(job(program, ["x"])), await sandbox.run(job(program, ["x"]))];
      results.push(await other.run(job(program, ["x"])));
      await other.close();
      expect(results.map(answers)).toEqual([answers(results[0]!), answers(results[0]!), answers(results[0]!)]);
      expect(answers(results[0]!)).toEqual([expect.stringContaining("False")]);
    });

    test("has no environment, no files, and descriptors of its own only", async () => {
      const calls = [
        "dict(os.environ)",
        "tried(lambda: open('/etc/hostname').read())",
        `tried(lambda: open(${JSON.stringify(import.meta.filename)}).read())`,
        "tried(lambda: open('x', 'w'))",
        "tried(lambda: __import__('tempfile').TemporaryFile())",
        "tried(lambda: os.readlink('/proc/self/exe'))",
        "tried(lambda: os.listdir('/proc'))",
        "[fd for fd in range(100) if tried(lambda: os.fstat(fd)) != 'OSError']",
      ];
      const [environment, ...rest] = answers(await sandbox.run(job(TRY, calls)));
      expect(environment).toBe("{}");
      expect(rest.slice(0, 6).every((answer) => /'(Permission|FileNotFound)Error'/.test(answer))).toBe(true);
      expect(rest.at(-1)).toBe("[0, 1, 2, 3, 4]");
    });

    test("holds nothing of earlier jobs in the memory a program inherits", async () => {
      const secret = "zebra-quince-4711";
      await sandbox.run(job(`x = '${secret}'\n`, [`'${secret}-call'`, "x"], { setupCode: `y = '${secret}-setup'` }));
      await sandbox.run(script("print(input())", `${secret}-stdin`));
      // Reads all memory of its own that is mapped, looking for the word without spelling it.
      const program = `
import ctypes, gc, sys
word = ('zebra-' + 'QUINCE'.lower() + '-').encode()
libc = ctypes.CDLL(None, use_errno=True)
def id(o):
    return int(object.__repr__(o).rpartition(' at ')[2][:-1], 16)
def scan():
    hits = 0
    buffer = ctypes.create_string_buffer(4096)
    pipe = __import__('os').pipe()
    low, high = min(id(o) for o in gc.get_objects()), max(id(o) for o in gc.get_objects())
    start, end = (min(low, id(len), id(word)) - (64 << 20)) & ~4095, max(high, id(word)) + (64 << 20)
    if end - start > 1 << 30:
        start, end = (id(word) & ~4095) - (32 << 20), id(word) + (32 << 20)
    pages = 0
    for page in range(start, end, 4096):
        # A write fails on pages that are not there, where a read would crash.
        if libc.write(pipe[1], ctypes.c_void_p(page), 4096) != 4096:
            continue
        hits += __import__('os').read(pipe[0], 4096).count(word)
        pages += 1
    return pages > 500, hits
`;
      const wide = { cpuTimeMs: PATIENT_MS, memoryBytes: 2 ** 28 };
      const [found] = answers(await sandbox.run(job(program, ["scan()"], { limits: wide })));
      // The word of the scanning program itself, and no other.
      expect(found).toMatch(/^\(True, [1-4]\)$/);
    });
  },
);
