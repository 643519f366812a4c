/**
 * What every sandbox does, whichever way it isolates: `describeSandbox` runs these tests against one. A new backend is
 * done when it passes them and `test/hostile`.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxError } from "../../src/errors.ts";
import type { CallResult, Language, ProgramJob, ProgramResult, Sandbox } from "../../src/sandbox/sandbox.ts";
import { untilComputing } from "../computing.ts";
import { HASTY_MS, PATIENT_MS, WAITING_MS } from "../cpu-limits.ts";
import { whileRunning } from "../until.ts";
import { PROGRAMS, STDIN_PROGRAMS } from "./programs.ts";
import { ADDRESS_CALLS, ADDRESSES, JAVASCRIPT_STDIN, WORLD } from "./world.ts";

export interface SandboxUnderTest extends Sandbox {
  /** Starts every worker. */
  ready(): Promise<void>;
  /** Process ids of the workers. */
  pids(): readonly number[];
}

export interface SandboxSubject {
  readonly name: string;
  readonly language: Language;
  open(options: { readonly workers: number }): Promise<SandboxUnderTest>;
  /** Why it cannot run here; nothing where it can. */
  readonly skip?: string;
}

const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 64 * 2 ** 20 };
const hasty = { ...limits, cpuTimeMs: HASTY_MS };

function jobOf(program: string, calls: readonly string[] = [], more: Partial<ProgramJob> = {}): ProgramJob {
  return { program, calls, limits, ...more };
}

/** The encodings of a finished run's values. */
function encodedOf(result: ProgramResult): string[] {
  if (result.kind !== "finished") throw new Error(`not finished but ${JSON.stringify(result)}`);
  return result.calls.map((call) => (call.kind === "value" ? call.encoded : call.exception));
}

function callsOf(result: ProgramResult): readonly CallResult[] {
  return result.kind === "raised" ? [] : result.calls;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function describeSandbox({ name, language, open, skip }: SandboxSubject): void {
  const programs = PROGRAMS[language];
  const reason = skip === undefined ? "" : ` (skipped: ${skip})`;

  describe.skipIf(skip !== undefined)(`the ${name} sandbox${reason}`, () => {
    let sandbox: SandboxUnderTest;
    const run = (...job: Parameters<typeof jobOf>): Promise<ProgramResult> => sandbox.run(jobOf(...job));
    beforeAll(async () => {
      sandbox = await open({ workers: 2 });
      await sandbox.ready();
    });
    afterAll(() => sandbox.close());

    /** A program that must behave as if nothing had run before. */
    async function expectFresh(): Promise<void> {
      const [first, one, fresh, yes] = encodedOf(
        await run(programs.counting, ["f(5)", "[1, 5]", programs.unspoilt, language === "python" ? "True" : "true"]),
      );
      expect(first).toBe(one);
      expect(fresh).toBe(yes);
    }

    test("says what it is", () => {
      expect(sandbox).toMatchObject({ language, concurrency: 2 });
      expect(sandbox.version).toMatch(/^[\w.+-]+$/);
    });

    test("runs a program once and evaluates calls in order", async () => {
      const calls = ["f('a')", "f('a')", "f([])"];
      const result = await run(programs.counting, [...calls, "[1, 'a']", "[2, 'a']", "[3, []]"]);
      const encoded = encodedOf(result);
      expect(encoded.slice(0, 3)).toEqual(encoded.slice(3));
      expect(new Set(encoded)).toHaveLength(3);
      expect(encodedOf(await run(programs.counting))).toEqual([]);
      expect(encodedOf(await run("", ["1"]))).toHaveLength(1);
    });

    test("gives equal values equal text and different values different text", async () => {
      for (const [left, right] of programs.equal) {
        const [a, b] = encodedOf(await run("", [left, right]));
        expect([left, a]).toEqual([left, b]);
      }
      for (const [left, right] of programs.different) {
        const [a, b] = encodedOf(await run("", [left, right]));
        expect([left, a]).not.toEqual([left, b]);
      }
      for (const [left, right] of programs.typed) {
        const [a, b] = encodedOf(await run("", [left, right], { encoding: "typed" }));
        expect([left, a]).not.toEqual([left, b]);
      }
    });

    test("marks what is no plain value", async () => {
      for (const text of encodedOf(await run("", programs.opaque))) expect(text).toMatch(/^\?[01]/);
    });

    test("shows values in a capped form", async () => {
      const result = await run("", [programs.large, "'x'"], { limits: { ...limits, memoryBytes: 512 * 2 ** 20 } });
      const [large, small] = callsOf(result);
      expect(large).toMatchObject({ kind: "value" });
      expect(JSON.stringify(large).length).toBeLessThan(2000);
      expect(small).toMatchObject({ kind: "value", shown: expect.stringMatching(/^['"]x['"]$/) as string });
    });

    test("reports what a call raised and goes on with the next", async () => {
      const [first, second, third] = callsOf(await run(programs.raising, ["f(1)", "f(2)", "7"]));
      const raised = programs.raised;
      expect(first).toMatchObject({ kind: "raised", exception: raised.replace("$", "1") });
      expect(second).toMatchObject({ kind: "raised", traceback: expect.stringContaining("bad 2") as string });
      expect(third).toMatchObject({ kind: "value", shown: "7" });
    });

    test("reports what the program or the setup code raised before any call", async () => {
      for (const [program, exception] of programs.broken) {
        const result = await run(program, ["1"]);
        expect(result).toMatchObject({ kind: "raised", exception: expect.stringContaining(exception) as string });
      }
      const { program, setupCode, broken, call } = programs.setup;
      const [y, two] = encodedOf(await run(program, [call, "2"], { setupCode }));
      expect(y).toBe(two);
      expect(await run(program, [call], { setupCode: broken })).toMatchObject({ kind: "raised" });
    });

    test("stops a program that computes too long and keeps the calls finished before", async () => {
      const result = await run(programs.looping, ["f(5)", "f(0)", "f(5)"], { limits: hasty });
      expect(result).toMatchObject({ kind: "timed-out", calls: [{ kind: "value", shown: "5" }] });
      expect(result.cpuTimeMs).toBeGreaterThan(HASTY_MS / 3);
      await expectFresh();
    });

    test("stops a program that takes too much memory, or lets it see that there is no more", async () => {
      const result = await run(programs.hungry, ["f(5)", "f(0)"]);
      expect(result.kind === "finished" ? "refused" : result.kind).toMatch(/^(refused|out-of-memory)$/);
      expect(callsOf(result)[0]).toMatchObject({ kind: "value", shown: "5" });
      expect(callsOf(result)[1] ?? { kind: "raised" }).toMatchObject({ kind: "raised" });
      await expectFresh();
    });

    test("endless recursion raises in the program", async () => {
      const result = await run(programs.recursive, ["f(5)", "f(0)"]);
      expect(callsOf(result)[0]).toMatchObject({ kind: "value", shown: "5" });
      expect(callsOf(result)[1]).toMatchObject({ kind: "raised" });
      await expectFresh();
    });

    test("throws away what a program prints where nobody asked for it", async () => {
      expect(await run(programs.printing, ["1"])).toMatchObject({
        kind: "finished",
        calls: [{ shown: "1" }],
      });
    });

    test("ending the interpreter is neither a result nor a failure of the sandbox", async () => {
      for (const program of programs.exiting ?? []) {
        const result = await run(program, ["f(5)", "f(0)", "f(5)"]);
        expect(result).toMatchObject({ kind: "exited", calls: [{ kind: "value", shown: "5" }] });
      }
      await expectFresh();
    });

    test("what a program spoils is whole again for the next", async () => {
      for (let i = 0; i < 4; i++) {
        expect((await run(programs.spoiling, ["1"])).kind).not.toBe("timed-out");
        await expectFresh();
      }
    });

    test("gives the same answers to the same job", async () => {
      const job = jobOf(programs.counting, ["f(1)", ...programs.opaque, ...programs.equal.flat()]);
      const first = callsOf(await sandbox.run(job));
      for (let i = 0; i < 3; i++) {
        expect(callsOf(await sandbox.run(job)).map((call) => call.kind === "value" && call.encoded)).toEqual(
          first.map((call) => call.kind === "value" && call.encoded),
        );
      }
    });

    test("tells how much CPU time a job took", async () => {
      const busy = await run(programs.busy, []);
      const idle = await run(programs.counting, ["f(1)"]);
      expect(busy).toMatchObject({ kind: "finished" });
      expect(busy.cpuTimeMs).toBeLessThan(PATIENT_MS);
      expect(idle.cpuTimeMs).toBeGreaterThanOrEqual(0);
      expect(idle.cpuTimeMs).toBeLessThan(busy.cpuTimeMs);
    });

    test("evaluates thousands of calls", async () => {
      const calls = Array.from({ length: 3000 }, (_, i) => `f(${i})`);
      const [last, expected] = encodedOf(await run(programs.counting, [...calls, "[3000, 2999]"])).slice(-2);
      expect(last).toBe(expected);
    });

    test("many jobs at the same time get their own results", async () => {
      const jobs = Array.from({ length: 40 }, (_, i) => run(`${programs.counting}`, [`f(${i})`, `[1, ${i}]`]));
      for (const result of await Promise.all(jobs)) {
        const [obtained, expected] = encodedOf(result);
        expect(obtained).toBe(expected);
      }
    });

    test("rejects aborted jobs, running or waiting, with the signal's reason and goes on", async () => {
      const controller = new AbortController();
      const aborted = [0, 0, 0, 0].map((x) => sandbox.run(jobOf(programs.looping, [`f(${x})`]), controller.signal));
      const other = run(programs.looping, ["f(2)"]);
      const rejected = Promise.all(aborted.map((job) => expect(job).rejects.toThrow("enough")));
      await untilComputing(() => sandbox.pids());
      controller.abort(new Error("enough"));
      await rejected;
      await expect(sandbox.run(jobOf(""), controller.signal)).rejects.toThrow("enough");
      expect(await other).toMatchObject({ kind: "finished" });
    });

    test("a job whose worker is killed runs again; when that happens every time, it is no verdict", async () => {
      const once = run(programs.busy, ["1"]);
      await untilComputing(() => sandbox.pids(), once);
      for (const pid of sandbox.pids()) process.kill(pid, "SIGKILL");
      expect(await once).toMatchObject({ kind: "finished" });

      const hopeless = run(programs.looping, ["f(0)"]);
      const kill = (): void => {
        for (const pid of sandbox.pids()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
      };
      await expect(whileRunning(hopeless, kill)).rejects.toThrow(SandboxError);
      await expectFresh();
    });

    test("closing kills the workers, rejects what runs or waits, and refuses further jobs", async () => {
      const other = await open({ workers: 1 });
      await other.ready();
      const pids = other.pids();
      const jobs = [0, 0].map(() => other.run(jobOf(programs.looping, ["f(0)"])));
      const rejected = jobs.map((job) => expect(job).rejects.toThrow(SandboxError));
      await untilComputing(() => other.pids());
      await other.close();
      await Promise.all(rejected);
      expect(pids.length).toBeGreaterThan(0);
      expect(pids.filter(isAlive)).toEqual([]);
      await expect(other.run(jobOf(""))).rejects.toThrow(SandboxError);
      await other.close();
    });

    test.skipIf(programs.sleeping === undefined)("stops a program that only waits", async () => {
      const result = await run(programs.sleeping ?? "", ["1"], { limits: { ...limits, cpuTimeMs: WAITING_MS } });
      expect(result).toMatchObject({ kind: "timed-out", calls: [] });
      await expectFresh();
    });

    describe("its world", () => {
      test.for(WORLD[language].map((feature) => [feature.name, feature] as const))(
        "%s",
        async ([, feature], context) => {
          if (/^native-3\.1[23]/.test(sandbox.version) && feature.name.startsWith("recursion through")) {
            context.skip("CPython 3.12 and 3.13 have a fixed limit of their own for recursion through C");
          }
          const { program = "", call, value } = feature;
          const roomy = { cpuTimeMs: PATIENT_MS, memoryBytes: 256 * 2 ** 20 };
          const [obtained, expected] = encodedOf(await run(program, [call, value], { limits: roomy }));
          expect(obtained).toBe(expected);
        },
      );
    });

    if (language === "javascript") describeJavascriptStdin(run);
    if (language === "python") {
      describeSameEveryTime(run, () => open({ workers: 1 }));
      describeStdin(run, expectFresh);
    }
  });
}

function describeJavascriptStdin(run: (...job: Parameters<typeof jobOf>) => Promise<ProgramResult>) {
  test.for(JAVASCRIPT_STDIN)("whole programs: %s", async ([, program, stdin, stdout]) => {
    const result = await run(program, [], { stdin });
    expect(result).toMatchObject({ kind: "finished" });
    expect(result.kind === "finished" && result.stdout?.trim().replace(/\s+/g, " ")).toBe(stdout);
  });
}

function describeSameEveryTime(
  run: (...job: Parameters<typeof jobOf>) => Promise<ProgramResult>,
  open: () => Promise<SandboxUnderTest>,
) {
  /** All that a result says, without its time. */
  const saidOf = (result: ProgramResult): string => JSON.stringify({ ...result, cpuTimeMs: 0 });

  test("recursion through C ends in the same way in 40 of 40 runs", async () => {
    const program =
      "import sys\nfrom functools import lru_cache\nsys.setrecursionlimit(10 ** 6)\n@lru_cache(None)\ndef f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\n";
    const runs = Array.from({ length: 40 }, () => run(program, ["f(1500)"]));
    expect(new Set((await Promise.all(runs)).map(saidOf))).toHaveLength(1);
    const endless = Array.from({ length: 10 }, () =>
      run("from functools import cache\n@cache\ndef f(n):\n    return f(n + 1)\n", ["f(0)"]),
    );
    const said = new Set((await Promise.all(endless)).map(saidOf));
    expect(said).toHaveLength(1);
    expect([...said][0]).toContain("RecursionError");
  });

  test("addresses are in nothing that it says", async () => {
    const job = jobOf(ADDRESSES, ADDRESS_CALLS);
    /** What reaches results and feedback; the encoding of a value is compared and goes nowhere. */
    const textsOf = (result: ProgramResult): string =>
      JSON.stringify(callsOf(result).map((call) => (call.kind === "value" ? call.shown : { ...call })));
    const said = new Set<string>();
    for (let i = 0; i < 2; i++) {
      const other = await open();
      try {
        said.add(textsOf(await other.run(job)));
        await other.run(jobOf("x = [str(i) for i in range(5000)]\n", ["len(x)"]));
        said.add(textsOf(await other.run(job)));
      } finally {
        await other.close();
      }
    }
    expect(said).toHaveLength(1);
    expect([...said][0]).not.toMatch(/at 0x[\da-f]/);
  });
}

function describeStdin(
  run: (...job: Parameters<typeof jobOf>) => Promise<ProgramResult>,
  expectFresh: () => Promise<void>,
) {
  describe("whole programs", () => {
    test.for(STDIN_PROGRAMS)("%s", async ([, program, stdin, stdout]) => {
      expect(await run(program, [], { stdin })).toMatchObject({ kind: "finished", calls: [], stdout });
    });

    test("an error, a bad status and a time-out are told apart", async () => {
      expect(await run("print(1)\nprint(input())\n", [], { stdin: "" })).toMatchObject({
        kind: "raised",
        exception: "EOFError: EOF when reading a line",
        traceback: expect.stringContaining("line 2") as string,
      });
      for (const program of ["import sys\nsys.exit(3)\n", "import os\nos._exit(3)\n", "exit('sorry')\n"]) {
        expect(await run(program, [], { stdin: "" })).toMatchObject({ kind: "exited" });
      }
      expect(await run("while True:\n    pass\n", [], { stdin: "", limits: hasty })).toMatchObject({
        kind: "timed-out",
      });
    });

    test("standard input is a file: it has a size and can be read again", async () => {
      const program =
        "import os, stat, sys\nprint(stat.S_ISREG(os.fstat(0).st_mode))\na = sys.stdin.read()\nsys.stdin.seek(0)\nprint(a == sys.stdin.read() == 'x\\n')\n";
      expect(await run(program, [], { stdin: "x\n" })).toMatchObject({ stdout: "True\nTrue\n" });
    });

    test("several megabytes are read line by line within ordinary limits", async () => {
      const program = "n = int(input())\nt = 0\nfor _ in range(n):\n    t += int(input())\nprint(t)\n";
      const stdin = `400000\n${"123456\n".repeat(400_000)}`;
      const result = await run(program, [], { stdin, limits: { cpuTimeMs: PATIENT_MS, memoryBytes: 256 * 2 ** 20 } });
      expect(result).toMatchObject({ kind: "finished", stdout: `${400_000 * 123_456}\n` });
    });

    test("what is printed beyond the cap is cut or stops the program, and never reaches the next", async () => {
      const program = "for _ in range(2000):\n    print('x' * 20000)\n";
      const result = await run(program, [], { stdin: "", limits });
      const length = result.kind === "finished" ? (result.stdout?.length ?? 0) : 0;
      expect(length).toBeLessThanOrEqual(16 * 2 ** 20);
      expect(await run("print(1)\n", [], { stdin: "" })).toMatchObject({ stdout: "1\n" });
      await expectFresh();
    });

    test("a thread that is started for its stack runs", async () => {
      const program =
        "import sys, threading\nsys.setrecursionlimit(10 ** 6)\nthreading.stack_size(1 << 26)\ndef main():\n    print(input())\nt = threading.Thread(target=main)\nt.start()\nt.join()\nprint('end')\n";
      expect(await run(program, [], { stdin: "hi" })).toMatchObject({ stdout: "hi\nend\n" });
    });
  });
}
