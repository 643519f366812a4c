import { describe, expect, it } from "vitest";
import type { CandidateView, SelectionRule } from "./selection-rules.ts";
import { SELECTION_RULES } from "./selection-rules.ts";

/** A candidate from (passes public tests, score, outcome); what a rule looks at is noted in `looks`. */
function candidate(passes: boolean, score: number, outcome: boolean, looks: string[] = []): CandidateView {
  const look = async <T>(name: string, value: T): Promise<T> => {
    looks.push(name);
    return value;
  };
  return {
    passesPublicTests: () => look("public", passes),
    score: () => look("score", score),
    outcome: () => look("outcome", outcome),
  };
}

describe("selection rules", () => {
  it.each<[SelectionRule, number]>([
    ["random", 0],
    ["public-tests", 2],
    ["verifier", 1],
    ["public-tests-then-verifier", 3],
    ["oracle", 4],
  ])("%s picks candidate %i", async (rule, expected) => {
    const candidates = [
      candidate(false, 0, false),
      candidate(false, 9, false),
      candidate(true, 1, false),
      candidate(true, 5, false),
      candidate(false, -3, true),
    ];
    expect(await SELECTION_RULES[rule](candidates)).toBe(expected);
  });

  it("public-tests-then-verifier ranks all candidates when none passes", async () => {
    const candidates = [candidate(false, -2, false), candidate(false, -1, false)];
    expect(await SELECTION_RULES["public-tests-then-verifier"](candidates)).toBe(1);
  });

  it("oracle falls back to a candidate that passes the public tests", async () => {
    expect(await SELECTION_RULES.oracle([candidate(false, 0, false), candidate(true, 0, false)])).toBe(1);
  });

  it("ties go to the lowest index", async () => {
    const equal = [candidate(true, 1, true), candidate(true, 1, true)];
    for (const select of Object.values(SELECTION_RULES)) expect(await select(equal)).toBe(0);
  });

  it("a candidate without a program never outranks one with a program", async () => {
    expect(await SELECTION_RULES.verifier([candidate(false, -Infinity, false), candidate(false, -500, false)])).toBe(1);
  });

  it("only the oracle looks at outcomes", async () => {
    for (const [rule, select] of Object.entries(SELECTION_RULES)) {
      const looks: string[] = [];
      await select([candidate(false, 0, false, looks), candidate(true, 0, true, looks)]);
      expect(looks.includes("outcome")).toBe(rule === "oracle");
    }
  });
});
