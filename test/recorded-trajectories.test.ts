import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collectTrajectories } from "../src/api/collect-trajectories.ts";
import { fitVerifierOnTrajectories } from "../src/api/fit-verifier.ts";
import { importTrajectories } from "../src/api/import-trajectories.ts";
import { ConfigError } from "../src/errors.ts";
import type { GradedTrajectory } from "../src/rollout/graded-trajectory.ts";
import { createMubpp } from "../src/tasks/mubpp/mubpp.ts";

const limit = 10;
const suite = { name: "mubpp", split: "validation", limit };

describe("recorded programs", () => {
  let directory = "";
  let recorded = "";
  let golds: string[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mucode-recorded-"));
    const { tasks } = await createMubpp().load({ split: "validation", limit });
    golds = tasks.map(({ goldProgram }) => goldProgram as string);
    const lines = tasks.map((task, index) => {
      const wrong = golds[index]!.replaceAll(/return .*/g, "return None");
      return JSON.stringify({
        task_id: task.id.toUpperCase(),
        implementations: [wrong, golds[index]],
        test_feedback: [[`it failed ${index}`]],
      });
    });
    recorded = join(directory, "recorded.jsonl");
    await writeFile(recorded, `${lines.join("\n")}\n`);
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("become trajectories with their own texts and feedback, and verdicts and outcomes of ours", async () => {
    const out = join(directory, "imported");
    const report = await importTrajectories({ configuration: { file: recorded, suite, out } });
    expect(report.programs).toBe(2 * limit);
    expect(report.rollouts.solvedByTurn).toEqual([0, 1]);
    const [first] = (await readFile(report.trajectories, "utf8")).split("\n");
    const trajectory = JSON.parse(first!) as GradedTrajectory;
    expect(trajectory.outcomes).toEqual([false, true]);
    expect(trajectory.stopReason).toBe("public-tests-passed");
    expect(golds).toContain(trajectory.turns[1]?.completion);
    expect(trajectory.turns.map(({ verdict }) => verdict)).toEqual(["failed", "passed"]);
    expect(trajectory.turns[0]?.feedback).toMatch(/^it failed \d$/);
  });

  it("train a verifier that is examined on tasks it was not fitted to", async () => {
    const report = await fitVerifierOnTrajectories({
      configuration: {
        trajectories: join(directory, "imported", "trajectories.jsonl"),
        suite,
        out: join(directory, "verifier"),
        verifier: { epochs: 4, batchSize: 4 },
      },
    });
    expect(report.seen.fitted.tasks).toBe(7);
    expect(report.heldOut.fitted).toMatchObject({ tasks: 3, programs: 6, right: 3 });
    expect(report.fit.lastLoss).toBeLessThan(report.fit.firstLoss!);
    expect(report.heldOut.fitted.ranking?.mean).toBeGreaterThanOrEqual(report.heldOut.base.ranking!.mean);
    expect(JSON.parse(await readFile(join(report.verifier, "verifier.json"), "utf8"))).toMatchObject({
      form: "likelihood",
    });
  });

  it("are collected from a model, and imported again as what they were", async () => {
    const { trajectories, rollouts, generator } = await collectTrajectories({
      configuration: {
        suite: { ...suite, limit: 4 },
        rollout: { rolloutsPerTask: 2, turns: 2 },
        out: join(directory, "collected"),
      },
    });
    expect(generator).toMatchObject({ kind: "checkpoint", checkpoint: "mubpp-base" });
    expect(rollouts.rollouts).toBe(8);
    const imported = await importTrajectories({
      configuration: { file: trajectories, suite, out: join(directory, "again") },
    });
    expect(imported.rollouts.solvedByTurn).toEqual(rollouts.solvedByTurn);
  });

  it("are read as `grade` reads them, without thoughts and cut where that was asked for", async () => {
    const file = join(directory, "samples.jsonl");
    const { tasks } = await createMubpp().load({ split: "validation", limit });
    const [id, gold] = [tasks[0]!.id, golds[0]!];
    const lines = [
      { task_id: id, completion: `<think>\nhm\n</think>\n\n${gold}\nEND\nprint(` },
      { task_id: id, solution: gold, completion: "what it is from" },
      { task_id: id, solution: `\`\`\`python\n${gold}\`\`\`` },
      { task_id: id, completion: "<think>and on" },
    ];
    await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const report = await importTrajectories({
      configuration: { file, suite, out: join(directory, "samples") },
      stop: ["\nEND"],
    });
    expect(report.stop).toEqual(["\nEND"]);
    const trajectories = (await readFile(report.trajectories, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as GradedTrajectory)
      .toSorted((a, b) => a.rolloutIndex - b.rolloutIndex);
    expect(trajectories.map(({ turns: [turn] }) => turn?.verdict)).toEqual([
      "passed",
      "passed",
      "passed",
      "no-program",
    ]);
    expect(trajectories[0]?.turns[0]).toMatchObject({ completion: gold, program: gold, reasoning: "hm" });
    expect(trajectories[1]?.turns[0]?.program).toBe(gold);
    expect(trajectories[2]?.turns[0]?.program).toBe(lines[2]!.solution);
    expect(trajectories[3]?.turns[0]).toMatchObject({ completion: "", program: null, reasoning: "and on" });
  });

  it("name file and line where they cannot be read or are of no task", async () => {
    const file = join(directory, "bad.jsonl");
    const importing = async (line: string): Promise<unknown> => {
      await writeFile(file, `\n${line}\n`);
      return importTrajectories({ configuration: { file, suite, out: join(directory, "bad") } });
    };
    await expect(importing("{")).rejects.toThrow(/bad\.jsonl line 2: not JSON/);
    await expect(importing('{"task_id": "x"}')).rejects.toThrow(/line 2: .*expected "completion" or "solution"/);
    const foreign = importing('{"task_id": "mbpp/11", "solution": ""}');
    await expect(foreign).rejects.toThrow(/line 2: no task mbpp\/11 in mubpp, split validation/);
    await expect(foreign).rejects.toThrow(ConfigError);
  });
});
