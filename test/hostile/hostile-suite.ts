/**
 * Runs every hostile Python program in one sandbox with a single worker, each followed by a right and a wrong program and by a
 * look at the interpreter and at the machine: `describeHostile` makes the tests.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Grader } from "../../src/grading/grade.ts";
import { createGrader } from "../../src/grading/grader.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Test } from "../../src/tasks/task.ts";
import { HASTY_MS, PATIENT_MS } from "../cpu-limits.ts";
import { until } from "../until.ts";
import { type HostState, type HostWatch, peakMegabytesOf, watchHost } from "./host-watch.ts";
import { type HostileKind, type HostilePython, type PythonBackend, preludeOf } from "./python-program.ts";

export interface OpenedForTest extends Sandbox {
  /** Starts the worker. */
  ready(): Promise<void>;
}

export interface HostileSubject {
  readonly backend: PythonBackend;
  readonly kinds: readonly HostileKind[];
  /** Opens it with one worker. */
  open(): Promise<OpenedForTest>;
  /** Processes of this sandbox that live now, wherever they stand in the tree of processes. */
  processes(): readonly number[];
  /** Why it cannot run here; nothing where it can. */
  readonly skip?: string;
}

const asserts = (...sources: string[]): Test[] => sources.map((source) => ({ kind: "assert", source }));
const TESTS: Record<NonNullable<HostilePython["tests"]>, readonly Test[]> = {
  asserts: asserts("assert solve(3) == 6", "assert solve('ab') == 'abab'", "assert solve([1]) == [1, 1]"),
  replayed: asserts(
    "assert abs(solve(3) - 6) < 1e-6 and isinstance(solve(3), int)",
    "for text in ('ab', 'c'):\n    assert solve(text) == text + text and len(solve(text)) == 2 * len(text)",
  ),
  stdin: [
    { kind: "stdin", stdin: "21\n", stdout: "42\n" },
    { kind: "stdin", stdin: "-4\n", stdout: "-8\n" },
  ],
};
const MEMORY = 64 * 2 ** 20;
/** What a process of the sandbox may take beyond its start: the program's memory, its output on the way, room to clean up. */
const MOST_GROWTH_MB = 250;
const NOT_PASSED = ["failed", "error", "timed-out", "out-of-memory"];

/** Tells everything that an earlier program could have left behind in an interpreter, the same in each untouched one. */
const LOOK = `
import builtins, codecs, decimal, gc, json, math, os, random, re, signal, sys, threading, time
def tried(action):
    try:
        return repr(action())
    except BaseException as e:
        return type(e).__name__
looks = [lambda: os.listdir('/tmp'), lambda: os.listdir('/home/pyodide'), os.getcwd, sys.getrecursionlimit, lambda: sorted(os.environ.items()),
    gc.isenabled, gc.get_threshold, lambda: gc.callbacks, lambda: json.dumps([1, 'x']), lambda: sorted([2, 1]), lambda: os.write(1, b'x'), sys.stdin.read,
    random.random, lambda: sorted(vars(builtins)), lambda: sorted(sys.modules), lambda: sys.path, lambda: [type(f).__name__ for f in sys.meta_path],
    sys.gettrace, sys.getprofile, threading.active_count, lambda: [signal.getsignal(n) for n in (2, 11, 14, 15)], lambda: decimal.getcontext().prec,
    lambda: [0 + 0, 1 + 1, 3 + 3, 6 + 6], lambda: list({'a', 'b', 'c'}), lambda: time.tzname, lambda: os.umask(0o22), lambda: re.match('a+', 'aab')[0],
    lambda: [tried(lambda: os.fstat(fd).st_mode) for fd in range(70)], lambda: signal.getitimer(signal.ITIMER_REAL), lambda: math.sqrt(4),
    lambda: '\\ud800'.encode('utf-8', 'replace'), lambda: codecs.lookup('utf-8').name, lambda: hash('x'), lambda: sys.getswitchinterval(),
    lambda: sys.excepthook is sys.__excepthook__, lambda: [sys.argv, sys.flags.isolated], lambda: 1e3 < time.time(), lambda: __import__('resource').getrlimit(7)]
report = [tried(look) for look in looks]
`;

export function describeHostile({ backend, kinds, open, processes, skip }: HostileSubject): void {
  const reason = skip === undefined ? "" : ` (skipped: ${skip})`;

  describe.skipIf(skip !== undefined)(`hostile Python programs in the ${backend} sandbox${reason}`, () => {
    let host: HostWatch;
    let sandbox: OpenedForTest;
    /** For programs that end. */
    let grader: Grader;
    /** For those that do not, or need not. */
    let hasty: Grader;
    let prelude: string;
    let round = 0;
    let untouched: {
      readonly host: HostState;
      readonly interpreter: string;
      readonly processes: number;
      readonly peak: number;
    };

    /** The interpreter's own account of its state. */
    async function look(): Promise<string> {
      const result = await sandbox.run({
        program: LOOK,
        calls: ["report"],
        limits: { cpuTimeMs: PATIENT_MS, memoryBytes: MEMORY },
      });
      return JSON.stringify({ ...result, cpuTimeMs: 0 });
    }

    /** Those that live, once there are no more than `most`: one that was killed takes a moment to go. */
    function processesAtMost(most: number): Promise<readonly number[]> {
      return until(() => {
        const alive = processes();
        return alive.length <= most && alive;
      });
    }

    beforeAll(async () => {
      host = await watchHost();
      prelude = preludeOf(host.prey);
      sandbox = await open();
      await sandbox.ready();
      const openGrader = (cpuTimeMs: number): Promise<Grader> =>
        createGrader({ sandboxes: { python: sandbox }, limits: { cpuTimeMs, memoryBytes: MEMORY } });
      [grader, hasty] = await Promise.all([openGrader(PATIENT_MS), openGrader(HASTY_MS)]);
      untouched = {
        interpreter: await look(),
        host: host.state(),
        processes: processes().length,
        peak: peakMegabytesOf(processes()),
      };
    });
    afterAll(async () => {
      await Promise.all([grader.close(), hasty.close()]);
      await sandbox.close();
      await host.close();
    });

    describe.for(kinds)("$kind", ({ programs }) => {
      test.for(programs)("$name", async ({ program, verdict, tests = "asserts", endless }) => {
        const mine = TESTS[tests];
        // No two programs are the same, or the answer would be one remembered.
        const unique = `# ${round++}\n`;
        const wrong = tests === "stdin" ? "print(42)\n" : "def solve(x):\n    return x * 2 if x == 3 else x\n";
        const right = tests === "stdin" ? "print(2 * int(input()))\n" : "def solve(x):\n    return 2 * x\n";
        const wanted = typeof verdict === "object" ? verdict[backend] : verdict;
        const mayEnd = endless !== true && wanted !== undefined && wanted !== "timed-out";
        const [hostile, good, bad, state] = await Promise.all([
          (mayEnd ? grader : hasty).grade({ program: prelude + program, tests: mine }),
          grader.grade({ program: right + unique, tests: mine }),
          grader.grade({ program: wrong + unique, tests: mine }),
          look(),
        ]);
        expect(hostile).toMatchObject({ verdict: expect.toBeOneOf(wanted ? [wanted] : NOT_PASSED) });
        expect(good).toMatchObject({ verdict: "passed" });
        expect(bad.tests.map((result) => result.verdict)).toEqual(["passed", ...mine.slice(1).map(() => "failed")]);
        expect(state).toBe(untouched.interpreter);
        expect(host.state()).toEqual(untouched.host);
        const alive = await processesAtMost(untouched.processes);
        expect(peakMegabytesOf(alive)).toBeLessThan(untouched.peak + MOST_GROWTH_MB);
      });
    });

    test("closing leaves no process behind", async () => {
      await Promise.all([grader.close(), hasty.close()]);
      await sandbox.close();
      expect(await processesAtMost(0)).toEqual([]);
    });
  });
}
