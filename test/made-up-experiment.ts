/** Made-up results and facts for tests: four tasks, values small enough to compute by hand. */
import type { ArmName, ExperimentResults, Protocol, ProtocolOutcomes } from "../src/experiment/results.ts";
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
