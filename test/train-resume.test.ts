import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "./command.ts";

const settings = [
  "--suite.train-tasks=12",
  "--suite.test-tasks=6",
  "--rollout.rollouts-per-task=3",
  "--iterations=2",
  "--generator.epochs=1",
  "--verifier.epochs=1",
  "--evaluation.candidates=3",
];

/** The report without what may differ between two equal runs: where it lies and how long it took. */
async function readReport(run: string): Promise<unknown> {
  const report = JSON.parse(await readFile(join(run, "report.json"), "utf8"), (key, value: unknown) =>
    key === "directory" ? (value as string).replace(run, "") : value,
  ) as Record<string, unknown>;
  const { run: _run, time: _time, configuration, ...rest } = report;
  return { ...rest, configuration: { ...(configuration as object), out: "" } };
}

describe("a training run", () => {
  let directory = "";
  let undisturbed: unknown;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-resume-"));
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("ends with the table and the report", async () => {
    const run = join(directory, "undisturbed");
    const { exitCode, stdout, stderr } = await runCommand(["train", ...settings, "--out", run]);
    expect(stderr).not.toContain("mucode:");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("µCode − RFT");
    expect(stdout).toContain("where the time went");
    undisturbed = await readReport(run);
  });

  it("can be exported in every format, with a card", async () => {
    const run = join(directory, "undisturbed");
    const keys: Record<string, string[]> = {};
    for (const format of ["sft", "preference", "scored", "trajectories"]) {
      const out = join(directory, `export-${format}`);
      const { exitCode, stderr } = await runCommand(["export", "--run", run, "--format", format, "--out", out]);
      expect(stderr).toBe("");
      expect(exitCode).toBe(0);
      const data = await readFile(join(out, "train.jsonl"), "utf8");
      const lines = data.split("\n").slice(0, -1);
      keys[format] = Object.keys(JSON.parse(lines[0]!) as object).slice(0, 3);
      const card = await readFile(join(out, "README.md"), "utf8");
      expect(card).toContain("license: apache-2.0");
      expect(card).toContain("rule outcome-then-verifier");
      expect(card).toMatch(/\| sha256 of the tasks \| [0-9a-f]{64} \|/);
      expect(card).toContain(`| records | ${lines.length}, of `);
      expect(card).toContain(createHash("sha256").update(data).digest("hex"));
    }
    expect(keys).toEqual({
      sft: ["prompt", "completion", "task_id"],
      preference: ["prompt", "chosen", "rejected"],
      scored: ["prompt", "completion", "label"],
      trajectories: ["prompt", "completion", "reward"],
    });
    const parquet = ["export", run, "--format", "sft", "--as", "parquet", "--out", join(directory, "parquet")];
    expect((await runCommand(parquet)).exitCode).toBe(0);
    const again = await runCommand(parquet);
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain("holds files already");
  });

  it("killed with -9 again and again ends in the same result", async () => {
    const run = join(directory, "killed");
    const args = ["train", ...settings, "--out", run];
    // In the middle of rollouts, of a fit, of later rollouts, and of an evaluation.
    const moments = [
      "base/trajectories.jsonl",
      "mucode/iteration-1/verifier.done.json",
      "mucode/iteration-1/trajectories.jsonl",
      "evaluation/RFT.jsonl",
    ];
    for (const moment of moments) {
      const killed = await runCommand(args, { interrupt: { signal: "SIGKILL", whenWritten: join(run, moment) } });
      expect(killed.exitCode, `${moment}: ${killed.stderr}`).toBeNull();
    }
    const last = await runCommand([...args, "--json"]);
    expect(last.exitCode).toBe(0);
    expect(JSON.parse(last.stdout)).toMatchObject({ run, tasks: { test: { suite: "mubpp", count: 6 } } });
    expect(await readReport(run)).toEqual(undisturbed);
  });

  it("stops at Ctrl-C with a hint, and refuses another configuration", async () => {
    const run = join(directory, "stopped");
    const args = ["train", ...settings, "--out", run];
    const interrupt = { signal: "SIGINT", whenWritten: join(run, "base/trajectories.jsonl") } as const;
    const stopped = await runCommand(args, { interrupt });
    expect(stopped.exitCode).toBe(130);
    expect(stopped.stderr).toContain("The same command resumes where it left off.");
    const refused = await runCommand([...args, "--seed=2"]);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/seed: 1 there, 2 now/);
  });
});
