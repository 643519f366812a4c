import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { repository } from "./command.ts";
import { commandsOf, configs, dryRun, planOf, recipe, valueOf } from "./dry-run.ts";

const MODELS = ["llama-3.2-1b", "llama-3.1-8b", "qwen-2.5-1.5b"];
const SUITES = ["mbpp", "codecontests"];
const HARDWARE = ["4-gpus", "8-gpus"];
const SHARDING = ["fsdp", "zero3"];

const whole = MODELS.flatMap((model) =>
  SUITES.flatMap((suite) => HARDWARE.flatMap((gpus) => SHARDING.map((sharding) => ({ model, suite, gpus, sharding })))),
);

describe("the recipes", () => {
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-recipes-"));
    // Whether this machine has one of the models or suites makes no difference.
    vi.stubEnv("HF_HUB_CACHE", join(directory, "hub"));
    vi.stubEnv("MUCODE_CACHE", join(directory, "cache"));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true, force: true });
  });

  it("are all tried here", async () => {
    const files = await readdir(`${repository}recipes`, { recursive: true });
    expect(files.filter((file) => file.endsWith(".toml")).toSorted()).toEqual(
      [
        "paper.toml",
        ...MODELS.map((name) => `models/${name}.toml`),
        ...SUITES.map((name) => `suites/${name}.toml`),
        ...[...HARDWARE, "24-gb", "slurm"].map((name) => `hardware/${name}.toml`),
        ...SHARDING.map((name) => `sharding/${name}.toml`),
      ].toSorted(),
    );
  });

  it.each(whole)("$model on $suite, $gpus with $sharding", async ({ model, suite, gpus, sharding }) => {
    const files = ["paper", `models/${model}`, `suites/${suite}`, `hardware/${gpus}`, `sharding/${sharding}`];
    const plan = await planOf([...configs(...files), "--out", join(directory, "run")]);
    const processes = Number(gpus[0]);
    const trainings = commandsOf(plan, "train");
    // Two iterations: RFT fits a generator in each, µCode a verifier and a generator.
    expect(trainings.map((command) => command.slice(0, 4).join(" "))).toEqual(
      ["sft", "sft", "reward", "sft", "reward", "sft"].map(
        (name) => `trl ${name} --accelerate_config ${sharding === "fsdp" ? "fsdp2" : "zero3"}`,
      ),
    );
    for (const command of trainings) {
      const isReward = command[1] === "reward";
      expect(valueOf(command, "num_processes")).toBe(String(processes));
      expect(Number(valueOf(command, "learning_rate"))).toBe(isReward ? 1e-6 : 5e-7);
      expect(valueOf(command, "num_train_epochs")).toBe("2");
      expect(valueOf(command, "max_length")).toBe(isReward ? "2048" : "4096");
      const batch = ["per_device_train_batch_size", "gradient_accumulation_steps"].map((name) =>
        Number(valueOf(command, name)),
      );
      expect(batch[0]! * batch[1]! * processes).toBe(isReward ? 64 : 32);
    }
    const { rollout, verifier, relabel, iterations } = plan.configuration;
    expect({ ...rollout, pairs: verifier.pairsPerTask, relabelled: relabel.trajectoriesPerTask, iterations }).toEqual({
      rolloutsPerTask: 15,
      turns: 3,
      temperature: 0.7,
      maxTokens: 1000,
      pairs: 32,
      relabelled: 3,
      iterations: 2,
    });
    const servers = commandsOf(plan, "serve");
    expect(new Set(servers.map((command) => command[0]))).toEqual(new Set(["vllm"]));
    expect(new Set(servers.map((command) => valueOf(command, "port"))).size).toBe(processes);
    expect(plan.needs.training.map(({ bytesPerProcess }) => bytesPerProcess)).toEqual(
      Array(2).fill((16 * plan.needs.parameters!) / processes),
    );
    expect(plan.needs.unknown).toEqual([]);
  });

  it.each(["llama-3.2-1b", "qwen-2.5-1.5b"])("%s with an adapter on one GPU of 24 GB", async (model) => {
    const files = ["paper", `models/${model}`, "suites/mbpp", "hardware/24-gb"];
    const plan = await planOf([...configs(...files), "--out", join(directory, "run")]);
    expect(commandsOf(plan, "train")[0]!.slice(0, 2)).toEqual(["trl", "sft"]);
    expect(plan.needs.training.find(({ role }) => role === "generator")).toMatchObject({ adapter: true, processes: 1 });
    for (const { bytesPerProcess } of plan.needs.training) expect(bytesPerProcess).toBeLessThan(16e9);
    const ofAdapters = commandsOf(plan, "serve").filter((command) => command.includes("--enable-lora"));
    expect(valueOf(ofAdapters[0]!, "max-lora-rank")).toBe("32");
  });

  it("run on several nodes under Slurm", async () => {
    const scontrol = join(directory, "scontrol");
    await writeFile(scontrol, "#!/bin/sh\nprintf 'node-a\\nnode-b\\n'\n");
    await chmod(scontrol, 0o755);
    const args = ["--config", "recipes/models/llama-3.1-8b.toml", "--config", "recipes/suites/mbpp.toml"];
    const out = ["--out", join(directory, "run"), "--dry-run", "--json"];
    const { stdout } = spawnSync("bash", [`${repository}recipes/slurm/train.sbatch`, ...args, ...out], {
      cwd: repository,
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: `${directory}:${process.env["PATH"]}`,
        // Says what it was called with.
        MUCODE: `${process.execPath} -p JSON.stringify(process.argv.slice(1)) --`,
        SLURM_JOB_NODELIST: "node-[a-b]",
        SLURM_NNODES: "2",
        SLURM_JOB_ID: "17",
      },
    });
    const [, ...words] = JSON.parse(stdout) as string[];
    const plan = await planOf(words.filter((word) => !out.slice(2).includes(word)));
    const [command] = commandsOf(plan, "train");
    expect(command!.join(" ")).toMatch(
      /^srun --nodes=2 --ntasks=2 --ntasks-per-node=1 torchrun --nnodes=2 --nproc_per_node=8 --rdzv_backend=c10d --rdzv_id=17 --rdzv_endpoint=node-a:29500 -m trl\.scripts\.sft /,
    );
    expect(valueOf(command!, "gradient_accumulation_steps")).toBe("1");
    expect(plan.needs.training.map(({ processes }) => processes)).toEqual([16, 16]);
  });

  it("run as a Ray job", async () => {
    const args = [
      "--config",
      "models/llama-3.1-8b.toml",
      "--config",
      "suites/mbpp.toml",
      "--config",
      "sharding/fsdp.toml",
    ];
    const { stdout } = spawnSync("bash", [`${repository}recipes/ray/submit.sh`, ...args], {
      encoding: "utf8",
      env: { ...process.env, RAY: "echo" },
    });
    const [submission, entrypoint] = stdout.trim().split(" -- ");
    expect(submission).toBe(
      `job submit --working-dir ${repository}recipes --entrypoint-num-gpus 8 --entrypoint-num-cpus 64`,
    );
    const [program, command, ...words] = entrypoint!.split(" ");
    expect([program, command]).toEqual(["mucode", "train"]);
    const local = words.map((word) => (word.endsWith(".toml") ? `${repository}recipes/${word}` : word));
    expect(commandsOf(await planOf([...local, "--out", join(directory, "run")]), "train")).toHaveLength(6);
  });

  it("are refused with file and key when a key is misspelt", async () => {
    const file = join(directory, "mine.toml");
    await writeFile(file, "[rollout]\nrolloutPerTask = 3\n");
    const { exitCode, stderr } = await dryRun(["--config", recipe("paper"), "--config", file]);
    expect(stderr).toContain(`${file}: unknown key rollout.rolloutPerTask; did you mean rollout.rolloutsPerTask?`);
    expect(exitCode).toBe(2);
  });
});
