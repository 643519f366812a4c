import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runCommand } from "./command.ts";

const settings = [
  "--steps=80",
  "--batch-size=4",
  "--tokenizer-documents=300",
  "--validation-tasks=4",
  "--model.vocabulary-size=420",
  "--model.hidden-size=32",
  "--model.layers=1",
  "--model.heads=2",
  "--model.key-value-heads=1",
  "--model.intermediate-size=48",
];

it("pretraining killed with -9 goes on from its last chunk and makes the same model", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mucode-pretrain-"));
  try {
    const undisturbed = join(directory, "undisturbed");
    const killed = join(directory, "killed");
    const interrupt = { signal: "SIGKILL", whenWritten: join(killed, "chunks.jsonl") } as const;
    expect((await runCommand(["pretrain", ...settings, "--out", killed], { interrupt })).exitCode).toBeNull();
    for (const run of [undisturbed, killed]) {
      const { exitCode, stdout, stderr } = await runCommand(["pretrain", ...settings, "--out", run]);
      expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toContain("4 validation tasks, greedy");
      expect(JSON.parse(await readFile(join(run, "model", "provenance.json"), "utf8"))).toMatchObject({
        configuration: { seed: 1, steps: 80 },
        validation: { suite: "mubpp", split: "validation", count: 4 },
      });
    }
    const [expected, weights] = await Promise.all(
      [undisturbed, killed].map((run) => readFile(join(run, "model", "model.safetensors"))),
    );
    expect(expected?.equals(weights as Buffer)).toBe(true);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
