import { describe, expect, it } from "vitest";
import { createRandom } from "../../random.ts";
import type { ExaminedAttempt, ExaminedPrograms } from "../results.ts";
import { compareVerifiers, examineVerifier } from "./index.ts";

/** `r` is right, `p` passes the public tests alone, `w` fails them. */
type Kind = "r" | "p" | "w";
const attempt = (taskId: string, turnIndex: number, kind: Kind, score: number): ExaminedAttempt => ({
  taskId,
  turnIndex,
  score,
  outcome: kind === "r",
  passesPublicTests: kind !== "w",
});
const programs = (
  attempts: readonly ExaminedAttempt[],
  set: Partial<Omit<ExaminedPrograms, "attempts">> = {},
): ExaminedPrograms => ({ verifier: "bradley-terry", arm: "mucode", seed: 1, split: "held-out", ...set, attempts });
const examine = (...examined: ExaminedPrograms[]) => examineVerifier(examined, { scoresAreLogits: true });

/** Many tasks, each of its own difficulty; scores know the outcome up to `noise`, and the task's difficulty not at all. */
function draw(
  set: { readonly seed: number; readonly split: "train" | "held-out"; readonly verifier?: "bradley-terry" | "bce" },
  { signal, tasks = 60, gain = 1 }: { readonly signal: number; readonly tasks?: number; readonly gain?: number },
): ExaminedPrograms {
  const random = createRandom("programs", set.split, set.seed);
  const noise = createRandom("noise", set.split, set.seed);
  const attempts = Array.from({ length: tasks }, (_, task) => task).flatMap((task) => {
    const ease = random();
    return Array.from({ length: 9 }, (_, index) => {
      const kind: Kind = random() < ease ? "r" : random() < 0.3 ? "p" : "w";
      const score = gain * ((kind === "r" ? signal : 0) + noise() + noise() - 1);
      return attempt(`${set.split} ${task}`, index % 3, kind, score);
    });
  });
  return programs(attempts, set);
}

describe("ranking", () => {
  it("compares programs of a task over all its turns, and averages a task's seeds before tasks", () => {
    const { heldOut } = examine(
      // Task a: 1 of its 2 pairs in seed 1, all in seed 2. Task b: none. Task c has no pair.
      programs([attempt("a", 0, "r", 2), attempt("a", 1, "w", 1), attempt("a", 2, "p", 3), attempt("b", 0, "w", 9)]),
      programs([attempt("a", 0, "r", 2), attempt("a", 0, "w", 1), attempt("b", 0, "r", 1), attempt("b", 1, "w", 4)], {
        seed: 2,
      }),
    );
    expect(heldOut.ranking.withinTasks).toMatchObject({ mean: (0.75 + 0) / 2, taskCount: 2 });
    expect(heldOut.ranking.amongPublicPassing).toMatchObject({ mean: 0, taskCount: 1 });
    // Seed 1: 1 of 3 pairs. Seed 2, any task: 2 > 1, 1 = 1, neither above 4.
    expect(heldOut.ranking.auc).toBeCloseTo((1 / 3 + 1.5 / 4) / 2, 12);
    expect(heldOut).toMatchObject({ tasks: 2, ranking: { programs: 8, right: 3 } });
  });

  it("within a turn compares that turn's programs alone", () => {
    const { heldOut } = examine(
      programs([attempt("a", 0, "r", 2), attempt("a", 0, "w", 1), attempt("a", 2, "r", 1), attempt("a", 2, "w", 1)]),
    );
    expect(heldOut.byTurn.map(({ turnIndex, ranking }) => [turnIndex, ranking.withinTasks!.mean])).toEqual([
      [0, 1],
      [2, 0.5],
    ]);
  });

  it("never compares scores of different seeds", () => {
    const { heldOut } = examine(programs([attempt("a", 0, "r", 2)]), programs([attempt("a", 0, "w", 1)], { seed: 2 }));
    expect([heldOut.ranking.withinTasks, heldOut.ranking.auc, heldOut.demotion.share]).toEqual([null, null, null]);
  });
});

describe("demotion", () => {
  it("counts deceptive programs strictly below the best right program of their turn", () => {
    const { demotion } = examine(
      programs([
        // Both deceptive ones are below the best right one.
        attempt("a", 0, "r", 5),
        attempt("a", 0, "r", 0),
        attempt("a", 0, "p", 4),
        attempt("a", 0, "p", -1),
        // One is not, and equal is not below. A program that fails the public tests does not matter.
        attempt("a", 1, "r", 3),
        attempt("a", 1, "p", 2),
        attempt("a", 1, "p", 3),
        attempt("a", 1, "w", 9),
        // Nothing to demote, and nothing to prefer.
        attempt("b", 0, "r", 3),
        attempt("b", 0, "w", 9),
        attempt("b", 1, "p", 9),
      ]),
    ).heldOut;
    expect(demotion).toMatchObject({ deceptive: 4, demoted: 3, turns: 2, turnsAllDemoted: 1 });
    expect(demotion.share).toMatchObject({ mean: 0.75, taskCount: 1 });
    expect(demotion.shareOfTurns).toMatchObject({ mean: 0.5, taskCount: 1 });
  });

  it("adds up over turns and seeds", () => {
    const sets = [1, 2].map((seed) => draw({ seed, split: "held-out" }, { signal: 0.5 }));
    const { heldOut } = examine(...sets);
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    expect(sum(heldOut.byTurn.map(({ demotion }) => demotion.deceptive))).toBe(heldOut.demotion.deceptive);
    expect(sum(sets.map((one) => examine(one).heldOut.demotion.turnsAllDemoted))).toBe(
      heldOut.demotion.turnsAllDemoted,
    );
  });
});

describe("calibration", () => {
  it("is fitted on training programs, never on held-out ones: without the former there is none after scaling", () => {
    const heldOut = draw({ seed: 1, split: "held-out" }, { signal: 1 });
    const train = draw({ seed: 1, split: "train" }, { signal: 1 });
    expect(examine(heldOut).heldOut.calibration.after).toBeNull();
    const one = examine(heldOut, train).heldOut.calibration.after!;
    const upsideDown = { ...heldOut, attempts: heldOut.attempts.map((a) => ({ ...a, outcome: !a.outcome })) };
    const other = examine(upsideDown, train).heldOut.calibration.after!;
    expect(other.bins.map(({ confidence }) => confidence)).toEqual(one.bins.map(({ confidence }) => confidence));
    expect(other.expectedCalibrationError).toBeGreaterThan(one.expectedCalibrationError + 0.2);
  });

  it("after scaling does not depend on the unit of the scores; before, it does", () => {
    const at = (gain: number) =>
      examine(...(["train", "held-out"] as const).map((split) => draw({ seed: 1, split }, { signal: 1, gain }))).heldOut
        .calibration;
    expect(at(100).after!.brier).toBeCloseTo(at(1).after!.brier, 6);
    expect(at(100).before!.brier).toBeGreaterThan(at(1).before!.brier + 0.05);
  });

  it("of programs like the training ones is good after scaling, and better than knowing nothing", () => {
    const { heldOut } = examine(
      ...[1, 2, 3].flatMap((seed) =>
        (["train", "held-out"] as const).map((split) => draw({ seed, split }, { signal: 1, tasks: 200 })),
      ),
    );
    const { before, after, brierOfBaseRate } = heldOut.calibration;
    expect(after!.expectedCalibrationError).toBeLessThan(0.06);
    expect(after!.expectedCalibrationError).toBeLessThan(before!.expectedCalibrationError);
    expect(after!.brier).toBeLessThan(brierOfBaseRate! - 0.05);
    expect(after!.bins).toHaveLength(10);
    expect(heldOut.byTurn.map(({ turnIndex }) => turnIndex)).toEqual([0, 1, 2]);
  });

  it("is unknown before scaling where a score is the likelihood of a text", () => {
    const set = draw({ seed: 1, split: "held-out" }, { signal: 1 });
    expect(examineVerifier([set], { scoresAreLogits: false }).heldOut.calibration.before).toBeNull();
  });
});

describe("over-fitting", () => {
  const gap = (trainSignal: number, heldOutSignal: number) =>
    examine(
      ...[1, 2].flatMap((seed) => [
        draw({ seed, split: "train" }, { signal: trainSignal }),
        draw({ seed, split: "held-out" }, { signal: heldOutSignal }),
      ]),
    ).overfitting;

  it("is a gap whose interval is above 0 for a verifier that learned its tasks by heart", () => {
    const { ranking, rankingAmongPublicPassing, brier } = gap(2, 0.1);
    for (const one of [ranking, rankingAmongPublicPassing, brier]) expect(one!.low).toBeGreaterThan(0.05);
    expect(ranking!.taskCount).toBeGreaterThan(60);
  });

  it("cannot be told for one that does as well on tasks that it has not seen", () => {
    const { ranking, brier } = gap(0.7, 0.7);
    for (const one of [ranking, brier]) {
      expect(one!.low).toBeLessThan(0);
      expect(one!.high).toBeGreaterThan(0);
    }
  });

  it("is unknown without training programs", () => {
    expect(examine(draw({ seed: 1, split: "held-out" }, { signal: 1 })).overfitting).toEqual({
      ranking: null,
      rankingAmongPublicPassing: null,
      brier: null,
    });
  });
});

describe("comparing two verifiers", () => {
  const side = (verifier: "bradley-terry" | "bce", signal: number) =>
    [1, 2].flatMap((seed) =>
      (["train", "held-out"] as const).map((split) => draw({ seed, split, verifier }, { signal })),
    );

  it("is paired per task, over the seeds that both have", () => {
    const before = [
      programs([attempt("a", 0, "r", 1), attempt("a", 0, "p", 2), attempt("b", 0, "r", 1), attempt("b", 0, "p", 0)]),
      programs([attempt("a", 0, "r", 1), attempt("a", 0, "p", 2)], { seed: 2 }),
    ];
    const after = [
      programs([attempt("a", 0, "r", 3), attempt("a", 0, "p", 2), attempt("b", 0, "r", 1), attempt("b", 0, "p", 0)], {
        verifier: "bce",
      }),
    ];
    expect(compareVerifiers({ before, after })).toMatchObject({
      before: "bradley-terry",
      after: "bce",
      seeds: [1],
      ranking: { mean: 0.5, taskCount: 2 },
      rankingAmongPublicPassing: { mean: 0.5 },
      demoted: { mean: 0.5 },
      brier: null,
    });
  });

  it("tells a better one from a worse one, and nothing from itself", () => {
    const { ranking, demoted, brier } = compareVerifiers({ before: side("bradley-terry", 0.2), after: side("bce", 1) });
    expect(ranking!.low).toBeGreaterThan(0);
    expect(demoted!.low).toBeGreaterThan(0);
    expect(brier!.high).toBeLessThan(0);
    const same = compareVerifiers({ before: side("bradley-terry", 1), after: side("bradley-terry", 1) });
    for (const one of [same.ranking, same.demoted, same.brier]) expect(one).toMatchObject({ mean: 0, low: 0, high: 0 });
  });

  it("refuses different programs, and sets of several verifiers or generators", () => {
    const one = programs([attempt("a", 0, "r", 1)]);
    const other = programs([attempt("a", 0, "p", 1)], { verifier: "bce" });
    expect(() => compareVerifiers({ before: [one], after: [other] })).toThrow(/different programs of seed 1/);
    expect(() => examine(one, other)).toThrow(/2 verifiers/);
    expect(() => examine(one, { ...one, arm: "base" })).toThrow(/two sets of held-out programs of seed 1/);
    expect(() => examine()).toThrow(/0 verifiers/);
  });
});
