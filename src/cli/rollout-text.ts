/** Lines about a set of rollouts, for people. */
import { describeFailures } from "../rollout/collect.ts";
import type { RolloutSummary } from "../training/summaries.ts";

/** Share solved within one turn, two turns, …, and how many conversations could not be had or graded. */
export function describeRollouts({ rollouts, solvedByTurn, failures }: RolloutSummary): string {
  const solved = solvedByTurn.map((share) => (100 * share).toFixed(1)).join(" / ");
  const lost = describeFailures(failures);
  return `${rollouts} trajectories${lost === "" ? "" : `; ${lost}`}; solved by turn, %: ${solved}`;
}
