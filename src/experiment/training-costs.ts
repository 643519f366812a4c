/** What training cost each arm, stage by stage. */
import type { RunStore } from "../store/run-store.ts";
import { readRollouts, type StageRequest } from "../training/stages.ts";
import { fitCost, rolloutCost } from "./gather.ts";
import { BASE_DATA_VERIFIER, TRAINED_ARMS, type TrainedArm } from "./paper-mini.ts";
import type { ArmName, StageCost } from "./results.ts";
import type { TrainedArms } from "./train-arms.ts";

type Cost = Pick<StageCost, "arm" | "stage" | "kind" | "tokens" | "programs">;

/** Without seconds, which the run's metrics know. A stage that is in more than one arm is shared. */
export async function trainingCosts(
  { iterations }: TrainedArms,
  request: StageRequest,
  store: RunStore,
): Promise<Cost[]> {
  const costs: Cost[] = [];
  const base = rolloutCost("base/trajectories", await readRollouts("base", request, store));
  for (const { name, firstVerifier } of TRAINED_ARMS) {
    const ofArm: Cost[][] = [];
    for (const [index, { generatorFit, verifierFit }] of iterations[name].entries()) {
      const place = `${name}/iteration-${index + 1}`;
      const verifierPlace = index === 0 && firstVerifier === BASE_DATA_VERIFIER ? firstVerifier : place;
      const rollouts = index === 0 ? base : await laterRollouts(name, index, request, store);
      const stages = [
        rollouts,
        ...(verifierFit ? [fitCost(`${verifierPlace}/verifier`, "verifier training", verifierFit)] : []),
        fitCost(`${place}/generator`, "generator training", generatorFit),
      ];
      ofArm.push(stages.map((cost) => ({ ...cost, arm: name as ArmName })));
    }
    costs.push(...ofArm.flat());
    if (name === "mucode") costs.push(...ofArm[0]!.map((cost) => ({ ...cost, arm: "mucode-1" as const })));
  }
  return costs;
}

async function laterRollouts(arm: TrainedArm["name"], iteration: number, request: StageRequest, store: RunStore) {
  const origin = `${arm}/iteration-${iteration}`;
  return rolloutCost(`${origin}/trajectories`, await readRollouts(origin, request, store));
}
