import { expect, test } from "vitest";
import { memoryStore } from "../../test/scripted-run.ts";
import { silentProgress, type RunPlace } from "../progress.ts";
import { trackStages } from "./track-stages.ts";

const stages = [
  "base/trajectories",
  "a/verifier",
  "a/generator",
  "a/trajectories",
  "evaluation/base",
  "x/evaluation/a",
];

function setUp(known: Record<string, number> = {}, finished: readonly string[] = []) {
  const clock = { ms: 0 };
  const places: RunPlace[] = [];
  const progress = { ...silentProgress, reach: (place: RunPlace) => void places.push(place) };
  const store = { ...memoryStore(), totals: async () => ({ stages: known, resources: {} }) };
  const tracked = trackStages(store, { stages, finished, progress, now: () => clock.ms });
  const pass = async (name: string, seconds: number): Promise<void> => {
    await (await tracked).stage(name, async () => void (clock.ms += 1000 * seconds));
  };
  return { places, pass };
}

test("a stage is expected to take what those of its kind took, an unknown kind what kinds take on average", async () => {
  const { places, pass } = setUp();
  await pass("base/trajectories", 10);
  await pass("a/verifier", 40);
  await pass("a/generator", 30);
  await pass("a/trajectories", 20);
  await pass("evaluation/base", 100);
  await pass("x/evaluation/a", 1);
  await pass("unknown to the plan", 1);
  expect(places).toEqual([
    { stage: 1, stages: 6, expected: null },
    // Of rollouts alone 10 s is known: three unknown stages and one of rollouts are to come.
    { stage: 2, stages: 6, expected: { thisStage: 10, later: 40 } },
    // Kinds take 10 s and 40 s.
    { stage: 3, stages: 6, expected: { thisStage: 25, later: 10 + 2 * 25 } },
    { stage: 4, stages: 6, expected: { thisStage: 10, later: 2 * ((10 + 40 + 30) / 3) } },
    { stage: 5, stages: 6, expected: { thisStage: (15 + 40 + 30) / 3, later: (15 + 40 + 30) / 3 } },
    { stage: 6, stages: 6, expected: { thisStage: 100, later: 0 } },
  ]);
});

test("what earlier attempts finished is known; what they only began is not", async () => {
  const { places, pass } = setUp({ "base/trajectories": 8, "a/verifier": 3 }, ["base/trajectories"]);
  await pass("a/verifier", 5);
  await pass("a/generator", 1);
  expect(places).toEqual([
    { stage: 2, stages: 6, expected: { thisStage: 8, later: 8 * 4 } },
    { stage: 3, stages: 6, expected: { thisStage: 8, later: 8 * 3 } },
  ]);
});
