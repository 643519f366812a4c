/** What arms, verifiers and ways of solving are called in the report. */
import type { ArmName, Protocol, VerifierName } from "../results.ts";

export const ARM_LABELS: Readonly<Record<ArmName, string>> = {
  base: "base model",
  "rft-single-turn": "RFT, single-turn",
  rft: "RFT, multi-turn",
  "rft-equal-steps": "RFT, as many steps as µCode",
  "mucode-1": "µCode, 1 iteration",
  mucode: "µCode, 2 iterations",
  "mucode-outcome": "µCode, relabelled by outcome alone",
  "mucode-verifier": "µCode, relabelled by verifier alone",
  "mucode-bce": "µCode, BCE verifier",
};

/** In the order of tables and plots. */
export const ARMS = Object.keys(ARM_LABELS) as readonly ArmName[];

export const VERIFIER_LABELS: Readonly<Record<VerifierName, string>> = {
  "bradley-terry": "Bradley–Terry",
  bce: "BCE",
  "bradley-terry-base-data": "Bradley–Terry, base model's programs alone",
};

export const RULE_LABELS: Readonly<Record<Protocol["rule"], string>> = {
  greedy: "greedy",
  random: "random",
  verifier: "LV",
  "public-tests": "PT",
  "public-tests-then-verifier": "PT+LV",
  oracle: "oracle",
};

/** Abbreviations of the report, explained where it begins. */
export const KEY: readonly (readonly [term: string, meaning: string])[] = [
  ["solve rate", "share of the held-out tasks whose final program passes all tests, public and private, in per cent"],
  ["N", "candidate programs written at each turn, of which one is chosen; N = 1 is greedy, at temperature 0"],
  ["T", "most turns; a rollout stops earlier when its program passes the public tests"],
  ["PT", "public tests: choose a candidate that passes them, otherwise any"],
  ["LV", "learned verifier: choose the candidate that it scores highest"],
  ["PT+LV", "the highest score among the candidates that pass the public tests, or among all if none does"],
  ["oracle", "a right candidate if there is any: an upper bound, no method"],
  [
    "shown, hidden",
    "whether the generator's prompt holds the public tests; their feedback is given after each turn anyway",
  ],
  ["RFT", "rejection fine-tuning: training on the generator's own successful rollouts, no verifier"],
  [
    "µCode",
    "training on visited states relabelled with the best program known for the task, by outcome, then by the verifier",
  ],
  [
    "[a, b]",
    "95 % interval; where it is of several seeds, by a bootstrap over tasks in which a task brings all its seeds",
  ],
  ["points", "differences of solve rates in percentage points, paired per task"],
];

export function describeProtocol(protocol: Protocol): string {
  const { rule, candidates, turns, showPublicTests, verifier } = protocol;
  const choice = rule === "greedy" ? "greedy" : `N = ${candidates}, ${RULE_LABELS[rule]}`;
  const scorer = verifier === null || verifier === "bradley-terry" ? "" : ` by ${VERIFIER_LABELS[verifier]}`;
  return `${choice}${scorer}, T = ${turns}, ${showPublicTests ? "shown" : "hidden"}`;
}
