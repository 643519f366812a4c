/** Stages that train a low-rank adapter instead of all weights, from the configuration to what they leave. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashWeights, resolveCheckpoint } from "../src/api/models.ts";
import { openTrainer, type OpenedTrainer } from "../src/api/open-trainer.ts";
import { resolveConfiguration } from "../src/config/resolve.ts";
import { trainSchema } from "../src/config/schema.ts";
import { mergeAdapter } from "../src/engine/embedded/embedded-model.ts";
import { serve } from "../src/server/serve.ts";
import type { Checkpoint } from "../src/training/trainer.ts";
import { dryRun, planOf } from "./dry-run.ts";
import { task } from "./scripted-run.ts";

const conversation = [{ role: "user", content: "Write a function that adds two numbers." }] as const;
const completion = "def add(a, b):\n    return a + b\n";

describe("a stage with lora.rank", () => {
  let directory = "";
  let trainer: OpenedTrainer;
  let base: Checkpoint;
  const values = {
    threads: 1,
    "generator.lora.rank": 8,
    "generator.lora.targets": "all-linear",
    "generator.learningRate": 0.01,
    "verifier.lora.rank": 4,
    "verifier.form": "head",
  };
  const configure = (changes: object = {}) =>
    resolveConfiguration(trainSchema, [{ spell: ({ flag }) => flag, values: { ...values, ...changes } }]);
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-lora-stage-"));
    trainer = await openTrainer({ configuration: configure(), directory });
    base = await resolveCheckpoint("mubpp-base");
  });
  afterAll(async () => {
    await trainer.close();
    await rm(directory, { recursive: true, force: true });
  });

  it("leaves an adapter that writes what it was taught, merged too, and from which another stage goes on", async () => {
    const to = { directory: join(directory, "generator") };
    const example = { taskId: "a", turnIndex: 0, conversation, completion, label: "expert" } as const;
    const summary = await trainer.trainGenerator([example], { from: base, to, seed: 1, steps: 30 });
    expect(summary.lastLoss).toBeLessThan(0.2 * summary.firstLoss!);
    expect((await readdir(to.directory)).toSorted()).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    const merged = { directory: join(directory, "merged") };
    await mergeAdapter(to.directory, merged.directory);
    for (const checkpoint of [await resolveCheckpoint(to.directory), merged]) {
      const generator = await trainer.openGenerator(checkpoint);
      const [written] = await generator.propose({ conversation, seeds: [1], temperature: 0, maxTokens: 40 });
      await generator.close();
      expect(written!.text).toBe(completion);
    }

    const served = await serve({ configuration: { checkpoint: to.directory, port: 0, threads: 1 } });
    const answer = await fetch(`${served.url}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: served.model, messages: conversation, temperature: 0, max_tokens: 40 }),
    });
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: completion } }] });
    await served.close();

    const hashes = [await hashWeights(base), await hashWeights(to), await hashWeights(merged)];
    expect(new Set(hashes).size).toBe(3);
    const next = { directory: join(directory, "next") };
    const continued = await trainer.trainGenerator([example], { from: to, to: next, seed: 2, steps: 2 });
    expect(continued.firstLoss).toBeLessThan(1.5 * summary.lastLoss! + 0.05);
    const config = JSON.parse(await readFile(join(next.directory, "adapter_config.json"), "utf8")) as object;
    expect(config).toMatchObject({ r: 8, base_model_name_or_path: base.directory });
  });

  it("leaves a verifier with a head, which scores", async () => {
    const to = { directory: join(directory, "verifier") };
    const pairs = [{ task: task("a"), right: "return 1", wrong: "return 2" }];
    const summary = await trainer.trainVerifier(
      { loss: "bradley-terry", pairs },
      { from: base, to, seed: 1, steps: 20 },
    );
    expect(summary.lastLoss).toBeLessThan(summary.firstLoss!);
    expect(await readdir(to.directory)).toContain("verifier.json");
    const verifier = await trainer.openVerifier(to);
    const score = (program: string) => verifier.score({ task: task("a"), program });
    expect(await score("return 1")).toBeGreaterThan(await score("return 2"));
    await verifier.close();
  });

  it("is planned as such, and refused where nobody could train or serve it", async () => {
    const out = ["--out", join(directory, "run"), "--iterations=1", "--generator.lora.rank=8"];
    const { stages, needs } = await planOf(out);
    const trained = stages.flatMap(({ actions }) =>
      actions.flatMap((action) => (action.kind === "use" && action.purpose === "train" ? [action.what] : [])),
    );
    expect(trained.map((what) => /^(.*) in this process/.exec(what)?.[1])).toEqual([
      "an adapter of rank 8 for the generator",
      "the verifier",
      "an adapter of rank 8 for the generator",
    ]);
    const memory = needs.training.map(({ role, adapter, weights, bytesPerProcess }) => ({
      role,
      adapter,
      weights,
      perParameter: bytesPerProcess / needs.parameters!,
    }));
    expect(memory).toEqual([
      { role: "generator", adapter: true, weights: "float32", perParameter: 4 },
      { role: "verifier", adapter: false, weights: "float32", perParameter: 16 },
    ]);
    const refusals: [string[], RegExp][] = [
      [["--generator.lora.targets=q_proj,lm_head"], /lora\.targets is lm_head; expected some of q_proj/],
      [
        ["--trainer.kind=trl", "--verifier.form=head", "--trainer.device=cpu"],
        /generator\.lora\.rank is 8.*--use_peft --lora_r 8/,
      ],
      [["--verifier.lora.rank=4", "--serving.verifier.kind=vllm"], /servers give no scores of an adapter/],
    ];
    for (const [flags, message] of refusals) {
      const { exitCode, stderr } = await dryRun([...out, ...flags]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(message) as string });
    }
  });
});
