/** Stages trained by real commands: a script that behaves as trainers do when all is well, and as they do when it is not. */
import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { trainerSchema } from "../src/config/trainer-schema.ts";
import { loadEmbeddedModel } from "../src/engine/embedded/embedded-model.ts";
import { ConfigError, StoreError, TrainerError } from "../src/errors.ts";
import { recordProcess } from "../src/processes/leftovers.ts";
import { MARK_VARIABLE } from "../src/processes/process-tree.mjs";
import { createCommandTrainer } from "../src/training-command/command-trainer.ts";
import { stageFiles } from "../src/training-command/stage-plan.ts";
import type { GeneratorExample } from "../src/training/relabel.ts";
import type { TrainingRequest, TrainingSummary, VerifierData } from "../src/training/trainer.ts";

const base = fileURLToPath(new URL("../models/mubpp-base", import.meta.url));
const fit = { learningRate: 5e-4, batchSize: 4, epochs: 2, weightDecay: 0.01, warmupShare: 0.05 };

/** `node trainer.mjs MODE DATA FROM TO`. */
const trainer = String.raw`
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
const [mode, data, from, to, ...rest] = process.argv.slice(2);
const lines = readFileSync(join(data, "train.jsonl"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const edit = (file, change) => { const path = join(to, file); const json = JSON.parse(readFileSync(path, "utf8")); change(json); writeFileSync(path, JSON.stringify(json)); };
const steps = 4;
console.log("loading " + from);
const forever = () => setInterval(() => undefined, 1000);
const file = join(to, "model.safetensors");
if (mode === "exit") { console.error("RuntimeError: CUDA out of memory"); process.exit(3); }
if (mode === "full") { console.error("OSError: [Errno 28] No space left on device"); process.exit(1); }
if (mode === "signal") process.kill(process.pid, "SIGKILL");
if (mode === "hang" || mode === "leave") {
  // As torchrun does: a worker in a session of its own, that a signal to the group does not reach.
  spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)", "worker", to], { detached: true, stdio: "ignore" }).unref();
}
for (let step = 1; step <= steps; step++) console.log("{'loss': '" + (2 / step) + "', 'num_tokens': '" + step * 100 + "', 'epoch': '1'}");
if (mode === "hang") forever();
if (["hang", "nothing"].includes(mode)) { /* writes no checkpoint */ }
else if (mode === "adapter") {
  mkdirSync(to, { recursive: true });
  writeFileSync(join(to, "adapter_config.json"), JSON.stringify({ peft_type: "LORA", task_type: "CAUSAL_LM", r: 2, base_model_name_or_path: from }));
  const shapes = { "a.lora_A.weight": [2, 4], "a.lora_B.weight": [4, 2] };
  const header = Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(shapes).map(([name, shape], i) => [name, { dtype: "F32", shape, data_offsets: [i * 32, i * 32 + 32] }]))));
  const length = Buffer.alloc(8); length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(to, "adapter_model.safetensors"), Buffer.concat([length, header, Buffer.alloc(64)]));
} else {
  cpSync(rest[0] ?? from, to, { recursive: true });
  if (mode === "no-tokenizer") for (const name of readdirSync(to)) if (name.startsWith("tokenizer")) rmSync(join(to, name));
  const bytes = readFileSync(file);
  if (mode === "nan") { bytes.writeUInt32LE(0x7fc00000, bytes.length - 8); writeFileSync(file, bytes); }
  if (mode === "truncated") writeFileSync(file, bytes.subarray(0, bytes.length - 1000));
  if (mode === "empty") writeFileSync(file, "");
  if (mode === "shapes") edit("config.json", (config) => (config.vocab_size += 1));
  if (mode === "shard") { writeFileSync(join(to, "model.safetensors.index.json"), JSON.stringify({ weight_map: { "model.norm.weight": "model-00002-of-00002.safetensors" } })); }
  if (mode === "count") writeFileSync(join(to, "seen.json"), JSON.stringify(lines));
}
`;

let workplace: string;
let rewardModel: string;
let count = 0;
beforeAll(async () => {
  workplace = await mkdtemp(join(tmpdir(), "mucode-trainer-"));
  await writeFile(join(workplace, "trainer.mjs"), trainer);
  rewardModel = join(workplace, "reward-model");
  const model = await loadEmbeddedModel({ directory: base, threads: 1, output: "score" });
  await model.save(rewardModel);
  await model.close();
});
afterAll(() => rm(workplace, { recursive: true, force: true }));

const examples: GeneratorExample[] = Array.from({ length: 8 }, (_, i) => ({
  taskId: `t${i}`,
  turnIndex: 0,
  label: "expert",
  conversation: [{ role: "user", content: `Add ${i}.` }],
  completion: `def f(x):\n    return x + ${i}\n`,
}));
const task = { id: "t", prompt: "Add 1.", language: "python", entryPoint: "f", publicTests: [] } as const;
const pairs: VerifierData = {
  loss: "bradley-terry",
  pairs: [{ task, right: "def f(x):\n    return x + 1\n", wrong: "def f(x):\n    return x\n" }],
};
const labels: VerifierData = { loss: "bce", labels: [{ task, program: "def f(x):\n    return x\n", outcome: false }] };

/** What has passed for the trainer beyond the time that has: milliseconds. */
let leapMs = 0;

function create(mode: string, more: Record<string, unknown> = {}, loss: VerifierData["loss"] = "bradley-terry") {
  const script = join(workplace, "trainer.mjs");
  return createCommandTrainer({
    trainer: trainerSchema.parse({
      kind: "command",
      generator: { command: `'${process.execPath}' ${script} ${mode} {data} {from} {to}` },
      verifier: { command: `'${process.execPath}' ${script} ${mode} {data} {from} {to} ${rewardModel}` },
      ...more,
    }),
    generator: fit,
    verifier: { ...fit, form: "head", showPublicTests: false, scoreRegularization: 0.01 },
    verifierLoss: loss,
    now: () => performance.now() + leapMs,
  });
}

const freshPlace = (): string => join(workplace, `run-${count++}`, "generator");

/** Trains a generator at `to`; what went wrong is returned. */
async function failing(
  mode: string,
  to: string,
  more: Record<string, unknown> = {},
  request: Partial<TrainingRequest> = {},
) {
  return train(mode, to, more, request).then(
    () => new Error("the stage did not fail"),
    (error: unknown) => error as TrainerError,
  );
}

function train(
  mode: string,
  to: string,
  more: Record<string, unknown> = {},
  request: Partial<TrainingRequest> = {},
): Promise<TrainingSummary> {
  return create(mode, more).trainGenerator(examples, {
    from: { directory: base },
    to: { directory: to },
    seed: 1,
    ...request,
  });
}

/** Command lines of living processes that name this test's directory. */
function processesLeft(place: string): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return line.includes(join(place, "..")) ? [line.replaceAll("\0", " ")] : [];
    } catch {
      return [];
    }
  });
}

describe("a stage trained by a command", () => {
  it("turns a data set into a checkpoint, and the log into progress", async () => {
    const to = freshPlace();
    const steps: unknown[] = [];
    const summary = await train("count", to, {}, { onStep: (step) => steps.push(step) });
    expect(summary).toMatchObject({ steps: 4, examples: 8, tooLong: 0, tokens: 400, firstLoss: 2, lastLoss: 0.5 });
    expect(steps).toEqual([1, 2, 3, 4].map((done) => ({ done, total: 4, loss: 2 / done })));
    const seen = JSON.parse(await readFile(join(to, "seen.json"), "utf8")) as unknown[];
    expect(seen).toHaveLength(8);
    expect(seen[0]).toMatchObject({
      prompt: [{ role: "user", content: "Add 0." }],
      completion: [{ role: "assistant", content: "def f(x):\n    return x + 0\n" }],
    });
    const model = await loadEmbeddedModel({ directory: to, threads: 1 });
    await model.close();
    expect(await readFile(join(`${to}-training`, "training.log"), "utf8")).toContain("{'loss': '2'");
    expect(readdirSync(`${to}-training`).toSorted()).toEqual(["data", "processes", "training.log"]);
  });

  it("trains a reward model on pairs, or on labels", async () => {
    const request = { from: { directory: base }, seed: 1 };
    const first = freshPlace();
    await create("count").trainVerifier(pairs, { ...request, to: { directory: first } });
    expect(JSON.parse(await readFile(join(first, "seen.json"), "utf8"))).toMatchObject([
      { chosen: [{ content: "def f(x):\n    return x + 1" }], rejected: [{ content: "def f(x):\n    return x" }] },
    ]);
    expect(JSON.parse(await readFile(join(first, "verifier.json"), "utf8"))).toMatchObject({ form: "head" });
    const second = freshPlace();
    await create("count", {}, "bce").trainVerifier(labels, { ...request, to: { directory: second } });
    expect(JSON.parse(await readFile(join(second, "seen.json"), "utf8"))).toMatchObject([{ label: false }]);
  });

  it("refuses a model of text where a reward model belongs", async () => {
    const trained = create("good", {
      verifier: { command: `'${process.execPath}' ${workplace}/trainer.mjs good {data} {from} {to}` },
    });
    const request = { from: { directory: base }, to: { directory: freshPlace() }, seed: 1 };
    await expect(trained.trainVerifier(pairs, request)).rejects.toThrow(/LlamaForCausalLM, not a reward model/);
  });

  it("leaves out what does not fit, and leaves the model as it is when nothing is left", async () => {
    const long = { ...examples[0]!, completion: "x = 1\n".repeat(600) };
    const request = { from: { directory: base }, seed: 1 };
    const to = { directory: freshPlace() };
    const summary = await create("count").trainGenerator([...examples, long], { ...request, to });
    expect(summary).toMatchObject({ examples: 9, tooLong: 1 });
    expect(JSON.parse(await readFile(join(to.directory, "seen.json"), "utf8"))).toHaveLength(8);
    const same = { directory: freshPlace() };
    expect(await create("exit").trainGenerator([], { ...request, to: same })).toMatchObject({
      steps: 0,
      lastLoss: null,
    });
    const weights = await readFile(join(same.directory, "model.safetensors"));
    expect(weights.equals(await readFile(join(base, "model.safetensors")))).toBe(true);
  });

  it("completes a checkpoint without a tokenizer", async () => {
    const to = freshPlace();
    await train("no-tokenizer", to);
    expect(await readFile(join(to, "tokenizer.json"), "utf8")).toBe(
      await readFile(join(base, "tokenizer.json"), "utf8"),
    );
  });

  it("accepts a LoRA adapter and keeps the name of its base", async () => {
    const to = freshPlace();
    await train("adapter", to);
    expect(JSON.parse(await readFile(join(to, "base-model.json"), "utf8"))).toEqual({ baseModel: base });
  });

  it("ends what the command leaves running", async () => {
    const to = freshPlace();
    await train("leave", to);
    expect(processesLeft(to)).toEqual([]);
  });
});

it("what an attempt left running, when it was killed, is ended by the next one", async () => {
  const to = freshPlace();
  const mark = randomUUID();
  const left = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)", to], {
    env: { ...process.env, [MARK_VARIABLE]: mark },
    stdio: "ignore",
  });
  const gone = once(left, "exit");
  await recordProcess(stageFiles(to).processes, { mark, command: ["a trainer"] });
  await train("good", to);
  expect(await gone).toEqual([null, "SIGTERM"]);
});

describe("a command that fails", () => {
  it.each([
    ["exit", /exited with code 3[\s\S]*RuntimeError: CUDA out of memory/],
    ["signal", /was killed by SIGKILL/],
    ["full", /exited with code 1; the disk is full/],
    ["nothing", /wrote no checkpoint/],
    ["nan", /model\.safetensors: \S+ holds NaN or infinity/],
    ["truncated", /model\.safetensors is cut off: it has \d+ of \d+ bytes/],
    ["empty", /model\.safetensors is cut off: it has 0 bytes/],
    ["shard", /model-00002-of-00002\.safetensors is missing/],
    ["shapes", /model\.embed_tokens\.weight has shape \[900, 128\]; config\.json asks for \[901, 128\]/],
  ])("(%s) is told with stage, command and log, and the same call goes on later", async (mode, message) => {
    const to = freshPlace();
    const error = await failing(mode, to);
    expect(error).toBeInstanceOf(TrainerError);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("training the generator failed");
    expect(error.message).toContain(`trainer.mjs ${mode} ${to}-training/data`);
    expect(error.message).toContain(`log: ${to}-training/training.log`);
    expect(existsSync(to)).toBe(false);
    expect(processesLeft(to)).toEqual([]);
    await train("good", to);
    expect(existsSync(join(to, "model.safetensors"))).toBe(true);
    expect(existsSync(`${to}-training/refused-checkpoint`)).toBe(false);
  });

  it.each([
    ["hangs without output", { silenceLimit: 3600 }, /wrote nothing for 3600 s/],
    ["takes too long", { timeLimit: 3600, silenceLimit: 86_400 }, /took longer than 3600 s/],
  ])("and %s is ended, with its workers", async (_, limits, message) => {
    const to = freshPlace();
    const onStep = ({ done }: { done: number }): void => {
      if (done === 4) leapMs = 3_600_000;
    };
    const error = await failing("hang", to, limits, { onStep });
    leapMs = 0;
    expect(error.message).toMatch(message);
    expect(processesLeft(to)).toEqual([]);
  });

  it("and is interrupted ends with the reason of the interruption, and leaves nothing running", async () => {
    const to = freshPlace();
    const controller = new AbortController();
    const reason = new Error("interrupted");
    const onStep = ({ done }: { done: number }): void => {
      if (done === 4) controller.abort(reason);
    };
    expect(await failing("hang", to, {}, { onStep, signal: controller.signal })).toBe(reason);
    expect(processesLeft(to)).toEqual([]);
    expect(existsSync(to)).toBe(false);
  });

  it("and cannot be found is a mistake of the configuration", async () => {
    const to = freshPlace();
    const error = await failing("good", to, { generator: { command: "no-such-trainer {data}" } });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/no-such-trainer is no program/);
  });
});

describe("a full disk", () => {
  const mount = (): string | undefined => {
    try {
      const place = join(workplace, "small");
      execFileSync("mkdir", [place]);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=128k", "tmpfs", place], { stdio: "ignore" });
      return place;
    } catch {
      return undefined;
    }
  };

  it("while the data set is written is told, with the way on", async ({ skip }) => {
    const place = mount();
    if (place === undefined) skip("needs the right to mount a small file system");
    try {
      const many = Array.from({ length: 2000 }, () => examples[0]!);
      const request = { from: { directory: base }, to: { directory: join(place!, "generator") }, seed: 1 };
      const failed = create("good").trainGenerator(many, request);
      await expect(failed).rejects.toThrow(StoreError);
      await expect(failed).rejects.toThrow(/disk full while writing .*train\.jsonl; free space/);
    } finally {
      execFileSync("umount", ["-l", place!]);
    }
  });
});

describe("a configuration", () => {
  it("with an unknown placeholder is refused with those that are known", () => {
    const make = () => create("good", { generator: { command: "train {dataset}" } });
    expect(make).toThrow(/trainer\.generator\.command: \{dataset\} is not known; known are \{data\} \{from\} \{to\}/);
  });

  it("that TRL has no command for is refused", () => {
    const trl = (form: "head" | "likelihood", verifierLoss: VerifierData["loss"]) =>
      createCommandTrainer({
        trainer: trainerSchema.parse({ kind: "trl" }),
        generator: fit,
        verifier: { ...fit, form, showPublicTests: false, scoreRegularization: 0 },
        verifierLoss,
      });
    expect(() => trl("head", "bce")).toThrow(/verifier\.loss is bce/);
    expect(() => trl("likelihood", "bradley-terry")).toThrow(/verifier\.form = "head"/);
    expect(() => trl("head", "bradley-terry")).not.toThrow();
  });
});
