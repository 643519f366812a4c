import { describe, expect, it } from "vitest";
import { trainerSchema } from "../config/trainer-schema.ts";
import { trlCommand } from "./trl-command.ts";
import { readStepLine } from "./training-lines.ts";

const settings = { learningRate: 5e-7, batchSize: 32, epochs: 2, weightDecay: 0.01, warmupShare: 0.05 };
const stage = { role: "generator", settings, data: "/d", from: "/f", to: "/t", seed: 3, maxLength: 512 } as const;

function command(trainer: Record<string, unknown>, hasGpu = true): string {
  return trlCommand(trainerSchema.parse({ kind: "trl", ...trainer }), stage, hasGpu).join(" ");
}

describe("TRL's command", () => {
  it("carries the settings of the embedded engine", () => {
    const text = command({});
    expect(text).toMatch(/^trl sft --model_name_or_path \/f --dataset_name \/d --output_dir \/t --num_train_epochs 2 /);
    expect(text).toContain(
      "--learning_rate 5e-7 --optim adamw_torch --adam_beta1 0.9 --adam_beta2 0.95 --adam_epsilon 1e-8",
    );
    expect(text).not.toContain("use_cpu");
    expect(command({}, false)).toContain("--use_cpu true --bf16 false");
  });

  it("splits a batch among processes and accumulates the rest", () => {
    const text = command({ processes: 4, generator: { perDeviceBatchSize: 2 } });
    expect(text).toMatch(/^torchrun --nproc_per_node 4 -m trl\.scripts\.sft /);
    expect(text).toContain("--per_device_train_batch_size 2 --gradient_accumulation_steps 4");
    const uneven = { processes: 3 };
    expect(() => command(uneven)).toThrow(
      /generator\.batchSize is 32; expected a multiple of trainer\.processes \(3\)/,
    );
  });

  it("is put after a launcher, or where the launcher wants it, and ends with the user's words", () => {
    const more = { generator: { arguments: "--use_peft --lora_r 32" } };
    expect(command({ launcher: "accelerate launch --config_file 'zero 3.yaml'", ...more })).toMatch(
      /^accelerate launch --config_file zero 3\.yaml -m trl\.scripts\.sft .* --use_peft --lora_r 32$/,
    );
    expect(command({ launcher: "deepspeed --module {module}" })).toMatch(
      /^deepspeed --module trl\.scripts\.sft --model/,
    );
  });
});

describe("a line of a log", () => {
  it.each([
    [
      "{'loss': '9.458', 'grad_norm': '24.48', 'num_tokens': '1.125e+04', 'epoch': '0.25'}",
      { loss: 9.458, tokens: 11250 },
    ],
    ["{'loss': 0.5, 'epoch': 1.0}", { loss: 0.5 }],
    ['12:00 {"step": 3, "steps": 20, "loss": 1.5}', { loss: 1.5, step: 3, steps: 20 }],
    ["{'loss': 'nan'}", { loss: NaN }],
    ["{'train_runtime': '2.2', 'train_loss': '4.5'}", undefined],
    ["{'eval_loss': '4.5'}", undefined],
    [" 40%|####      | 4/10 [00:01<00:02]", undefined],
  ])("%s", (line, step) => {
    expect(readStepLine(line)).toEqual(step);
  });
});
