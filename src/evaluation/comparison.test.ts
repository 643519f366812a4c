import { describe, expect, it } from "vitest";
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import { compareGenerators } from "./comparison.ts";
import type { GeneratorEvaluation, ScoredCandidate } from "./evaluate-generator.ts";
import { renderComparison } from "./render-comparison.ts";

function trajectory(outcomes: readonly boolean[]): GradedTrajectory {
  const turns = outcomes.map((_, turnIndex) => ({
    turnIndex,
    completion: "",
    program: "",
    verdict: "failed" as const,
    feedback: "",
    tokenCount: 0,
  }));
  return { taskId: "", rolloutIndex: 0, stopReason: "turn-limit", turns, outcomes };
}

function evaluation(
  name: string,
  greedy: readonly (readonly boolean[])[],
  candidates: readonly ScoredCandidate[] = [],
): GeneratorEvaluation {
  return {
    name,
    failures: [],
    tasks: greedy.map((outcomes, index) => ({
      taskId: `t${index}`,
      greedy: trajectory(outcomes),
      search: { random: trajectory([false]), verifier: trajectory([index === 0]) },
      firstCandidates: candidates,
    })),
  };
}

const candidates: ScoredCandidate[] = [
  { outcome: true, passesPublicTests: true, score: 1 },
  { outcome: false, passesPublicTests: true, score: 2 },
  { outcome: false, passesPublicTests: false, score: 0 },
];
const comparison = compareGenerators({
  taskIds: ["t0", "t1", "t2", "t3"],
  generators: [
    evaluation("base", [[true], [false, true], [false, false], [false, false]], candidates),
    evaluation("new", [[true], [true], [false, true], [false, false]]),
  ],
  pairs: [["base", "new"]],
  seed: 1,
});

describe("a comparison of generators", () => {
  it("counts the first turn for single-turn and the last for multi-turn", () => {
    const rate = (generator: string, protocol: string): number | undefined =>
      comparison.solveRates.find((one) => one.generator === generator && one.protocol === protocol)?.solved.mean;
    expect(rate("base", "greedy-single-turn")).toBe(0.25);
    expect(rate("base", "greedy-multi-turn")).toBe(0.5);
    expect(rate("new", "greedy-multi-turn")).toBe(0.75);
    expect(rate("base", "public-tests")).toBeUndefined();
  });

  it("pairs differences per task", () => {
    const found = comparison.differences.find(
      ({ of, under }) => of === "generator" && under === "greedy-single-turn",
    )?.difference;
    expect(found?.mean).toBe(0.25);
    // The new generator loses nowhere, so no resample of tasks makes it worse.
    expect(found?.low).toBe(0);
    const verifierAdds = comparison.differences.find(({ of, after }) => of === "protocol" && after === "verifier");
    expect(verifierAdds?.difference.mean).toBe(0.25);
  });

  it("leaves a task that could not be evaluated out of rates and differences", () => {
    const partial = compareGenerators({
      taskIds: ["t0", "t1"],
      generators: [
        { ...evaluation("base", [[true]]), failures: [{ kind: "SandboxError", key: "t1", message: "down" }] },
        { ...evaluation("new", [[true]]), failures: [{ kind: "RefusedError", key: "t1", message: "flagged" }] },
      ],
      pairs: [["base", "new"]],
      seed: 1,
    });
    expect(partial.failures).toEqual({ base: 1, new: 1 });
    expect(partial.refused).toEqual({ base: 0, new: 1 });
    expect(partial.solveRates[0]?.solved).toMatchObject({ mean: 1, taskCount: 1 });
    expect(partial.differences[0]?.difference.taskCount).toBe(1);
  });

  it("examines the verifier within tasks and among public-passing programs", () => {
    expect(comparison.verifier).toEqual([
      {
        generator: "base",
        programs: 12,
        auc: 0.5,
        ranking: { accuracy: 0.5, taskCount: 4 },
        rankingAmongPublicPassing: { accuracy: 0, taskCount: 4 },
      },
    ]);
  });

  it("is printed with a row per protocol and signed differences", () => {
    const text = renderComparison(comparison, { candidates: 5, turns: 3 });
    expect(text).toContain("greedy, 3 turns");
    expect(text).toContain("new − base");
    expect(text).toMatch(/greedy, single turn +\+25\.0 \[0\.0, \+75\.0\]/);
    expect(text).not.toContain("oracle");
  });
});
