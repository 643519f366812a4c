import { describe, expect, it } from "vitest";
import type { Generator } from "../generator/generator.ts";
import { createScriptedGenerator } from "../generator/scripted-generator.ts";
import type { OutcomeGrader } from "../grading/grade.ts";
import type { Task } from "../tasks/task.ts";
import { createScriptedVerifier } from "../verifier/scripted-verifier.ts";
import type { SearchSettings } from "./best-of-n.ts";
import { searchBestOfN, searchWithRules } from "./best-of-n.ts";
import type { SearchEvent } from "./events.ts";

const task: Task = {
  id: "t",
  prompt: "Write f.",
  language: "python",
  publicTests: [{ kind: "assert", source: "assert f() == 1" }],
};
const settings: SearchSettings = { showPublicTests: false, turns: 3, temperature: 0.7, maxTokens: 10, candidates: 3 };

/** Programs pass the public tests when they contain "P" and all tests when they contain "R". */
const grader: OutcomeGrader = {
  gradePublic: async (_task, program) =>
    program?.includes("P")
      ? { verdict: "passed", tests: [{ verdict: "passed" }], feedback: "" }
      : { verdict: "failed", tests: [{ verdict: "failed" }], feedback: `no P in ${program}` },
  outcome: async (_task, program) => program?.includes("R") ?? false,
};
const verifier = createScriptedVerifier(({ program }) => program.length);

describe("multi-turn best-of-N search", () => {
  it("stops at the first turn whose chosen candidate passes the public tests", async () => {
    const generator = createScriptedGenerator(({ conversation }, i) =>
      conversation.length > 1 && i === 2 ? "P()" : "n()",
    );
    const trajectory = await searchBestOfN({ task, rule: "public-tests", settings, seed: 1 }, { generator, grader });
    expect(trajectory.turns.map(({ program }) => program)).toEqual(["n()\n", "P()\n"]);
    expect(trajectory.stopReason).toBe("public-tests-passed");
  });

  it("goes on when only the private tests would pass: outcomes never stop it", async () => {
    const generator = createScriptedGenerator(() => "R()");
    const trajectory = await searchBestOfN({ task, rule: "random", settings, seed: 1 }, { generator, grader });
    expect(trajectory.turns).toHaveLength(3);
    expect(trajectory.stopReason).toBe("turn-limit");
  });

  it("adds the chosen candidate and its feedback to the state", async () => {
    const seen: string[][] = [];
    const generator = createScriptedGenerator(({ conversation }, i) => {
      if (i === 0) seen.push(conversation.map(({ content }) => content));
      return `${"x".repeat(i + 1)}()`;
    });
    await searchBestOfN(
      { task, rule: "verifier", settings: { ...settings, turns: 2 }, seed: 1 },
      { generator, grader, verifier },
    );
    expect(seen).toEqual([["Write f."], ["Write f.", "xxx()", "no P in xxx()\n"]]);
  });

  it("tells what it does in order: candidates, what the rule looked at, the choice and its feedback", async () => {
    const generator = createScriptedGenerator(({ conversation }, i) =>
      conversation.length > 1 ? "PP()" : i === 1 ? " \n" : `${"x".repeat(i + 1)}()`,
    );
    const events: SearchEvent[] = [];
    const onEvent = (event: SearchEvent): unknown => events.push(event);
    const trajectory = await searchBestOfN(
      { task, rule: "public-tests-then-verifier", settings: { ...settings, candidates: 3 }, seed: 1 },
      { generator, grader, verifier, onEvent },
    );
    expect(events.slice(0, 2)).toEqual([
      { kind: "turn-started", turnIndex: 0, candidateCount: 3 },
      {
        kind: "candidates-written",
        turnIndex: 0,
        candidates: ["x()\n", null, "xxx()\n"].map((program) => ({ program, tokenCount: 1, cut: false })),
      },
    ]);
    const looks = events.filter(({ kind }) => kind === "candidate-graded" || kind === "candidate-scored");
    expect(looks.filter((event) => "turnIndex" in event && event.turnIndex === 0)).toHaveLength(6);
    expect(looks).toEqual(
      expect.arrayContaining([
        { kind: "candidate-graded", turnIndex: 0, candidateIndex: 1, verdict: "failed" },
        { kind: "candidate-scored", turnIndex: 0, candidateIndex: 0, score: 4 },
        { kind: "candidate-scored", turnIndex: 0, candidateIndex: 1, score: -Infinity },
        { kind: "candidate-graded", turnIndex: 1, candidateIndex: 0, verdict: "passed" },
      ]),
    );
    expect(events.filter(({ kind }) => kind === "candidate-chosen")).toEqual([
      { kind: "candidate-chosen", turnIndex: 0, candidateIndex: 2, turn: trajectory.turns[0] },
      { kind: "candidate-chosen", turnIndex: 1, candidateIndex: 0, turn: trajectory.turns[1] },
    ]);
    expect(events.at(-1)).toEqual({ kind: "search-ended", trajectory });
  });

  it("rules that reach the same state share its candidates", async () => {
    let requests = 0;
    const generator = createScriptedGenerator((_, i) => {
      if (i === 0) requests++;
      return "same()";
    });
    const { trajectories, firstCandidates } = await searchWithRules(
      { task, settings, seed: 1 },
      ["random", "public-tests", "verifier"],
      { generator, grader, verifier },
    );
    expect(trajectories.size).toBe(3);
    expect(firstCandidates).toHaveLength(3);
    expect(requests).toBe(settings.turns);
  });

  it("samples do not depend on the rule", async () => {
    const seedsOf = async (rule: "random" | "verifier"): Promise<number[][]> => {
      const seeds: number[][] = [];
      const generator = createScriptedGenerator((request, i) => {
        if (i === 0) seeds.push([...request.seeds]);
        return "n()";
      });
      await searchBestOfN({ task, rule, settings, seed: 7 }, { generator, grader, verifier });
      return seeds;
    };
    expect(await seedsOf("random")).toEqual(await seedsOf("verifier"));
  });

  it("goes on without the oldest turns when they leave no room", async () => {
    const lengths: number[] = [];
    const generator: Generator = {
      propose: async ({ conversation, seeds }) => {
        const room = conversation.length <= 3;
        if (room) lengths.push(conversation.length);
        return seeds.map(() => ({ text: "n()", stopReason: room ? "end" : "no-room", tokenCount: 1 }));
      },
      close: async () => {},
    };
    const trajectory = await searchBestOfN({ task, rule: "random", settings, seed: 1 }, { generator, grader });
    expect(lengths).toEqual([1, 3, 3]);
    expect(trajectory.turns.map(({ droppedTurns }) => droppedTurns)).toEqual([undefined, undefined, 1]);
    expect(trajectory.stopReason).toBe("turn-limit");
  });

  it("ends when the prompt and the last turn leave no room", async () => {
    const generator: Generator = {
      propose: async ({ conversation, seeds }) =>
        seeds.map(() => ({ text: "n()", stopReason: conversation.length === 1 ? "end" : "no-room", tokenCount: 1 })),
      close: async () => {},
    };
    const trajectory = await searchBestOfN({ task, rule: "random", settings, seed: 1 }, { generator, grader });
    expect([trajectory.turns.length, trajectory.stopReason]).toEqual([1, "context-full"]);
  });
});
