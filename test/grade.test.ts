import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gradeSamples, resultsFileOf, type GradeSamplesReport, type SampleResult } from "../src/api/grade.ts";
import { ConfigError } from "../src/errors.ts";
import { runCommand, type CommandResult } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "mucode-grade-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Three tasks in HumanEval's form. */
const data = join(directory, "data");
const taskRecords = [
  { name: "double", body: "    return 2 * x\n", assertion: "candidate(3) == 6" },
  { name: "negate", body: "    return -x\n", assertion: "candidate(3) == -3" },
  { name: "square", body: "    return x * x\n", assertion: "candidate(3) == 9" },
].map(({ name, body, assertion }, index) => ({
  task_id: `HumanEval/${index}`,
  prompt: `from typing import List\n\n\ndef ${name}(x: int) -> int:\n    """ ${name} x.\n    """\n`,
  entry_point: name,
  canonical_solution: body,
  test: `def check(candidate):\n    assert ${assertion}\n`,
}));
mkdirSync(data);
writeFileSync(join(data, "HumanEval.jsonl"), taskRecords.map((record) => `${JSON.stringify(record)}\n`).join(""));

let fileCount = 0;
function writeSamples(samples: readonly object[], pack = false): string {
  const text = samples.map((sample) => `${JSON.stringify(sample)}\n`).join("");
  const file = join(directory, `samples-${fileCount++}.jsonl${pack ? ".gz" : ""}`);
  writeFileSync(file, pack ? gzipSync(text) : text);
  return file;
}

const common = { suite: "humaneval", data, sandbox: "pyodide", workers: 1 } as const;

async function grade(samples: string): Promise<{ report: GradeSamplesReport; results: SampleResult[] }> {
  const report = await gradeSamples({ ...common, samples, ks: [1, 2] });
  return { report, results: readResults(report.results) };
}

function readResults(file: string): SampleResult[] {
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as SampleResult);
}

describe("grading samples", () => {
  it("takes completions and solutions in every usual form, and keeps apart what went wrong", async () => {
    const samples = [
      { task_id: "HumanEval/0", completion: "    return x + x\n" },
      { task_id: "humaneval/0", completion: "Sure:\n```python\ndef double(x):\n    return x << 1\n```\nDone." },
      { task_id: 1, completion: "    return x\n" },
      { task_id: "1", completion: "I cannot help with that." },
      { task_id: "HumanEval/1", completion: "" },
      { task_id: "HumanEval/1", completion: "def negate(x:\n    return -x\n" },
      { task_id: "HumanEval/1", solution: "def negate(x):\n    return -x\n", model: "any" },
      { task_id: "HumanEval/1", solution: "def negate(x):\n    raise KeyError(x)\n" },
    ];
    const { report, results } = await grade(writeSamples(samples, true));
    expect(results.map(({ sampleIndex, line }) => [sampleIndex, line])).toEqual(samples.map((_, i) => [i, i + 1]));
    expect(results.map(({ taskId, verdict }) => `${taskId} ${verdict}`)).toEqual([
      "HumanEval/0 passed",
      "HumanEval/0 passed",
      "HumanEval/1 failed",
      "HumanEval/1 no-program",
      "HumanEval/1 no-program",
      "HumanEval/1 error",
      "HumanEval/1 passed",
      "HumanEval/1 error",
    ]);
    expect(results.map(({ text }) => text)).toEqual(samples.map((sample) => sample.completion ?? sample.solution));
    expect(results[0]?.program).toBe(`${taskRecords[0]?.prompt}    return x + x\n`);
    expect(results[3]?.program).toBeNull();
    expect(results[2]).toMatchObject({
      passed: false,
      publicTests: ["passed"],
      privateTests: ["failed"],
      firstFailure: { tests: "private", testIndex: 0, obtained: "3" },
    });
    expect(results[7]).toMatchObject({ firstFailure: { exception: "KeyError: 3" } });
    expect(report).toMatchObject({
      samples: 8,
      ungradable: 0,
      verdicts: { passed: 3, failed: 1, error: 2, "no-program": 2 },
      tasksWithoutSamples: ["HumanEval/2"],
      taskSet: { suite: "humaneval", split: "test", count: 3 },
    });
    // By hand: task 0 has 2 of 2 right, task 1 has 1 of 6; task 2 has none.
    expect(report.passAtK[0]).toMatchObject({ k: 1, undefinedTasks: 1, estimate: { taskCount: 2 } });
    expect(report.passAtK.map(({ estimate }) => estimate?.mean.toFixed(6))).toEqual([
      ((1 + 1 / 6) / 2).toFixed(6),
      ((1 + 1 / 3) / 2).toFixed(6),
    ]);
  });

  it("cuts completions, and no solutions, where that was asked for", async () => {
    const samples = writeSamples([
      { task_id: "HumanEval/0", completion: "    return x + x\n\ndef double(x):\n    return 0\nraise ValueError\n" },
      { task_id: "HumanEval/1", solution: "def negate(x):\n    return -x\n" },
    ]);
    const cut = await gradeSamples({ ...common, samples, ks: [1], stop: ["\nclass", "\ndef"] });
    expect(readResults(cut.results).map(({ program }) => program)).toEqual([
      `${taskRecords[0]?.prompt}    return x + x\n`,
      "def negate(x):\n    return -x\n",
    ]);
    expect(cut.verdicts.passed).toBe(2);
    await expect(grade(samples)).rejects.toThrow(/stop/);
  });

  it("tries again what was ungradable in an earlier call, and nothing else", async () => {
    const samples = writeSamples(
      taskRecords.map(({ task_id, canonical_solution }) => ({ task_id, completion: canonical_solution })),
    );
    const { report, results } = await grade(samples);
    expect(report.verdicts.passed).toBe(3);
    // What an outage leaves, and a mark that shows that the other lines are not graded again.
    const outage = {
      verdict: "ungradable",
      passed: null,
      publicTests: [],
      privateTests: [],
      reason: "the worker died",
    };
    const left = [
      { ...results[0], mark: 1 },
      { ...results[1], ...outage },
    ];
    writeFileSync(report.results, left.map((result) => `${JSON.stringify(result)}\n`).join(""));
    const again = await grade(samples);
    expect(again.results).toEqual([left[0], results[1], results[2]]);
    expect(again.report).toEqual(report);
  });

  it("refuses bad lines and unknown tasks before anything is graded, all of them at once", async () => {
    const file = join(directory, "bad.jsonl");
    const good = JSON.stringify({ task_id: "HumanEval/0", completion: "    return 1" });
    writeFileSync(
      file,
      `${good}\n\n{"task_id": \n[]\n{"task_id": "HumanEval/0"}\n{"task_id": "HumanEvla/2", "solution": ""}`,
    );
    const error: unknown = await gradeSamples({ ...common, samples: file }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).toContain('bad.jsonl line 3: expected a JSON object, found "{\\"task_id\\": "');
    expect(message).toContain("bad.jsonl line 4: ");
    expect(message).toContain('bad.jsonl line 5: expected "completion" or "solution"');
    expect(message).toContain(
      'line 6: no task "HumanEvla/2" in humaneval, split test (3 tasks); the nearest is HumanEval/2',
    );
  });
});

describe("the command grade", () => {
  const args = (samples: string, ...more: string[]): string[] => [
    "grade",
    samples,
    "--suite",
    "humaneval",
    "--data",
    data,
    "--sandbox",
    "pyodide",
    "--workers",
    "1",
    ...more,
  ];
  const samples = Array.from({ length: 150 }, (_, i) => ({
    task_id: `HumanEval/${i % 3}`,
    completion: `    return ${i} + x * ${i % 2 === 0 ? 2 : "x"} - ${i}\n`,
  }));

  const whole = writeSamples(samples);
  let once: CommandResult;
  beforeAll(async () => {
    once = await runCommand(args(whole, "--json"));
  });

  it.each(["SIGKILL", "SIGINT"] as const)(
    "stopped by %s, goes on to the results of a run in one go",
    async (signal) => {
      const stopped = writeSamples(samples);
      const results = resultsFileOf(stopped);
      const first = await runCommand(args(stopped), { interrupt: { signal, whenWritten: results } });
      expect(first.exitCode).toBe(signal === "SIGKILL" ? null : 130);
      expect(first.stderr.includes("the same command goes on from there")).toBe(signal === "SIGINT");
      const text = readFileSync(results, "utf8");
      const kept = text.slice(0, text.lastIndexOf("\n") + 1);
      expect(kept.split("\n").length).toBeLessThan(samples.length);
      writeFileSync(results, `${kept}{"sampleIndex":`);

      const finished = await runCommand(args(stopped, "--json"));
      expect(finished.exitCode).toBe(0);
      const expected = readFileSync(resultsFileOf(whole), "utf8");
      expect(once.exitCode).toBe(0);
      expect(expected.startsWith(kept)).toBe(true);
      expect(readFileSync(results, "utf8")).toBe(expected);
      const withoutNames = (json: string): object => ({ ...JSON.parse(json), samplesFile: "", results: "" });
      expect(withoutNames(finished.stdout)).toEqual(withoutNames(once.stdout));

      writeFileSync(stopped, `${JSON.stringify(samples[1])}\n`);
      const refused = await runCommand(args(stopped));
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain("samples.sha256");
      expect(readFileSync(results, "utf8")).toBe(expected);
    },
  );

  it("prints scores with the tasks beside them, and exits with 2 where the file is not to be used", async () => {
    const [shown, missing] = await Promise.all([
      runCommand(args(writeSamples(samples.slice(0, 3)), "--k", "2,1")),
      runCommand(args(join(directory, "none.jsonl"))),
    ]);
    expect(shown.stdout).toMatch(/pass@1 +33\.3 % .* humaneval 1, test \(3 tasks, sha256\s+[0-9a-f]{12}\)?\n/);
    expect(shown.stdout).toMatch(/pass@2 +undefined .*\n/);
    expect(shown.exitCode).toBe(0);
    expect(missing.exitCode).toBe(2);
    expect(missing.stderr).toContain("none.jsonl: there is no such file");
  });
});
