import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CollectReport } from "../src/api/collect-trajectories.ts";
import type { EvaluateReport } from "../src/api/evaluate.ts";
import { runCommand, type CommandResult } from "./command.ts";
import { startMisbehavingServer, type MisbehavingServer, type MisbehavingServerOptions } from "./misbehaving-server.ts";

let directory = "";
let tasks = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-refusals-"));
  tasks = join(directory, "tasks.jsonl");
  const prompts = [
    "Write a function add that adds two numbers.",
    "A knife costs a and a fork b: write add(a, b), the price of both.",
    "Write add(a, b), the sum.",
  ];
  const lines = prompts.map((prompt, index) => ({
    id: `t/${index + 1}`,
    prompt,
    language: "python",
    entryPoint: "add",
    publicTests: [{ kind: "assert", source: "assert add(1, 2) == 3" }],
    privateTests: [{ kind: "assert", source: "assert add(-1, 1) == 0" }],
  }));
  await writeFile(tasks, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let server: MisbehavingServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Right, and different at every choice, as samples are. */
const text = (_: unknown, choiceIndex: number): string =>
  `\`\`\`python\ndef add(a, b):\n    return a + b + ${choiceIndex} - ${choiceIndex}\n\`\`\``;

async function start(options: MisbehavingServerOptions): Promise<void> {
  server = await startMisbehavingServer({ text, ...options });
}

function evaluate(run: string, ...more: string[]): Promise<CommandResult> {
  const settings = `eval --suite jsonl --data ${tasks} --base-url ${server!.baseUrl} --out ${join(directory, run)}
    --evaluation.candidates 2 --evaluation.turns 2 --server.retries 1`.split(/\s+/);
  return runCommand([...settings, ...more]);
}

async function readReport<R>(run: string): Promise<R> {
  return JSON.parse(await readFile(join(directory, run, "report.json"), "utf8")) as R;
}

const flagged = {
  status: 403,
  body: { error: { code: 403, message: "The input was flagged by moderation", metadata: { reasons: ["violence"] } } },
};
const ofOne =
  (behaviour: typeof flagged): MisbehavingServerOptions["behaviour"] =>
  ({ text: body }) =>
    body.includes("knife") ? behaviour : "answer";

describe("a server that refuses one conversation", () => {
  it.each([
    ["with its reason", flagged],
    ["without a reason", { ...flagged, body: { error: { code: 403, message: "Forbidden", metadata: {} } } }],
  ])("costs eval that task, %s", async (name, behaviour) => {
    await start({ behaviour: ofOne(behaviour as typeof flagged) });
    for (const concurrency of name === "with its reason" ? ["8"] : ["1", "8"]) {
      const run = `one ${name.length} ${concurrency}`.replaceAll(" ", "-");
      const { exitCode, stdout, stderr } = await evaluate(run, "--server.concurrency", concurrency);
      expect(stderr).not.toContain("API_KEY");
      expect(exitCode).toBe(0);
      expect(stdout.replaceAll(/\s+/g, " ")).toMatch(
        /1 task was refused and enters no rate: t\/2: .*(?:flagged by moderation|Forbidden)/,
      );
      expect(stdout).not.toContain("API_KEY");
      const report = await readReport<EvaluateReport>(run);
      expect(report.failures).toMatchObject({ byKind: { RefusedError: 1 }, tasks: [{ key: "t/2" }] });
      for (const { solved } of report.comparison.solveRates) expect(solved).toMatchObject({ taskCount: 2, mean: 1 });
      expect((await evaluate(run)).stdout).toContain("1 task was refused");
    }
  });

  it("costs collect its conversations about that task", async () => {
    await start({ behaviour: ofOne(flagged) });
    const out = join(directory, "collected");
    const { exitCode, stdout } = await runCommand(
      `collect --suite jsonl --split test --data ${tasks} --base-url ${server!.baseUrl} --out ${out} --rollout.rollouts-per-task 2`.split(
        " ",
      ),
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain("4 trajectories; 2 refused by the server and left out");
    const { rollouts } = await readReport<CollectReport>("collected");
    expect(rollouts.failures.map(({ key, kind }) => `${key} ${kind}`).toSorted()).toEqual([
      "t/2 0 RefusedError",
      "t/2 1 RefusedError",
    ]);
  });

  it("ends solve of it with the server's words and no advice about keys", async () => {
    await start({ behaviour: ofOne(flagged) });
    const file = join(directory, "knife.py");
    await writeFile(file, '"""A knife and a fork."""\ndef add(a, b): ...\nassert add(1, 2) == 3\n');
    const { exitCode, stderr, stdout } = await runCommand(["solve", file, "--base-url", server!.baseUrl]);
    expect(exitCode).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("refuses the conversation: status 403: The input was flagged by moderation");
    expect(stderr).not.toContain("API_KEY");
  });
});

describe("a server that refuses everything", () => {
  it.each([
    [
      "its context is too small",
      { status: 400, body: { error: { code: "context_length_exceeded", message: "5 > 1" } } },
      /no room for any conversation: .*5 > 1.*\n.*longer context/,
    ],
    ["nothing is allowed", { status: 403, body: { error: { message: "Forbidden" } } }, /Forbidden\nit wants a key/],
    [
      "a parameter is refused",
      { status: 400, body: { error: { message: "Unknown role" } } },
      /refuses every request.*Unknown role/,
    ],
    [
      "it has another base URL",
      { status: 200, body: { error: "Unexpected endpoint or method." } },
      /Unexpected endpoint.*check the base URL/s,
    ],
  ])("stops eval and solve: %s", async (name, behaviour, words) => {
    const elsewhere = behaviour.status === 200 ? { modelsBehaviour: behaviour } : {};
    await start({ behaviour: () => behaviour, ...elsewhere });
    const run = `all-${name.length}`;
    const file = join(directory, "add.py");
    await writeFile(file, '"""Add."""\ndef add(a, b): ...\nassert add(1, 2) == 3\n');
    const solve = ["solve", file, "--base-url", server!.baseUrl];
    for (const result of [
      await evaluate(run, "--model", "m"),
      await runCommand([...solve, "--model", "m"]),
      await runCommand(solve),
    ]) {
      expect(result).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringMatching(words) });
      expect(result.stderr).not.toContain("name the one to use");
    }
  });

  it("whose context is too small for every task, and for nothing else, gives no rate", async () => {
    const tooLong = { status: 400, body: { error: { message: "the request exceeds the available context size" } } };
    await start({ behaviour: ({ text: body }) => (body.includes("random words") ? "answer" : tooLong) });
    const { exitCode, stdout, stderr } = await evaluate("long");
    expect(exitCode).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/every one of 3 was refused.*has no room for the conversation.*available context size/);
  });
});

describe("a server that answers oddly", () => {
  const chat = (message: object, finish: string | null, completion: number) => ({
    status: 200,
    body: {
      choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }],
      usage: { prompt_tokens: completion, completion_tokens: completion },
    },
  });

  it("with nothing to one task: a failure, and no wrong program", async () => {
    await start({
      behaviour: ({ text: body }) => (body.includes("knife") ? chat({ content: "" }, null, 0) : "answer"),
    });
    const { exitCode, stdout } = await evaluate("nothing");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("What failed: 1 by GeneratorError.");
    const report = await readReport<EvaluateReport>("nothing");
    expect(report.failures.tasks).toMatchObject([{ key: "t/2", message: expect.stringContaining("without text") }]);
    for (const { solved } of report.comparison.solveRates) expect(solved).toMatchObject({ taskCount: 2, mean: 1 });
  });

  it("with thoughts that its parser takes everything for: the run stops", async () => {
    await start({ behaviour: () => chat({ content: null, reasoning_content: text(0, 1) }, "stop", 9) });
    const { exitCode, stdout, stderr } = await evaluate("thoughts");
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/puts whole answers into the reasoning field.*\n.*--reasoning-parser/);
  });

  it("with a thought that was cut to one task: no program, and counted", async () => {
    const cut = chat({ content: null, reasoning_content: "hm" }, "length", 9);
    await start({ behaviour: ({ text: body }) => (body.includes("knife") ? cut : "answer") });
    const { exitCode, stdout } = await evaluate("cut");
    expect(exitCode).toBe(0);
    expect(stdout.replaceAll(/\s+/g, " ")).toMatch(/\d+ answers with a thought alone/);
    const report = await readReport<EvaluateReport>("cut");
    expect(report.failures.tasks).toEqual([]);
    expect(report.usage!.reasoningOnly).toBeGreaterThan(0);
    for (const { solved } of report.comparison.solveRates) expect(solved).toMatchObject({ taskCount: 3, mean: 2 / 3 });
  });
});
