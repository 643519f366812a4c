/** Trains every arm of one seed with one loop, sharing what has the same inputs. */
import { allSettled } from "../concurrency.ts";
import type { RunStore } from "../store/run-store.ts";
import type { Iteration, IterationSettings } from "../training/expert-iteration.ts";
import { iterateExpert } from "../training/expert-iteration.ts";
import type { StageParts, StageRequest } from "../training/stages.ts";
import { readRollouts, trainVerifier } from "../training/stages.ts";
import type { Checkpoint } from "../training/trainer.ts";
import type { TrainedArm } from "./paper-mini.ts";
import { BASE_DATA_VERIFIER, ITERATIONS, TRAINED_ARMS } from "./paper-mini.ts";
import type { ArmName, VerifierName } from "./results.ts";

/** What the arms of a seed leave behind. */
export interface TrainedArms {
  readonly iterations: Readonly<Record<TrainedArm["name"], readonly Iteration[]>>;
  readonly verifiers: Readonly<Record<VerifierName, Checkpoint>>;
}

/** The place of the cross-entropy verifier that saw what the `bradley-terry` verifier saw. */
const BCE_VERIFIER = "verifiers/bce";

/** How many checkpoints the arms of a seed leave, those that several share counted once. */
export function checkpointsPerSeed(): number {
  const verifiers = new Set([BCE_VERIFIER]);
  for (const { name, method, differences, firstVerifier } of TRAINED_ARMS) {
    if (method !== "mucode" || differences?.expertRule === "outcome") continue;
    for (let i = 1; i <= ITERATIONS; i++) verifiers.add((i === 1 && firstVerifier) || `${name}/iteration-${i}`);
  }
  return TRAINED_ARMS.length * ITERATIONS + verifiers.size;
}

/** `onArm` is called before each arm, and before the verifier that is fitted for comparison alone (`null`). */
export async function trainArms(
  request: StageRequest,
  parts: StageParts,
  onArm: (arm: TrainedArm["name"] | null) => void,
): Promise<TrainedArms> {
  const iterations: Partial<Record<TrainedArm["name"], readonly Iteration[]>> = {};
  for (const arm of TRAINED_ARMS) {
    onArm(arm.name);
    iterations[arm.name] = await iterateExpert(
      {
        ...request,
        method: arm.method,
        arm: arm.name,
        settings: settingsOf(arm, request.settings),
        shared: {
          baseTurns: request.settings.rollout.turns,
          ...(arm.firstVerifier !== undefined && { firstVerifier: arm.firstVerifier }),
        },
        ...(arm.stepsOf && { generatorSteps: iterations[arm.stepsOf]!.map(({ generatorFit }) => generatorFit.steps) }),
        skipUnusedVerifiers: true,
      },
      parts,
    );
  }
  onArm(null);
  const trained = iterations as Record<TrainedArm["name"], readonly Iteration[]>;
  return { iterations: trained, verifiers: await trainVerifiers(trained, request, parts) };
}

/** The generator of an arm. */
export function generatorOf(arm: ArmName, base: Checkpoint, { iterations }: TrainedArms): Checkpoint {
  if (arm === "base") return base;
  return arm === "mucode-1" ? iterations.mucode[0]!.generator : iterations[arm].at(-1)!.generator;
}

/** The generators whose rollouts the `mucode` arm aggregated: base, iteration 1, … */
export function originsOf(settings: Pick<IterationSettings, "iterations">): string[] {
  return Array.from({ length: settings.iterations }, (_, i) => (i === 0 ? "base" : `mucode/iteration-${i}`));
}

function settingsOf(arm: TrainedArm, settings: IterationSettings): IterationSettings {
  const turns = arm.turns ?? settings.rollout.turns;
  return { ...settings, ...arm.differences, rollout: { ...settings.rollout, turns } };
}

async function trainVerifiers(
  { mucode }: TrainedArms["iterations"],
  request: StageRequest,
  parts: StageParts,
): Promise<TrainedArms["verifiers"]> {
  const { store } = parts;
  const experience = await readExperience(request, store);
  const bce: Checkpoint = { directory: store.path(BCE_VERIFIER, "verifier") };
  const settings: IterationSettings = { ...request.settings, verifierLoss: "bce" };
  await trainVerifier(BCE_VERIFIER, experience, bce, { ...request, settings }, parts);
  return {
    "bradley-terry": mucode.at(-1)!.verifier!,
    "bradley-terry-base-data": { directory: store.path(BASE_DATA_VERIFIER, "verifier") },
    bce,
  };
}

async function readExperience(request: StageRequest, store: RunStore) {
  const rollouts = await allSettled(originsOf(request.settings).map((origin) => readRollouts(origin, request, store)));
  return rollouts.flat();
}
