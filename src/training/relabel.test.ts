import { describe, expect, it } from "vitest";
import { RefusedError } from "../errors.ts";
import type { Failure } from "../rollout/collect.ts";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import type { Task } from "../tasks/task.ts";
import { createScriptedVerifier } from "../verifier/scripted-verifier.ts";
import { findExperts } from "./expert.ts";
import { imitateSuccesses, relabel } from "./relabel.ts";
import { verifierLabels, verifierPairs } from "./verifier-data.ts";

const task = (id: string): Task => ({
  id,
  prompt: `Write ${id}.`,
  language: "python",
  publicTests: [{ kind: "assert", source: "assert f() == 1" }],
});

/** A trajectory from its programs; `right` programs start with "+". */
function trajectory(taskId: string, rolloutIndex: number, programs: readonly string[]): GradedTrajectory {
  return {
    taskId,
    rolloutIndex,
    stopReason: "turn-limit",
    outcomes: programs.map((program) => program.startsWith("+")),
    turns: programs.map((program, turnIndex) => ({
      turnIndex,
      completion: program,
      program,
      verdict: "failed",
      feedback: `feedback on ${program}`,
      tokenCount: 1,
    })),
  };
}

const prompt = { showPublicTests: false };
const scores: Record<string, number> = { "+a": 1, "+b": 2, "-c": 3, "-d": 0 };
const verifier = createScriptedVerifier(({ program }) => scores[program]!);
const tasks = [task("x")];
const experience = [trajectory("x", 0, ["-c", "+a"]), trajectory("x", 1, ["-d", "-c", "+b"])];

describe("the expert", () => {
  it("outcome-then-verifier: no score outweighs an outcome", async () => {
    const experts = await findExperts({
      tasks,
      programsPerTask: 1,
      experience,
      rule: "outcome-then-verifier",
      verifier,
    });
    expect(experts.get("x")?.[0]?.program).toBe("+b");
  });

  it("outcome: the right program found first, and no verifier is needed", async () => {
    expect((await findExperts({ tasks, programsPerTask: 1, experience, rule: "outcome" })).get("x")?.[0]?.program).toBe(
      "+a",
    );
  });

  it("verifier: the highest score, right or wrong", async () => {
    const experts = await findExperts({ tasks, programsPerTask: 1, experience, rule: "verifier", verifier });
    expect(experts.get("x")?.[0]?.program).toBe("-c");
  });

  it("a task without a right program has no expert under a rule that uses outcomes", async () => {
    const failed = [trajectory("x", 0, ["-c", "-d"])];
    const experts = await findExperts({
      tasks,
      programsPerTask: 1,
      experience: failed,
      rule: "outcome-then-verifier",
      verifier,
    });
    expect(experts.has("x")).toBe(false);
    expect(relabel({ tasks, trajectories: failed, experts, trajectoriesPerTask: 3, prompt })).toEqual([]);
  });

  it("takes the K best, best first, where there are so many", async () => {
    const request = { tasks, experience, verifier };
    const best = async (rule: "outcome-then-verifier" | "verifier", programsPerTask: number) => {
      const experts = await findExperts({ ...request, rule, programsPerTask });
      return experts.get("x")?.map(({ program }) => program);
    };
    expect(await best("verifier", 3)).toEqual(["-c", "+b", "+a"]);
    expect(await best("outcome-then-verifier", 3)).toEqual(["+b", "+a"]);
  });

  it("ties go to the program found first", async () => {
    const equal = createScriptedVerifier(() => 0);
    const experts = await findExperts({
      tasks,
      programsPerTask: 1,
      experience,
      rule: "outcome-then-verifier",
      verifier: equal,
    });
    expect(experts.get("x")?.[0]?.program).toBe("+a");
  });
});

describe("an expert whose verifier fails", () => {
  const refusing = (refused: (program: string) => boolean) =>
    createScriptedVerifier(({ program }) => {
      if (refused(program)) throw new RefusedError("flagged");
      return scores[program]!;
    });
  const both = {
    tasks: [task("x"), task("y")],
    experience: [...experience, trajectory("y", 0, ["+a", "-e", "+b"])],
    programsPerTask: 1,
    rule: "verifier",
  } as const;

  it("has none for the tasks it fails on, and says which", async () => {
    const failures: Failure[] = [];
    const experts = await findExperts({
      ...both,
      verifier: refusing((program) => program === "-e"),
      onFailure: (failure) => failures.push(failure),
    });
    expect([...experts.keys()]).toEqual(["x"]);
    expect(failures).toEqual([{ key: "y", kind: "RefusedError", message: "flagged" }]);
  });

  it("is none at all when it fails on every task", async () => {
    await expect(findExperts({ ...both, verifier: refusing(() => true) })).rejects.toThrow(RefusedError);
  });
});

describe("relabelling", () => {
  const expert = new Map([["x", [{ program: "+b", completion: "+b", verdict: "passed", outcome: true } as const]]]);

  it("pairs every state of the chosen trajectories with the expert's program, failed ones first", () => {
    const trajectories = [
      trajectory("x", 0, ["+a"]),
      trajectory("x", 1, ["-c", "-d"]),
      trajectory("x", 2, ["-d", "-d"]),
    ];
    const examples = relabel({ tasks, trajectories, experts: expert, trajectoriesPerTask: 2, prompt });
    const relabelled = examples.filter(({ label }) => label === "expert");
    expect(relabelled.map(({ conversation }) => conversation.map(({ content }) => content))).toEqual([
      ["Write x."],
      ["Write x.", "-c", "feedback on -c"],
      // The first state of the other failed trajectory is the same as this one's and stands once.
      ["Write x.", "-d", "feedback on -d"],
    ]);
    expect(relabelled.every(({ completion }) => completion === "+b")).toBe(true);
  });

  it("adds every successful trajectory with its own final program", () => {
    const examples = relabel({ tasks, trajectories: experience, experts: expert, trajectoriesPerTask: 1, prompt });
    const own = examples.filter(({ label }) => label === "own");
    // Trajectory 0's two states with +a; trajectory 1's first state is relabelled with +b already, the others are new.
    expect(own.map(({ turnIndex, completion }) => [turnIndex, completion])).toEqual([
      [0, "+a"],
      [1, "+a"],
      [1, "+b"],
      [2, "+b"],
    ]);
  });

  it("RFT imitates successes alone", () => {
    const trajectories = [trajectory("x", 0, ["-c", "-d"]), trajectory("x", 1, ["-c", "+a"])];
    const examples = imitateSuccesses({ tasks, trajectories, prompt });
    expect(examples.map(({ turnIndex, completion, label }) => [turnIndex, completion, label])).toEqual([
      [0, "+a", "own"],
      [1, "+a", "own"],
    ]);
  });
});

describe("the verifier's data", () => {
  it("pairs distinct right and wrong programs of one task, at most so many", () => {
    const request = { tasks, experience, pairsPerTask: 10, seed: 1 };
    const pairs = verifierPairs(request).map(({ right, wrong }) => right + wrong);
    expect(pairs.toSorted()).toEqual(["+a-c", "+a-d", "+b-c", "+b-d"]);
    expect(verifierPairs({ ...request, pairsPerTask: 3 })).toHaveLength(3);
  });

  it("a task without a right or without a wrong program gives no pair, but gives labels", () => {
    const oneSided = [trajectory("x", 0, ["+a", "+b"])];
    const request = { tasks, experience: oneSided, pairsPerTask: 4, seed: 1 };
    expect(verifierPairs(request)).toEqual([]);
    expect(verifierLabels(request).map(({ outcome }) => outcome)).toEqual([true, true]);
  });
});
