import { describe, expect, it } from "vitest";
import type { Completion, Generator } from "../generator/generator.ts";
import { createScriptedGenerator } from "../generator/scripted-generator.ts";
import type { PublicGrader } from "../grading/grade.ts";
import type { Task } from "../tasks/task.ts";
import { rollOut } from "./rollout.ts";
import { conversationAfter, turnsBefore } from "./trajectory.ts";

const task: Task = {
  id: "t",
  prompt: "Write f.",
  language: "python",
  entryPoint: "f",
  publicTests: [{ kind: "assert", source: "assert f() == 1" }],
};
const settings = { showPublicTests: false, turns: 3, temperature: 0.7, maxTokens: 10 };
const grader: PublicGrader = {
  gradePublic: async (_task, program) =>
    program?.includes("P")
      ? { verdict: "passed", tests: [], feedback: "" }
      : { verdict: program === null ? "no-program" : "failed", tests: [], feedback: "not yet" },
};

describe("a rollout", () => {
  it("ends at the turn limit when nothing passes", async () => {
    const generator = createScriptedGenerator(() => "n()");
    const trajectory = await rollOut({ task, rolloutIndex: 0, settings, seed: 1 }, { generator, grader });
    expect(trajectory.turns.map(({ turnIndex, verdict }) => [turnIndex, verdict])).toEqual([
      [0, "failed"],
      [1, "failed"],
      [2, "failed"],
    ]);
    expect(trajectory.stopReason).toBe("turn-limit");
  });

  it("shows earlier programs with their feedback, and the public tests only when asked to", async () => {
    const seen: string[][] = [];
    const generator = createScriptedGenerator(({ conversation }) => {
      seen.push(conversation.map(({ role, content }) => `${role}: ${content}`));
      return seen.length === 2 ? "P()" : "n()";
    });
    const shown = { ...settings, showPublicTests: true };
    const trajectory = await rollOut({ task, rolloutIndex: 0, settings: shown, seed: 1 }, { generator, grader });
    expect(seen[1]).toEqual(["user: Write f.\nFunction: f\nassert f() == 1", "assistant: n()", "user: not yet"]);
    expect(trajectory.stopReason).toBe("public-tests-passed");
    seen.length = 0;
    await rollOut({ task, rolloutIndex: 0, settings, seed: 1 }, { generator, grader });
    expect(seen[0]).toEqual(["user: Write f.\nFunction: f"]);
  });

  it("an answer without a program is a turn like any other", async () => {
    const generator = createScriptedGenerator(({ conversation }) => (conversation.length === 1 ? "  \n" : "P()"));
    const trajectory = await rollOut({ task, rolloutIndex: 0, settings, seed: 1 }, { generator, grader });
    expect(trajectory.turns.map(({ program, verdict }) => [program, verdict])).toEqual([
      [null, "no-program"],
      ["P()\n", "passed"],
    ]);
  });

  it("ends when the conversation fills the context", async () => {
    const answers: Completion[] = [
      { text: "n", stopReason: "end", tokenCount: 1 },
      { text: "", stopReason: "no-room", tokenCount: 0 },
    ];
    const generator = { propose: async () => [answers.shift()!], close: async () => {} };
    const trajectory = await rollOut({ task, rolloutIndex: 0, settings, seed: 1 }, { generator, grader });
    expect(trajectory.turns).toHaveLength(1);
    expect(trajectory.stopReason).toBe("context-full");
  });

  it("goes on without its oldest turns when they leave no room, never without the prompt and the last one", async () => {
    const seen: string[][] = [];
    const generator: Generator = {
      propose: async ({ conversation }) => {
        const contents = conversation.map(({ content }) => content);
        const room = contents.join("").length < 50;
        if (room) seen.push(contents);
        const text = `try ${seen.length}`;
        return [{ text, stopReason: room ? "end" : "no-room", tokenCount: room ? 1 : 0 }];
      },
      close: async () => {},
    };
    const long = { ...settings, turns: 5 };
    const trajectory = await rollOut({ task, rolloutIndex: 0, settings: long, seed: 1 }, { generator, grader });
    const prompt = "Write f.\nFunction: f";
    expect(seen).toEqual([
      [prompt],
      [prompt, "try 1", "not yet"],
      [prompt, "try 1", "not yet", "try 2", "not yet"],
      [prompt, "try 2", "not yet", "try 3", "not yet"],
      [prompt, "try 3", "not yet", "try 4", "not yet"],
    ]);
    expect(trajectory.turns.map(({ droppedTurns }) => droppedTurns)).toEqual([undefined, undefined, undefined, 1, 2]);
    expect(trajectory.stopReason).toBe("turn-limit");
    // What training reads of each turn is what was sampled from.
    const states = trajectory.turns.map(({ turnIndex }) =>
      conversationAfter(task, turnsBefore(trajectory.turns, turnIndex), settings).map(({ content }) => content),
    );
    expect(states).toEqual(seen);
  });

  it("draws other samples for another seed, rollout or turn, and the same ones again", async () => {
    const seedsOf = async (seed: number, rolloutIndex: number): Promise<number[]> => {
      const seeds: number[] = [];
      const generator = createScriptedGenerator((request) => {
        seeds.push(...request.seeds);
        return "n";
      });
      await rollOut({ task, rolloutIndex, settings, seed }, { generator, grader });
      return seeds;
    };
    const all = [...(await seedsOf(1, 0)), ...(await seedsOf(1, 1)), ...(await seedsOf(2, 0))];
    expect(new Set(all).size).toBe(9);
    expect(await seedsOf(1, 0)).toEqual(all.slice(0, 3));
  });
});
