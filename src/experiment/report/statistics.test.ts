import { describe, expect, it } from "vitest";
import type { ExperimentResults } from "../results.ts";
import { computeClosedForms } from "./closed-forms.ts";
import { adjustByHolm, bootstrapPValue, estimateContrast } from "./contrasts.ts";
import { sumCosts, summarizeRecoverability } from "./costs.ts";
import { bestOfFive, greedy, noResults, outcomesOf } from "../../../test/made-up-experiment.ts";
import { estimateSolveRates, runsUnder } from "./solve-rates.ts";

const results: ExperimentResults = {
  ...noResults,
  outcomes: [
    outcomesOf("rft", 1, greedy, [1, 0, 0, 0]),
    outcomesOf("rft", 2, greedy, [1, 3, 0, 0]),
    outcomesOf("mucode", 1, greedy, [1, 2, 0, 0]),
    outcomesOf("mucode", 2, greedy, [1, 1, 2, null]),
    outcomesOf("mucode", 1, { ...greedy, turns: 6 }, [1, 2, 5, 0]),
  ],
};
const mucode = { arm: "mucode", ...greedy } as const;
const rft = { arm: "rft", ...greedy } as const;

describe("solve rates", () => {
  it("average a task over its seeds first, and leave out what is unknown", () => {
    const rate = estimateSolveRates(results).find(({ arm, protocol }) => arm === "mucode" && protocol.turns === 3);
    // Tasks: a 1, b 1, c (0 + 1) / 2, d 0 from seed 1 alone.
    expect(rate?.byTurn.at(-1)).toMatchObject({ mean: 2.5 / 4, taskCount: 4, method: "bootstrap" });
    expect(rate?.byTurn.map(({ mean }) => mean)).toEqual([1.5 / 4, 2.5 / 4, 2.5 / 4]);
    expect(rate?.perSeedByTurn.at(-1)).toEqual([
      { seed: 1, value: 2 / 4 },
      { seed: 2, value: 3 / 3 },
    ]);
    expect(rate?.failures).toBe(1);
  });

  it("list only what was run", () => {
    expect(estimateSolveRates(results).map(({ arm, protocol }) => [arm, protocol.turns])).toEqual([
      ["rft", 3],
      ["mucode", 3],
      ["mucode", 6],
    ]);
    expect(estimateSolveRates(noResults)).toEqual([]);
  });

  it("take fewer turns from the shortest search that is long enough", () => {
    expect(runsUnder(results, { ...mucode, turns: 1 }).map(({ solved }) => solved)).toEqual([
      [1, 0, 0, 0],
      [1, 1, 0, undefined],
    ]);
    expect(runsUnder(results, { ...mucode, turns: 5 }).map(({ solved }) => solved)).toEqual([[1, 1, 1, 0]]);
    expect(runsUnder(results, { ...mucode, turns: 7 })).toEqual([]);
    expect(runsUnder(results, { ...mucode, showPublicTests: true })).toEqual([]);
  });
});

describe("a contrast", () => {
  it("is the mean of paired differences per task, with each seed's own beside it", () => {
    const measured = estimateContrast(results, { label: "", plus: [mucode], minus: [rft] });
    // a 0, b 1 − 0.5, c 0.5 − 0, d 0.
    expect(measured?.estimate.mean).toBe(0.25);
    expect(measured?.perSeed).toEqual([
      { seed: 1, value: 0.25 },
      { seed: 2, value: 1 / 3 },
    ]);
  });

  it("of two sides each is the difference of differences", () => {
    const measured = estimateContrast(results, {
      label: "",
      plus: [mucode, { ...rft, turns: 1 }],
      minus: [{ ...mucode, turns: 1 }, rft],
    });
    // µCode gains 0, 0.5, 0.5, 0 by turns; RFT 0, 0.5, 0, 0.
    expect(measured?.estimate.mean).toBe(0.5 / 4);
  });

  it("is null when a side was not run, or no task is known on both", () => {
    expect(estimateContrast(results, { label: "", plus: [mucode], minus: [{ ...mucode, arm: "base" }] })).toBeNull();
    const disjoint = {
      ...noResults,
      outcomes: [outcomesOf("mucode", 1, greedy, [1, null, null, null]), outcomesOf("rft", 1, greedy, [null, 1, 1, 1])],
    };
    expect(estimateContrast(disjoint, { label: "", plus: [mucode], minus: [rft] })).toBeNull();
  });
});

describe("p-values", () => {
  it("are twice the share of resampled means beyond 0, and never 0", () => {
    expect(bootstrapPValue([1, 1, 1, 1])).toBeCloseTo(2 / 10_001, 10);
    expect(bootstrapPValue([0, 0, 0])).toBe(1);
    expect(bootstrapPValue([1, -1, 1, -1])).toBe(1);
    // Both resampled tasks are the second with probability 1/4: the mean is then −1; otherwise it is positive.
    expect(bootstrapPValue([3, -1])).toBeCloseTo(0.5, 1);
    expect(bootstrapPValue([-3, 1])).toBeCloseTo(0.5, 1);
  });

  it("are adjusted by Holm in steps that never go down", () => {
    const close = (values: readonly number[]) => values.map((value) => Number(value.toFixed(6)));
    expect(close(adjustByHolm([0.01, 0.04, 0.03]))).toEqual([0.03, 0.06, 0.06]);
    expect(close(adjustByHolm([0.5, 0.9]))).toEqual([1, 1]);
    expect(adjustByHolm([])).toEqual([]);
  });
});

describe("closed forms", () => {
  const candidate = (outcome: boolean, passesPublicTests: boolean, score: number | null) => ({
    outcome,
    passesPublicTests,
    scores: { "bradley-terry": score },
  });
  const forms = computeClosedForms({
    ...noResults,
    firstCandidates: [
      {
        arm: "mucode",
        seed: 1,
        showPublicTests: false,
        candidates: [
          [candidate(true, true, 1), candidate(false, true, 2), candidate(false, false, null)],
          [candidate(false, false, 3), candidate(true, true, 0), candidate(true, true, 0)],
          null,
          null,
        ],
      },
    ],
  });
  const means = (ranking: string): number[] =>
    forms.find((form) => form.ranking === ranking)?.points.map(({ solved }) => Number(solved.mean.toFixed(6))) ?? [];
  const average = (a: number, b: number): number => Number(((a + b) / 2).toFixed(6));

  it("pass@k is one less the chance of drawing wrong candidates alone", () => {
    expect(means("pass@k")).toEqual([average(1 / 3, 2 / 3), average(2 / 3, 1), average(1, 1)]);
  });

  it("public tests choose at random among those that pass", () => {
    // Task 1: of pairs {r,w}, {r,n}, {w,n} the choice is right half the time, always, never.
    expect(means("public-tests")).toEqual([average(1 / 3, 2 / 3), average(1.5 / 3, 1), average(1 / 2, 1)]);
  });

  it("the verifier chooses the highest score, and a completion without a program last", () => {
    expect(means("verifier")).toEqual([average(1 / 3, 2 / 3), average(1 / 3, 1 / 3), average(0, 0)]);
  });

  it("both choose the highest score among those that pass", () => {
    expect(means("public-tests-then-verifier")).toEqual([average(1 / 3, 2 / 3), average(1 / 3, 1), average(0, 1)]);
  });

  it("say nothing of verifiers that scored nothing", () => {
    expect(forms).toHaveLength(4);
    expect(computeClosedForms(noResults)).toEqual([]);
  });
});

describe("costs", () => {
  const cost = { seed: 1, seconds: 10, tokens: 100, programs: 5, shared: true } as const;
  const table = sumCosts({
    ...noResults,
    costs: [
      { ...cost, arm: "rft", stage: "seed-1/base/rollouts", kind: "rollouts" },
      { ...cost, arm: "mucode", stage: "seed-1/base/rollouts", kind: "rollouts" },
      { ...cost, arm: "mucode", stage: "seed-1/mucode/fit", kind: "generator training", shared: false, programs: 0 },
      { ...cost, arm: "base", stage: "base-greedy", kind: "evaluation" },
      { ...cost, arm: "base", seed: 2, stage: "base-greedy", kind: "evaluation" },
    ],
  });

  it("charge a stage that arms share to each in full, and count it once in what was spent", () => {
    expect(table.arms.map(({ arm, total, shared }) => [arm, total.seconds, shared.seconds])).toEqual([
      ["base", 10, 0],
      ["rft", 10, 10],
      ["mucode", 20, 10],
    ]);
    expect(table.spent.total).toEqual({ seconds: 30, tokens: 300, programs: 10 });
  });

  it("count a stage that seeds share once", () => {
    expect(table.spent.byKind.evaluation.seconds).toBe(10);
  });
});

describe("recoverability", () => {
  it("pools the states of all seeds and leaves out turns without any", () => {
    const rows = summarizeRecoverability({
      ...noResults,
      recoverability: [
        { arm: "base", seed: 1, turnIndex: 0, states: 10, solved: 5 },
        { arm: "base", seed: 2, turnIndex: 0, states: 30, solved: 9 },
        { arm: "base", seed: 1, turnIndex: 1, states: 0, solved: 0 },
      ],
    });
    expect(rows).toEqual([
      {
        arm: "base",
        turnIndex: 0,
        states: 40,
        share: 14 / 40,
        perSeed: [
          { seed: 1, value: 0.5 },
          { seed: 2, value: 0.3 },
        ],
      },
    ]);
  });
});

it("best-of-five by public tests and verifier is told from greedy", () => {
  const both = {
    ...noResults,
    outcomes: [outcomesOf("mucode", 1, greedy, [1, 0, 0, 0]), outcomesOf("mucode", 1, bestOfFive, [1, 1, 1, 0])],
  };
  expect(runsUnder(both, { arm: "mucode", ...bestOfFive }).map(({ solved }) => solved)).toEqual([[1, 1, 1, 0]]);
});
