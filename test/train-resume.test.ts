import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "./command.ts";

const settings = [
  "--suite.train-tasks=16",
  "--suite.test-tasks=8",
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

describe("an interrupted training run", () => {
  let directory = "";
  let undisturbed: unknown;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-resume-"));
    const run = join(directory, "undisturbed");
    const { exitCode, stdout, stderr } = await runCommand(["train", ...settings, "--out", run]);
    expect(stderr).not.toContain("mucode:");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("µCode − RFT");
    undisturbed = await readReport(run);
  }, 180_000);

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("ends in the same result after kill -9 at any moment", { timeout: 240_000 }, async () => {
    const run = join(directory, "killed");
    const args = ["train", ...settings, "--out", run];
    let kills = 0;
    for (const afterMs of [1500, 3100, 4700, 6300]) {
      const { exitCode } = await runCommand(args, { interrupt: { signal: "SIGKILL", afterMs } });
      if (exitCode === null) kills++;
      else break;
    }
    expect(kills).toBeGreaterThanOrEqual(2);
    expect((await runCommand(args)).exitCode).toBe(0);
    expect(await readReport(run)).toEqual(undisturbed);
  });

  it(
    "stops at Ctrl-C with a hint, and refuses to go on under another configuration",
    { timeout: 240_000 },
    async () => {
      const run = join(directory, "stopped");
      const args = ["train", ...settings, "--out", run];
      const stopped = await runCommand(args, { interrupt: { signal: "SIGINT", when: /rollouts of base/ } });
      expect(stopped.exitCode).toBe(130);
      expect(stopped.stderr).toContain("The same command resumes where it left off.");
      const refused = await runCommand([...args, "--seed=2"]);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toMatch(/seed: 1 there, 2 now/);
      expect((await runCommand(args)).exitCode).toBe(0);
      expect(await readReport(run)).toEqual(undisturbed);
    },
  );
});
