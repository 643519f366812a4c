import { spawn, type ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { main } from "../src/cli/main.ts";
import type { EvaluateReport } from "../src/api/evaluate.ts";
import type { SolveReport } from "../src/api/solve-task.ts";
import { repository, runCommand, type CommandResult } from "./command.ts";
import { startMisbehavingServer, type MisbehavingServer } from "./misbehaving-server.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-servers-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The records of an evaluation, in the order of the tasks. */
async function readRecords(run: string): Promise<{ taskId: string; greedy: unknown }[]> {
  const text = await readFile(join(run, "evaluation/generator.jsonl"), "utf8");
  const records = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { taskId: string; greedy: unknown });
  return records.toSorted((a, b) => (a.taskId < b.taskId ? -1 : 1));
}

async function readReport(run: string): Promise<EvaluateReport> {
  return JSON.parse(await readFile(join(run, "report.json"), "utf8")) as EvaluateReport;
}

function succeeded(result: CommandResult): CommandResult {
  if (result.exitCode !== 0) throw new Error(`exit code ${result.exitCode}\n${result.stderr}`);
  return result;
}

describe("mucode serve in one process, mucode solve and eval in another", () => {
  let server: ChildProcess;
  let served: string[] = [];
  const evalSettings = ["--limit", "5", "--prompt", "terse", "--evaluation.max-tokens", "84"];

  beforeAll(async () => {
    server = spawn(process.execPath, [join(repository, "bin/mucode.js"), "serve", "--port", "0"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    for await (const chunk of server.stderr as AsyncIterable<Buffer>) {
      said += chunk;
      const url = /at (http\S+)\n/.exec(said)?.[1];
      if (url !== undefined) {
        served = ["--base-url", url];
        break;
      }
    }
  });
  afterAll(async () => {
    server.kill("SIGTERM");
    if (server.exitCode === null) await once(server, "exit");
  });

  it("solve shows the search, prints the program and ends with 0", async () => {
    const show = succeeded(await runCommand(["tasks", "show", "mubpp", "--limit", "1", "--json"]));
    const file = join(directory, "task.json");
    await writeFile(file, show.stdout);
    const args = ["solve", file, ...served, "--prompt", "terse", "--seed", "3", "--private-tests"];
    const { stdout, stderr } = succeeded(await runCommand([...args, "--turns", "4", "--candidates", "8"]));
    expect(stdout).toMatch(/^def get_list\(xs\):\n/);
    expect(stderr).toContain("8 candidates a turn, at most 4 turns, chosen by public-tests");
    expect(stderr).toMatch(/generator: mubpp-base at http:\/\/127\.0\.0\.1:\d+\/v1 \(chat/);
    expect(stderr).toMatch(/turn 1: asking for 8 candidates\n.*\n {2}[ >] 1 {2}(?:passed|failed|error)/);
    expect(stderr).toMatch(/\n {2}> \d {2}passed/);
    expect(stderr).toContain("all public tests pass after");
    expect(stderr).toMatch(/the private tests (?:pass too|do not all pass)/);
    expect(stderr).toMatch(/\d+ requests \(0 failed\), prompt tokens [\d,]+, new tokens [\d,]+, cost unknown/);
  });

  it("solve of what cannot be solved ends with 1, and says what the tests showed", async () => {
    const file = join(directory, "impossible.py");
    await writeFile(file, '"""Return the sum of a list."""\ndef f(xs): ...\nassert f([1]) == 1 and f([1]) == 2\n');
    const args = ["solve", file, ...served, "--candidates", "2", "--turns", "2", "--search.max-tokens", "60", "--json"];
    const { exitCode, stdout, stderr } = await runCommand(args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("not solved");
    const report = JSON.parse(stdout) as SolveReport;
    expect(report).toMatchObject({ taskId: "impossible.py", solved: false, prompt: { name: "instruct" } });
    expect(report.turns[0]?.feedback).not.toBe("");
    expect(report.usage?.cost).toBeNull();
  });

  it("eval greedily through a server is eval of the same checkpoint in-process", async () => {
    const [there, here] = [join(directory, "there"), join(directory, "here")];
    succeeded(await runCommand(["eval", ...evalSettings, ...served, "--out", there, "--rules", "random,public-tests"]));
    succeeded(await runCommand(["eval", ...evalSettings, "--out", here, "--rules", "random"]));
    const greedy = async (run: string): Promise<unknown[]> =>
      (await readRecords(run)).map((record) => JSON.parse(JSON.stringify(record.greedy, withoutTokenCounts)));
    expect(await greedy(there)).toEqual(await greedy(here));
    expect(await readReport(there)).toMatchObject({
      tasks: { suite: "mubpp", count: 5 },
      generator: { kind: "server", model: "mubpp-base", capabilities: { choices: true, usage: true } },
      prompt: { name: "terse", version: 1 },
      sampling: { rules: ["random", "public-tests"], maxTokens: 84, seed: 1 },
      failures: { byKind: {}, tasks: [] },
      usage: { failedRequests: 0, cost: null },
    });
    expect((await readReport(there)).byTurn.map(({ conversations, turns }) => `${conversations} ${turns}`)).toEqual(
      ["greedy", "random", "public-tests"].flatMap((name) => [1, 2, 3].map((turns) => `${name} ${turns}`)),
    );
  });

  it("a recorded eval is replayed without the server, record for record", async () => {
    const file = join(directory, "answers.jsonl");
    const [recorded, replayed] = [join(directory, "recorded"), join(directory, "replayed")];
    const prices = ["--server.input-price", "1.5", "--server.output-price", "6"];
    succeeded(await runCommand(["eval", ...evalSettings, ...served, ...prices, "--record", file, "--out", recorded]));
    const replay = ["--replay", file, "--model", "mubpp-base"];
    succeeded(await runCommand(["eval", ...evalSettings, ...replay, ...prices, "--out", replayed]));
    expect(await readRecords(replayed)).toEqual(await readRecords(recorded));
    const [first, second] = [await readReport(recorded), await readReport(replayed)];
    expect(second.comparison).toEqual(first.comparison);
    const { promptTokens, completionTokens, cost } = first.usage!;
    expect(cost).toBeCloseTo((1.5 * promptTokens! + 6 * completionTokens!) / 1e6, 12);
    const other = await runCommand(["eval", ...evalSettings, ...served, "--prompt", "instruct", "--out", recorded]);
    expect(other.exitCode).toBe(2);
    expect(other.stderr).toContain('prompt.name: "terse" there, "instruct" now');
  });
});

/** A server and the engine count the token that ends a text differently. */
function withoutTokenCounts(key: string, value: unknown): unknown {
  return key === "tokenCount" ? null : value;
}

describe("mucode eval through a server that fails", () => {
  let server: MisbehavingServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
    delete process.env["MUCODE_API_KEY"];
  });

  /** Different at every choice, as samples are. */
  const answer = (_: unknown, choiceIndex: number): string =>
    `\`\`\`python\ndef get_list(xs):\n    return '${choiceIndex}'\n\`\`\``;
  /** One request at a time, so that it is known what was done before something happened. */
  const settings = (run: string): string[] =>
    `eval --limit 5 --out ${run} --base-url ${server!.baseUrl} --rules random --evaluation.candidates 2
     --evaluation.turns 1 --server.concurrency 1`.split(/\s+/);

  it("dies in the middle: the work is kept, and the same command resumes it", async () => {
    const run = join(directory, "dies");
    server = await startMisbehavingServer({
      text: answer,
      behaviour: async (_request, index) => {
        // Two requests a task and one that finds out about n: in the third task.
        if (index === 5) void server!.die();
        return index === 5 ? "hang" : "answer";
      },
    });
    const args = [...settings(run), "--server.pause-limit", "0.5"];
    const stopped = await runCommand(args);
    expect(stopped.exitCode).toBe(1);
    expect(stopped.stderr).toMatch(/The same command resumes where it left off\./);
    expect(await readRecords(run)).toHaveLength(2);
    await server.comeBack();
    succeeded(await runCommand(args));
    expect(await readRecords(run)).toHaveLength(5);
    // The two finished tasks were not asked for again.
    expect(server.requests).toHaveLength(6 + 7);
    const report = await readReport(run);
    expect(report.failures).toEqual({ byKind: {}, tasks: [] });
    expect(report.usage!.requests).toBeGreaterThanOrEqual(server.requests.length);
  });

  it("gives one task nothing usable: it is counted, and the others are evaluated", async () => {
    const run = join(directory, "bad");
    let badTask: string | undefined;
    server = await startMisbehavingServer({
      text: answer,
      behaviour: (request, index) => {
        const prompt = JSON.stringify((request.body["messages"] as unknown[])[0]);
        if (index === 2) badTask = prompt;
        return prompt === badTask ? "empty choices" : "answer";
      },
    });
    const { stdout } = succeeded(await runCommand([...settings(run), "--server.retries", "0"]));
    expect(stdout).toContain("What failed: 1 by GeneratorError.");
    const report = await readReport(run);
    expect(report.failures).toMatchObject({ byKind: { GeneratorError: 1 }, tasks: [{ kind: "GeneratorError" }] });
    expect(report.comparison.solveRates[0]?.solved.taskCount).toBe(4);
    expect(report.usage!.failedRequests).toBeGreaterThan(0);
  });

  it("gives nothing usable at all: no rate is made up of it", async () => {
    const run = join(directory, "nothing");
    server = await startMisbehavingServer({ behaviour: () => "malformed" });
    const failed = await runCommand([...settings(run), "--server.retries", "0"]);
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout).toBe("");
    expect(failed.stderr).toMatch(/no task could be evaluated|failed/);
  });

  it("a limit holds for the run, over all attempts at it; the key is written nowhere", async () => {
    const run = join(directory, "limited");
    const key = "sk-secret-0123456789";
    process.env["MUCODE_API_KEY"] = key;
    server = await startMisbehavingServer({ text: answer, key });
    const answers = join(directory, "limited-answers.jsonl");
    const args = [...settings(run), "--record", answers];
    const stopped = await runCommand([...args, "--max-requests", "6"]);
    expect(stopped.exitCode).toBe(1);
    expect(stopped.stderr).toMatch(/max-?requests/i);
    const done = (await readRecords(run)).length;
    expect(done).toBeGreaterThan(0);
    const again = await runCommand([...args, "--max-requests", "6"]);
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain("--max-requests 6 is used up by earlier attempts");
    succeeded(await runCommand([...args, "--max-requests", "40"]));
    expect(await readRecords(run)).toHaveLength(5);
    expect((await readReport(run)).usage!.requests).toBeGreaterThanOrEqual(server.requests.length);
    const files = (await readdir(run, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const texts = await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), "utf8")));
    const everything = [...texts, await readFile(answers, "utf8"), stopped.stderr, again.stderr].join("\n");
    expect(everything).not.toContain(key);
  });
});

describe("a served model as its own verifier", () => {
  it("ranks what passes equally, and is named in the report", async () => {
    const file = join(directory, "negate.py");
    await writeFile(file, '"""Negate a number."""\ndef neg(x): ...\nassert neg(0) == 0\n');
    const server = await startMisbehavingServer({
      text: (_, choiceIndex) => `\`\`\`python\ndef neg(x):\n    return ${["0", "-x", "x"][choiceIndex]}\n\`\`\``,
      logprobs: ({ text }): Record<string, number> =>
        text.includes("return -x") ? { yes: -0.1, no: -3 } : { Yes: -3, No: -0.1 },
    });
    try {
      const args = ["solve", file, "--base-url", server.baseUrl, "--candidates", "3", "--verifier", "served", "--json"];
      const { stdout, stderr } = succeeded(await runCommand(args));
      expect(JSON.parse(stdout)).toMatchObject({
        solved: true,
        rule: "public-tests-then-verifier",
        program: '"""Negate a number."""\n\ndef neg(x):\n    return -x\n',
        verifier: { kind: "served" },
      });
      expect(stderr).toMatch(/ {4}1 {2}passed +score -2\.90\n {2}> 2 {2}passed +score 2\.90\n/);
    } finally {
      await server.close();
    }
  });
});

describe("mucode eval and solve", () => {
  it("say which flags contradict each other", async () => {
    const refused = async (...args: string[]): Promise<string> => {
      let stderr = "";
      const exitCode = await main(args, {
        stdout: { write: () => true },
        stderr: { write: (text) => (stderr += text) },
        signals: new EventEmitter(),
      });
      expect(exitCode).toBe(2);
      return stderr;
    };
    const task = join(directory, "f.py");
    await writeFile(task, '"""One."""\nassert f() == 1\n');
    expect(await refused("eval", "--model", "m")).toContain("server.model is for a served model");
    expect(await refused("eval", "--verifier", "served")).toContain("--verifier served needs a served model");
    expect(await refused("eval", "--rules", "random,verifier")).toContain("verifier needs a verifier: give --verifier");
    expect(await refused("eval", "--rules", "randon")).toContain("did you mean random?");
    expect(await refused("solve", task, "--select", "verifier")).toContain("--select verifier needs a verifier");
    expect(await refused("solve", join(directory, "none.py"))).toContain("there is no such file");
    expect(await refused("solve", task, "--base-url", "http://127.0.0.1:9/v1", "--checkpoint", "x")).toContain(
      "--checkpoint and --base-url name two models",
    );
  });
});
