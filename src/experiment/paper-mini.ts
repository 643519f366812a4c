/**
 * The paper's experiments in miniature, as data: which generators are trained, each by how it differs from the method,
 * and how each is evaluated.
 */
import type { SelectionRule } from "../search/selection-rules.ts";
import { SELECTION_RULES, VERIFIER_RULES } from "../search/selection-rules.ts";
import type { IterationSettings, Method } from "../training/expert-iteration.ts";
import type { ArmName, Protocol } from "./results.ts";

/** M of every arm. */
export const ITERATIONS = 2;

/** Where the verifier is that learned from the base model's programs alone, shared by the arms that begin with it. */
export const BASE_DATA_VERIFIER = "base/bradley-terry";

/** An arm that runs the loop. */
export interface TrainedArm {
  readonly name: Exclude<ArmName, "base" | "mucode-1">;
  readonly method: Method;
  /** What differs from the experiment's settings. */
  readonly differences?: Partial<Pick<IterationSettings, "expertRule" | "verifierLoss">>;
  /** Most turns of training rollouts, where they are not the experiment's. */
  readonly turns?: number;
  /** Every fit takes as many optimizer steps as this earlier arm's fit of the same iteration took. */
  readonly stepsOf?: TrainedArm["name"];
  /** The place of the first iteration's verifier, where other arms make the same one. */
  readonly firstVerifier?: string;
}

/** In the order of training. `mucode-1` is the first iteration of `mucode`. */
export const TRAINED_ARMS: readonly TrainedArm[] = [
  { name: "mucode", method: "mucode", firstVerifier: BASE_DATA_VERIFIER },
  { name: "rft", method: "rft" },
  { name: "rft-single-turn", method: "rft", turns: 1 },
  { name: "rft-equal-steps", method: "rft", stepsOf: "mucode" },
  { name: "mucode-outcome", method: "mucode", differences: { expertRule: "outcome" } },
  {
    name: "mucode-verifier",
    method: "mucode",
    differences: { expertRule: "verifier" },
    firstVerifier: BASE_DATA_VERIFIER,
  },
  { name: "mucode-bce", method: "mucode", differences: { verifierLoss: "bce" } },
];

/** In the order of evaluation and of tables. */
export const ARMS: readonly ArmName[] = [
  "base",
  "rft-single-turn",
  "rft",
  "rft-equal-steps",
  "mucode-1",
  "mucode",
  "mucode-outcome",
  "mucode-verifier",
  "mucode-bce",
];

/** The arms that are looked at in detail: with tests shown, more turns, more candidates, every verifier. */
const MAIN_ARMS: readonly ArmName[] = ["base", "rft", "mucode"];

export function isMainArm(arm: ArmName): boolean {
  return MAIN_ARMS.includes(arm);
}

/** How far searches go. */
export interface SearchPlan {
  /** N of every rule. */
  readonly candidates: number;
  /** T of every rule. */
  readonly turns: number;
  /** T of greedy conversations and of the last rule's searches, for main arms. */
  readonly longTurns: number;
  /** Largest N for main arms. */
  readonly mostCandidates: number;
}

/** The paper's N; N = 1 is `greedy`. */
const CANDIDATE_COUNTS = [2, 3, 5, 7, 9, 11];

const BEST_RULE: SelectionRule = "public-tests-then-verifier";

/** Every way in which an arm's generator solves the held-out tasks, none twice. */
export function protocolsOf(arm: ArmName, plan: SearchPlan): Protocol[] {
  const { candidates, turns, longTurns } = plan;
  const search = (rule: SelectionRule, changes: Partial<Protocol> = {}): Protocol => ({
    rule,
    candidates,
    turns,
    showPublicTests: false,
    verifier: VERIFIER_RULES.includes(rule) ? "bradley-terry" : null,
    ...changes,
  });
  const greedy = (changes: Partial<Protocol> = {}): Protocol => ({
    rule: "greedy",
    candidates: 1,
    turns,
    showPublicTests: false,
    verifier: null,
    ...changes,
  });
  const rules = Object.keys(SELECTION_RULES) as SelectionRule[];
  if (!isMainArm(arm)) return [greedy(), ...rules.map((rule) => search(rule))];

  const counts = CANDIDATE_COUNTS.filter((count) => count <= plan.mostCandidates);
  const otherCounts = counts.filter((count) => count !== candidates);
  const long = [false, true].flatMap((showPublicTests) => [
    greedy({ turns: longTurns, showPublicTests }),
    search(BEST_RULE, { turns: longTurns, showPublicTests }),
  ]);
  const main = [
    ...long,
    ...rules.filter((rule) => rule !== BEST_RULE).map((rule) => search(rule)),
    ...otherCounts.flatMap((count) => [
      search("public-tests", { candidates: count }),
      search(BEST_RULE, { candidates: count }),
    ]),
  ];
  if (arm !== "mucode") return main;
  return [
    ...main,
    ...otherCounts.map((count) => search("verifier", { candidates: count })),
    ...[...otherCounts, candidates].flatMap((count) => [
      search(BEST_RULE, { candidates: count, verifier: "bce" }),
      search("verifier", { candidates: count, verifier: "bce" }),
    ]),
    search(BEST_RULE, { verifier: "bradley-terry-base-data" }),
  ];
}
