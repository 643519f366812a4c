import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adapterRank, fullTrainingMemory, trainingShape } from "../src/api/plan-size.ts";
import { commandsOf, dryRun, planOf, valueOf } from "./dry-run.ts";

const served = ["--serving.generator.kind=vllm", "--serving.generator.port=8000", "--serving.generator.devices=0"];
const trl = ["--trainer.kind=trl", "--verifier.form=head", "--serving.verifier.kind=vllm", "--trainer.device=gpu"];

describe("mucode train --dry-run", () => {
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-dry-run-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("goes through the stages of the run in their order, and writes nothing", async () => {
    const out = join(directory, "order");
    const { stages, tasks } = await planOf(["--out", out, "--iterations=2"]);
    expect(stages.map(({ name }) => name)).toEqual([
      "start",
      "base/trajectories",
      "rft/iteration-1/generator",
      "rft/iteration-1/trajectories",
      "rft/iteration-2/generator",
      "mucode/iteration-1/verifier",
      "mucode/iteration-1/generator",
      "mucode/iteration-1/trajectories",
      "mucode/iteration-2/verifier",
      "mucode/iteration-2/generator",
      "evaluation/base",
      "evaluation/RFT",
      "evaluation/µCode",
      "report",
    ]);
    expect(tasks).toEqual([
      { suite: "mubpp", split: "train", count: 320 },
      { suite: "mubpp", split: "test", count: 300 },
    ]);
    expect(await readdir(directory)).toEqual([]);
  });

  it("stops servers before their devices train, and starts them on what was trained", async () => {
    const { stages } = await planOf(["--out", join(directory, "turns"), "--iterations=1", ...trl, ...served]);
    const steps = stages.flatMap(({ actions }) =>
      actions.flatMap((action) =>
        action.kind === "run"
          ? [`${action.purpose} ${action.role}`]
          : action.kind === "stop"
            ? [`stop ${action.role}`]
            : [],
      ),
    );
    expect(steps.slice(0, 6)).toEqual([
      "serve generator",
      "stop generator",
      "train generator",
      "train verifier",
      "serve verifier",
      "stop verifier",
    ]);
    const trainings = stages.flatMap(({ actions }, index) =>
      actions.some((action) => action.kind === "run" && action.purpose === "train") ? [index] : [],
    );
    const up = (before: number): number =>
      steps
        .slice(0, before)
        .reduce((sum, step) => sum + Number(step.startsWith("serve")) - Number(step.startsWith("stop")), 0);
    expect(trainings).toHaveLength(3);
    expect(steps.flatMap((step, index) => (step.startsWith("train") ? [up(index)] : []))).toEqual([0, 0, 0]);
  });

  it("leaves out what an earlier attempt has finished", async () => {
    const out = join(directory, "finished");
    await mkdir(join(out, "base"), { recursive: true });
    await writeFile(join(out, "run.json"), "{}");
    await writeFile(join(out, "base", "trajectories.done.json"), JSON.stringify({ summary: {} }));
    const plan = await planOf(["--out", out, ...served]);
    expect(plan.stages.find(({ name }) => name === "base/trajectories")).toMatchObject({ finished: true });
    expect(commandsOf(plan, "serve").map((command) => command[2])).not.toContain("mubpp-base");
  });

  it("evaluates on further suites with the servers that are up already", async () => {
    const plan = await planOf(["--out", join(directory, "further"), "--evaluation.suites=humaneval", ...served]);
    const further = plan.stages.filter(({ name }) => name.startsWith("humaneval/"));
    expect(further.map(({ name }) => name)).toEqual([
      "humaneval/evaluation/base",
      "humaneval/evaluation/RFT",
      "humaneval/evaluation/µCode",
    ]);
    expect(further.flatMap(({ actions }) => actions.map(({ kind }) => kind))).not.toContain("run");
    expect(plan.tasks.at(-1)).toMatchObject({ suite: "humaneval", split: "test", count: 164 });
  });

  it("has a port chosen at the start where none is given, and every word of the configuration in the commands", async () => {
    const launcher = ["--trainer.launcher", "srun -n 2 torchrun --nproc_per_node 4", "--trainer.processes=8"];
    const words = ["--trainer.generator.arguments", "--run_name 'two words'"];
    const batches = ["--generator.batch-size=32", "--verifier.batch-size=32"];
    const sglang = ["--iterations=1", "--serving.generator.kind=sglang", "--out", join(directory, "words")];
    const plan = await planOf([...trl, ...launcher, ...words, ...batches, ...sglang]);
    const [command] = commandsOf(plan, "train");
    expect(command!.slice(0, 7)).toEqual(["srun", "-n", "2", "torchrun", "--nproc_per_node", "4", "-m"]);
    expect(command!.slice(-2)).toEqual(["--run_name", "two words"]);
    expect(valueOf(command!, "gradient_accumulation_steps")).toBe("1");
    expect(valueOf(commandsOf(plan, "serve")[0]!, "port")).toBe("PORT");
  });

  it("refuses what the run would refuse, with the key, and ends with 2", async () => {
    const refusals: [string[], string][] = [
      [["--suite.name=mbbp"], "mbbp"],
      [["--evaluation.suites=humanevil"], 'did you mean "humaneval"?'],
      [["--base-model=no-such-directory"], "no-such-directory"],
      [["--base-revision=v1"], "baseRevision"],
      [["--trainer.kind=command"], "trainer.generator.command"],
      [["--trainer.kind=trl"], "verifier.form"],
      [[...trl, ...served, "--trainer.processes=3"], "generator.batchSize"],
      [[...served, "--serving.generator.replicas=2"], "serving.generator.devices"],
      [[...served, "--serving.generator.arguments='"], "serving.generator.arguments"],
    ];
    for (const [args, told] of refusals) {
      const { exitCode, stderr } = await dryRun(["--out", join(directory, "refused"), ...args]);
      expect(stderr).toContain(told);
      expect(exitCode).toBe(2);
    }
  });
});

describe("what a plan says of memory", () => {
  const shape = (text: string, processes = 4) => trainingShape(text.split(" "), processes);

  it("is 16 bytes a parameter for AdamW, divided as the accelerate file divides it", () => {
    const perProcess = (text: string): number => {
      const { sharding, momentBytes } = shape(text);
      return fullTrainingMemory(1000, { sharding: sharding!, momentBytes: momentBytes! }).perProcess;
    };
    expect(perProcess("trl sft")).toBe(16_000);
    expect(perProcess("trl sft --accelerate_config zero1")).toBe(4000 + 4000 + 2000);
    expect(perProcess("trl sft --accelerate_config=zero2")).toBe(4000 + 1000 + 2000);
    expect(perProcess("trl sft --accelerate_config path/to/zero3.yaml")).toBe(4000);
    expect(perProcess("torchrun -m trl.scripts.sft --fsdp")).toBe(4000);
    expect(perProcess("trl sft --optim adamw_torch --optim adafactor")).toBe(8000);
  });

  it("is unknown for accelerate files and optimizers that are not", () => {
    expect(shape("trl sft --accelerate_config mine").sharding).toBeNull();
    expect(shape("trl sft --optim lion").momentBytes).toBeNull();
  });

  it("knows an adapter by its flag", () => {
    expect(adapterRank(["trl", "sft", "--use_peft", "--lora_r", "32"])).toBe(32);
    expect(adapterRank(["trl", "sft", "--use-peft", "true"])).toBe(16);
    expect(adapterRank(["trl", "sft", "--use_peft", "false"])).toBeNull();
    expect(adapterRank(["trl", "sft"])).toBeNull();
  });
});
