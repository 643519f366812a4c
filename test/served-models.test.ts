/** Models behind servers that a run starts: with `mucode serve` itself, and with a program that behaves as documented. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { z } from "zod";
import type { Clock } from "../src/clock.ts";
import { servingSchema } from "../src/config/serving-schema.ts";
import { loadEmbeddedModel } from "../src/engine/embedded/embedded-model.ts";
import { ConfigError } from "../src/errors.ts";
import type { Generator, ProposeRequest } from "../src/generator/generator.ts";
import { createModelOpener, type ModelOpener } from "../src/serving/open-models.ts";
import { ServingError } from "../src/serving/serving-error.ts";
import type { Task } from "../src/tasks/task.ts";
import { createEngineVerifier } from "../src/verifier/engine-verifier.ts";
import { writeVerifierSettings } from "../src/verifier/verifier-files.ts";
import { repository } from "./command.ts";
import { createHurriedClock } from "./misbehaving-server.ts";
import { until, whileRunning } from "./until.ts";

const documented = fileURLToPath(new URL("documented-server.mjs", import.meta.url));
const base = { directory: join(repository, "models", "mubpp-base") };

let directory: string;
let lines: string[];
let opener: ModelOpener;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-serving-"));
  lines = [];
});
afterEach(async () => {
  await opener?.close();
  await rm(directory, { recursive: true, force: true });
});

async function open(serving: z.input<typeof servingSchema>, clock?: Clock): Promise<ModelOpener> {
  opener = await createModelOpener({
    serving: servingSchema.parse(serving),
    threads: 1,
    logs: join(directory, "logs"),
    records: join(directory, "processes"),
    log: (line) => lines.push(line),
    ...(clock && { clock }),
  });
  return opener;
}

const propose = (generator: Generator, request: Partial<ProposeRequest> = {}) =>
  generator.propose({
    conversation: [{ role: "user", content: "Write a function to add one.\nFunction: add_one" }],
    seeds: [1],
    temperature: 0.8,
    maxTokens: 24,
    ...request,
  });

const logOf = (name: string): string => readFileSync(join(directory, "logs", name), "utf8");

/** The numbers of the processes whose command names this test's directory, or this program. */
function processes(needle: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(needle) && Number(name) !== process.pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}

/** A checkpoint of this test's own, so that its processes can be told from others. */
async function copyOfBase(): Promise<{ directory: string }> {
  const copy = { directory: join(directory, "generator") };
  await cp(base.directory, copy.directory, { recursive: true });
  return copy;
}

describe("two replicas of mucode serve", () => {
  it("answer the same texts although one of them is killed in the middle, and are both there again", async () => {
    const checkpoint = await copyOfBase();
    const requests = Array.from({ length: 40 }, (_, index) => ({ seeds: [100 + 2 * index, 101 + 2 * index] }));
    const { openGenerator } = await open({
      generator: { kind: "mucode", replicas: 2, concurrency: 4, arguments: "--threads 1" },
    });
    const generator = await openGenerator(checkpoint);
    const pids = processes(checkpoint.directory);
    expect(pids).toHaveLength(2);
    const expected = await Promise.all(requests.map((request) => propose(generator, request)));
    let answers = 0;
    const found = await Promise.all(
      requests.map(async (request) => {
        const completions = await propose(generator, request);
        if (++answers === 6) process.kill(pids[0]!, "SIGKILL");
        return completions;
      }),
    );
    expect(found.map((one) => one.map(({ text }) => text))).toEqual(expected.map((one) => one.map(({ text }) => text)));
    expect(new Set(found.flat().map(({ text }) => text)).size).toBeGreaterThan(10);
    await expect.poll(() => lines.join("\n")).toMatch(/killed by SIGKILL.*\n(?:.*\n)*.*serves again/);
    expect(processes(checkpoint.directory)).toHaveLength(2);
    await generator.close();
    expect(processes(checkpoint.directory)).toEqual([]);
    expect(readdirSync(join(directory, "processes"))).toEqual([]);
  });
});

describe("a verifier with a score head", () => {
  const task: Task = {
    id: "t",
    prompt: "Write a function to add one.",
    language: "python",
    entryPoint: "add_one",
    publicTests: [{ kind: "assert", source: "assert add_one(1) == 2" }],
  };
  const programs = ["def add_one(x):\n    return x + 1", "def add_one(x):\n    return x", "pass", "x".repeat(20_000)];

  it("scores behind mucode serve as it does in this process", async () => {
    const checkpoint = { directory: join(directory, "verifier") };
    const model = await loadEmbeddedModel({ directory: base.directory, output: "score", threads: 1 });
    await model.save(checkpoint.directory);
    const settings = { form: "head", showPublicTests: true, bias: 0.25 } as const;
    await writeVerifierSettings(checkpoint.directory, settings);
    const local = createEngineVerifier(model, settings);
    const { openVerifier } = await open({ verifier: { kind: "mucode", arguments: "--threads 1" } });
    const served = await openVerifier(checkpoint);
    const expected = await Promise.all(programs.map((program) => local.score({ task, program })));
    const found = await Promise.all(programs.map((program) => served.score({ task, program })));
    expect(new Set(expected).size).toBe(4);
    expect(found.slice(0, 3)).toEqual(expected.slice(0, 3).map((score) => expect.closeTo(score, 4)));
    expect(found[3]).toBe(-Infinity);
    await served.close();
    await local.close();
    expect(processes(checkpoint.directory)).toEqual([]);
  });

  it("gets its logits from vLLM and from SGLang, also where only probabilities come", async () => {
    const checkpoint = { directory: join(directory, "verifier") };
    await cp(base.directory, checkpoint.directory, { recursive: true });
    await writeVerifierSettings(checkpoint.directory, { form: "head", showPublicTests: true, bias: 0 });
    const scores: number[][] = [];
    for (const verifier of [
      { kind: "vllm" },
      { kind: "sglang" },
      { kind: "vllm", environment: "MISHAP=always-activated" },
    ] as const) {
      const { openVerifier } = await open({ verifier: { ...verifier, executable: documented } });
      const served = await openVerifier(checkpoint);
      scores.push(await Promise.all(programs.slice(0, 3).map((program) => served.score({ task, program }))));
      await served.close();
    }
    expect(new Set(scores[0]).size).toBe(3);
    expect(scores[1]).toEqual(scores[0]!.map((score) => expect.closeTo(score, 6)));
    expect(scores[2]).toEqual(scores[0]!.map((score) => expect.closeTo(score, 6)));
    expect(logOf("verifier-1.log")).toMatch(/serve .*--runner pooling --convert classify/);
    expect(logOf("verifier-1.log")).toMatch(/-m sglang\.launch_server --model-path .*--is-embedding/);
    expect(lines.join("\n")).toMatch(/probabilities in place of logits/);
  });

  it("is refused where no server computes its score", async () => {
    const checkpoint = await copyOfBase();
    await writeVerifierSettings(checkpoint.directory, { form: "likelihood", showPublicTests: true, bias: 0 });
    const { openVerifier } = await open({ verifier: { kind: "vllm", executable: documented } });
    await expect(openVerifier(checkpoint)).rejects.toThrow(/verifier\.form to head or verdict/);
    await writeVerifierSettings(checkpoint.directory, { form: "head", showPublicTests: true, bias: 0 });
    const other = await open({ verifier: { kind: "transformers" } });
    await expect(other.openVerifier(checkpoint)).rejects.toThrow(/no endpoint for scores: take vllm, sglang or mucode/);
  });
});

describe("a server as vLLM documents it", () => {
  const vllm = { kind: "vllm", executable: documented } as const;

  it("gets its devices, arguments and a name; says what it can do; stops when the generator is closed", async () => {
    const { openGenerator } = await open({
      generator: { ...vllm, replicas: 2, devices: "0,1; 2,3", arguments: "--gpu-memory-utilization 0.8" },
    });
    const generator = await openGenerator(base);
    const [completion] = await propose(generator, { seeds: [5, 6] });
    expect(completion).toMatchObject({ text: expect.stringMatching(/^text 5 by/), stopReason: "end" });
    expect(logOf("generator-1.log")).toMatch(
      /--served-model-name mucode-generator --gpu-memory-utilization 0\.8\ndevices: 0,1/,
    );
    expect(logOf("generator-2.log")).toContain("devices: 2,3");
    expect(lines.join("\n")).toContain("several choices per request, log-probabilities of 2 tokens, token counts");
    await generator.close();
    expect(logOf("generator-1.log")).toContain("stopping");
    expect(processes(documented)).toEqual([]);
  });

  it("serves a LoRA adapter on its base", async () => {
    const adapter = { directory: join(directory, "adapter") };
    await mkdir(adapter.directory);
    await writeFile(
      join(adapter.directory, "adapter_config.json"),
      JSON.stringify({ base_model_name_or_path: "org/base", r: 24, peft_type: "LORA" }),
    );
    const { openGenerator } = await open({ generator: vllm });
    await (await openGenerator(adapter)).close();
    expect(logOf("generator-1.log")).toContain(
      `--enable-lora --max-lora-rank 32 --lora-modules mucode-generator=${adapter.directory}`,
    );
    expect(logOf("generator-1.log")).toMatch(/serve org\/base /);
    const other = await open({ generator: { kind: "mucode" } });
    await expect(other.openGenerator(adapter)).rejects.toThrow(/does not serve a LoRA adapter.*merge it/);
  });

  it("is stopped before training, unless it is to keep running; another checkpoint takes its place", async () => {
    const first = await open({ generator: vllm });
    const generator = await first.openGenerator(base);
    await first.freeDevices();
    expect(processes(documented)).toEqual([]);
    await generator.close();

    const { openGenerator, freeDevices } = await open({ generator: { ...vllm, keepRunning: true } });
    await (await openGenerator(base)).close();
    await freeDevices();
    const [kept] = processes(documented);
    const again = await openGenerator(base);
    expect(processes(documented)).toEqual([kept]);
    await again.close();
    const other = await openGenerator(await copyOfBase());
    expect(processes(documented)).toHaveLength(1);
    expect(processes(documented)).not.toContain(kept);
    await other.close();
  });

  it("that dies while it answers is started again, and given up when it dies too often", async () => {
    const { openGenerator } = await open({
      generator: { ...vllm, environment: "MISHAP=dies", restarts: 0, retries: 1 },
    });
    const generator = await openGenerator(base);
    const error = await failure(
      (async () => {
        for (let seed = 0; seed < 50; seed++) await propose(generator, { seeds: [seed] });
      })(),
    );
    expect(error.message).toMatch(/^the generator's server was killed by SIGKILL while it served/);
    expect(error.message).toContain(join(directory, "logs", "generator-1.log"));
    expect(error).toBeInstanceOf(ServingError);
  });

  it("that hangs is waited for no longer than the limit; the other one answers", async () => {
    const clock = createHurriedClock();
    const { openGenerator } = await open({ generator: { ...vllm, replicas: 2, requestTimeout: 600 } }, clock);
    const generator = await openGenerator(base);
    const [hung] = processes(documented);
    process.kill(hung!, "SIGSTOP");
    let answered = 0;
    const asked = [1, 2, 3, 4].map((seed) => propose(generator, { seeds: [seed] }).finally(() => answered++));
    // Each of the two has got two.
    await until(() => answered === 2);
    clock.runOut(600_000);
    const found = await Promise.all(asked);
    expect(found.flat().map(({ text }) => text.split(" by ")[0])).toEqual(["text 1", "text 2", "text 3", "text 4"]);
    expect(found.flat().some(({ text }) => text.endsWith(`by ${hung}`))).toBe(false);
    // One that is stopped by a signal takes no other: it is ended by force.
    process.kill(hung!, "SIGCONT");
    await generator.close();
    expect(processes(documented)).toEqual([]);
  });
});

describe("a server that cannot be had", () => {
  const opening = async (generator: object, clock?: Clock): Promise<Error> => {
    const { openGenerator } = await open({ generator: { kind: "vllm", executable: documented, ...generator } }, clock);
    const error = await failure(openGenerator(base));
    expect(processes(documented)).toEqual([]);
    return error;
  };

  it("because it ends at its start: told at once, with command and log", async () => {
    const error = await opening({ environment: "MISHAP=exits", startLimit: 600 });
    expect(error).toBeInstanceOf(ServingError);
    expect(error.message).toMatch(
      /^the generator's server exited with code 3 before it answered\n {2}command: .*serve/,
    );
    expect(error.message).toContain(`log: ${join(directory, "logs", "generator-1.log")}`);
    expect(error.message).toContain("CUDA out of memory");
  });

  it("because it never becomes healthy: told when the limit is over", async () => {
    const error = await opening({ environment: "MISHAP=never-healthy", startLimit: 1.5 });
    expect(error).toBeInstanceOf(ServingError);
    expect(error.message).toMatch(
      /did not answer at http:\S+\/health within 1\.5 s \(serving\.generator\.startLimit\)/,
    );
  });

  it("because its port is taken, or its program is not there", async () => {
    const other = createServer((_, response) => response.end("ok"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const taken = await opening({ port });
    expect(taken).toBeInstanceOf(ConfigError);
    expect(taken.message).toContain(`serving.generator.port: another program listens on port ${port}`);
    other.close();
    const missing = await opening({ executable: "no-such-server" });
    expect(missing).toBeInstanceOf(ConfigError);
    expect(missing.message).toContain("there is no program no-such-server; name it by serving.generator.executable");
  });

  it("because its devices are not as many as its replicas", async () => {
    expect((await opening({ replicas: 2, devices: "0,1" })).message).toMatch(
      /one list of GPU indices per replica \(2\)/,
    );
  });

  it("because it hangs on every request: given up after the retries, and nothing is left behind", async () => {
    const clock = createHurriedClock();
    const log = join(directory, "logs", "generator-1.log");
    let hung = 0;
    const given = opening({ environment: "MISHAP=hangs", requestTimeout: 600, retries: 1 }, clock);
    const error = await whileRunning(given, () => {
      const hanging = existsSync(log) ? readFileSync(log, "utf8").split("hanging").length - 1 : 0;
      if (hanging > hung && clock.isRunning(600_000)) clock.runOut(600_000);
      hung = hanging;
    });
    expect(error.message).toMatch(/no complete answer within 600 s/);
    expect(hung).toBeGreaterThan(1);
  });
});

describe("servers of others", () => {
  it("are reloaded by the command and share the requests", async () => {
    const reload = join(directory, "reload.sh");
    await writeFile(reload, `#!/bin/sh\necho "reloads $1"; test -e "$1/config.json"\n`);
    await chmod(reload, 0o755);
    const asked = [0, 0];
    const servers = await Promise.all(
      asked.map(async (_, index) => {
        const server = createServer((request, response) => {
          request.resume();
          asked[index]!++;
          const models = JSON.stringify({ data: [{ id: "m" }] });
          const choice = (i: number) => ({ index: i, finish_reason: "stop", message: { content: `${Math.random()}` } });
          const answer = JSON.stringify({ model: "m", choices: [0, 1, 2].map(choice) });
          response.end(request.url!.endsWith("/models") ? models : answer);
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        return server;
      }),
    );
    const urls = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`).join(" ");
    const { openGenerator } = await open({
      generator: { kind: "urls", urls, reloadCommand: `${reload} {checkpoint}` },
    });
    const generator = await openGenerator(base);
    await Promise.all(Array.from({ length: 12 }, (_, seed) => propose(generator, { seeds: [seed] })));
    expect(logOf("generator-reload.log")).toBe(`reloads ${base.directory}\n`);
    expect(Math.min(...asked)).toBeGreaterThan(4);
    await generator.close();
    const error = await failure(openGenerator({ directory: join(directory, "nowhere") }));
    expect(error.message).toMatch(
      /the generator's server is not reloaded: the command exited with code 1\n.*reload\.sh/,
    );
    for (const server of servers) server.close();
  });
});
