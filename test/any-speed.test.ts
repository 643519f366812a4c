/**
 * No test depends on how fast the machine is, how busy, or how many cores it has: what would make one depend on it is
 * found here by its text. `npm run test:any-speed` runs the tests on machines that seem faster and slower.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "./command.ts";

/** What is not written in tests, and what is written in its place. */
const RULES: readonly (readonly [what: RegExp, instead: string])[] = [
  [/\bset(?:Timeout|Interval)\b|\bAbortSignal\.timeout\b/, "until, whileRunning or orNever of test/until.ts"],
  [/\bperformance\.now\b|\bDate\.now\b|\bhrtime\b/, "a clock that the test gives (src/clock.ts), or a count of steps"],
  [/\btimeout: ?\d|\}, \d[\d_]{3,}\)|AfterTimeLimit\b/, "nothing: the caps of vitest.config.ts are nets for hangs"],
  [/\bcpuTimeMs: ?\d/, "PATIENT_MS, HASTY_MS or WAITING_MS of test/cpu-limits.ts"],
  [/\b\w*(?:TimeoutMs|LimitMs|Timeout|Limit): ?\d/, "a limit that runs out by hand (test/manual-limits.ts)"],
  [/\bavailableParallelism\b|\bcpus\(/, "a number of threads or workers that the test gives"],
  [/shared\/benchmarks/, "test/benchmarks.ts, which is off unless a variable names a folder"],
];

/** Where a rule is broken for a reason: file, a part of the line, the reason. */
const EXCEPTIONS: readonly (readonly [file: string, part: string, reason: string])[] = [
  ["src/engine/embedded/replicas.test.ts", "setTimeout(() => process.exit(3), 50)", "any moment will do"],
  ["src/engine/embedded/replicas.test.ts", "setTimeout(() => { throw", "any moment will do"],
  ["src/grading/grader.test.ts", "cpuTimeMs: 1,", "a made-up result"],
  ["src/grading/kinds-of-tests.test.ts", "cpuTimeMs: 60 }", "programs say what time they take"],
  ["src/grading/time-limits.test.ts", "timeLimit: ", "programs say what time they take"],
  ["src/openai/server.test.ts", "requestTimeoutMs: 30_000", "runs out by hand"],
  ["src/openai/server.test.ts", "pauseLimitMs: 60_000", "the test's clock"],
  ["src/processes/managed-process.test.ts", "const asked = setInterval", "a program that waits for a file"],
  ["src/sandbox/native/native-sandbox.test.ts", "cpuTimeMs: 1, memoryBytes: 0", "the program never ends"],
  ["src/sandbox/pyodide/job-messages.test.ts", "cpuTimeMs: ", "made-up messages"],
  ["src/sandbox/quickjs/quickjs-sandbox.test.ts", "setTimeout(resolve, ms)", "a program whose time jumps"],
  ["src/sandbox/quickjs/quickjs-sandbox.test.ts", "setInterval(() => { if (++ticks", "a program whose time jumps"],
  ["src/sandbox/quickjs/quickjs-sandbox.test.ts", "queueMicrotask setTimeout", "names that programs find"],
  ["src/server/server.test.ts", "requestTimeoutMs: 20_000", "runs out by hand"],
  ["src/tasks/livecodebench.test.ts", "timeLimit: 6", "a task's field"],
  ["test/command-trainer.test.ts", "performance.now() + leapMs", "time passes by hand"],
  ["test/command-trainer.test.ts", "Limit: 3600", "time passes by hand"],
  ["test/conformance/function-programs.ts", "setTimeout(() => { throw", "a program whose time jumps"],
  ["test/conformance/sandbox-conformance.ts", "cpuTimeMs: 0", "leaves the time out"],
  ["test/conformance/world.ts", "setTimeout(() => { order", "a program whose time jumps"],
  ["test/conformance/world.ts", "const id = setInterval", "a program whose time jumps"],
  ["test/conformance/world.ts", "typeof performance.now()", "a name that programs find"],
  ["test/hostile/hostile-suite.ts", "cpuTimeMs: 0", "leaves the time out"],
  ["test/hostile/javascript-hostile.test.ts", "cpuTimeMs: 0", "leaves the time out"],
  ["test/hostile/javascript-programs.ts", "setInterval(() => {}, 0)", "a program whose time jumps"],
  ["test/own-tasks.test.ts", "cpuTimeMs: 1 }", "a made-up result"],
  ["test/served-client.test.ts", "requestTimeoutMs: 1_200_000", "a net for hangs"],
  ["test/served-models.test.ts", "startLimit: 600", "never reached"],
  ["test/served-models.test.ts", "startLimit: 1.5", "the server never becomes healthy"],
  ["test/served-models.test.ts", "requestTimeout: 600", "runs out by hand"],
];

/** Those that the rules are about, and that may break them. */
const APART = [
  "test/any-speed.test.ts",
  "test/any-speed/",
  "test/until.ts",
  "test/cpu-limits.ts",
  "test/benchmarks.ts",
];

/** A process that stays until it is ended. */
const STAYS = /\bsetInterval\(\(\) => (?:\{\}|undefined), 1000\)/g;

/** What to write instead of what is in a line; `undefined` where nothing is wrong with it. */
function insteadOf(line: string): string | undefined {
  const text = line.replaceAll(STAYS, "");
  return RULES.find(([what]) => what.test(text))?.[1];
}

function testFiles(): string[] {
  const under = (folder: string): string[] =>
    readdirSync(join(repository, folder), { recursive: true, encoding: "utf8" }).map((name) =>
      join(folder, name).replaceAll("\\", "/"),
    );
  const tests = under("src").filter((file) => file.endsWith(".test.ts"));
  const helpers = under("test").filter((file) => /\.(?:ts|mjs)$/.test(file));
  return [...tests, ...helpers].filter((file) => !APART.some((apart) => file.startsWith(apart)));
}

test("no test depends on the speed of the machine, on its load or on its cores", () => {
  const used = new Set<unknown>();
  const findings = testFiles().flatMap((file) =>
    readFileSync(join(repository, file), "utf8")
      .split("\n")
      .flatMap((line, index) => {
        const instead = insteadOf(line);
        if (instead === undefined) return [];
        const exception = EXCEPTIONS.find(([name, part]) => name === file && line.includes(part));
        used.add(exception);
        return exception ? [] : [`${file} line ${index + 1}: ${line.trim()} (instead: ${instead})`];
      }),
  );
  expect(findings).toEqual([]);
  expect(EXCEPTIONS.filter((exception) => !used.has(exception))).toEqual([]);
});

test.each([
  'import { setTimeout as sleep } from "node:timers/promises";',
  "    setTimeout(() => controller.abort(), 30);",
  "    const timer = setInterval(() => ticks++, 10);",
  "  signal: AbortSignal.timeout(100),",
  "    expect(performance.now() - started).toBeLessThan(2000);",
  "  const deadline = Date.now() + withinMs;",
  '  it("ends", { timeout: 60_000 }, async () => {',
  "  }, 30_000);",
  "    await expect.poll(() => lines, { timeout: 25_000 }).toEqual([]);",
  "        { numRuns: 2000, interruptAfterTimeLimit: 20_000 },",
  "const limits = { cpuTimeMs: 500, memoryBytes: 64 * 2 ** 20 };",
  "    const { client } = await open({ requestTimeoutMs: 60, maxQueue: 4 });",
  '    const error = await failing("hang", to, { silenceLimit: 0.7 });',
  "  const workers = availableParallelism();",
  '  new URL("../../../shared/benchmarks", import.meta.url)',
])("is found: %s", (line) => {
  expect(insteadOf(line)).toBeDefined();
});
