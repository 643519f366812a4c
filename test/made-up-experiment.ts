/** Made-up results and facts for tests: four tasks, values small enough to compute by hand. */
import type {
  ArmName,
  ExaminedPrograms,
  ExperimentResults,
  Protocol,
  ProtocolOutcomes,
} from "../src/experiment/results.ts";
import type { ExperimentInfo } from "../src/experiment/report/info.ts";

export const madeUpInfo: ExperimentInfo = {
  name: "made-up",
  command: "npx mucode experiment made-up",
  finishedAt: "2026-01-02T03:04:05Z",
  trainingTasks: 10,
  search: { candidates: 5, turns: 3, showPublicTests: false },
  scoreForm: "likelihood",
  provenance: [{ label: "mucode", value: "0.0.0 <made-up & untrue>" }],
  configuration: 'suite.name = "mubpp"',
};

export const noResults: ExperimentResults = {
  seeds: [1, 2],
  heldOut: ["a", "b", "c", "d"],
  outcomes: [],
  examined: [],
  firstCandidates: [],
  learningCurves: [],
  costs: [],
  recoverability: [],
};

export const greedy: Protocol = { rule: "greedy", candidates: 1, turns: 3, showPublicTests: false, verifier: null };

export const bestOfFive: Protocol = {
  ...greedy,
  rule: "public-tests-then-verifier",
  candidates: 5,
  verifier: "bradley-terry",
};

/**
 * `firstSolvedAt[task]`: the turn, from 1, at which the task is solved; 0 for never; `null` where the infrastructure
 * failed.
 */
export function outcomesOf(
  arm: ArmName,
  seed: number,
  protocol: Protocol,
  firstSolvedAt: readonly (number | null)[],
): ProtocolOutcomes {
  return {
    arm,
    seed,
    protocol,
    solvedWithin: firstSolvedAt.map((turn) =>
      turn === null ? null : Array.from({ length: protocol.turns }, (_, index) => turn > 0 && index + 1 >= turn),
    ),
  };
}

const attempt = (taskId: string, score: number, outcome: boolean) => ({
  taskId,
  turnIndex: 0,
  score,
  outcome,
  passesPublicTests: true,
});
const examined = (split: ExaminedPrograms["split"]): ExaminedPrograms => ({
  verifier: "bradley-terry",
  arm: "mucode",
  seed: 1,
  split,
  attempts: [attempt("x", 2, true), attempt("x", 1, false), attempt("y", 0, true), attempt("y", 1, false)],
});
/** A little of everything that a report shows. */
export const madeUpResults: ExperimentResults = {
  ...noResults,
  outcomes: [
    outcomesOf("base", 1, greedy, [0, 0, 0, 3]),
    outcomesOf("rft", 1, greedy, [1, 0, 0, 0]),
    outcomesOf("mucode", 1, { ...greedy, turns: 6 }, [1, 2, 0, null]),
    outcomesOf("mucode", 1, bestOfFive, [1, 2, 3, 0]),
  ],
  examined: [examined("train"), examined("held-out")],
  firstCandidates: [
    {
      arm: "mucode",
      seed: 1,
      showPublicTests: false,
      candidates: [[{ outcome: true, passesPublicTests: true, scores: { "bradley-terry": null } }], null, null, null],
    },
  ],
  learningCurves: [
    { arm: "mucode", seed: 1, iteration: 1, of: "generator", steps: 2, points: [{ step: 1, loss: 0.5 }] },
  ],
  costs: [
    {
      arm: "mucode",
      seed: 1,
      stage: "seed-1/mucode/rollouts",
      kind: "rollouts",
      shared: false,
      seconds: 60,
      tokens: 1234,
      programs: 5,
    },
  ],
  recoverability: [{ arm: "base", seed: 1, turnIndex: 0, states: 10, solved: 4 }],
};
