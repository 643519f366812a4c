/**
 * Expert iteration with a learned verifier: the six steps of `docs/method.md`, in its order. RFT, the baseline, is the
 * same loop without a verifier and without relabelling.
 */
import type { GradedTrajectory } from "../rollout/graded-trajectory.ts";
import { firstTurns } from "../rollout/graded-trajectory.ts";
import { imitateSuccesses } from "./relabel.ts";
import type { GeneratorExamples, GeneratorFitSummary, StageParts, StageRequest } from "./stages.ts";
import { relabelWithExpert, rollOutTasks, trainGenerator, trainVerifier } from "./stages.ts";
import type { RolloutSummary } from "./summaries.ts";
import { summarizeRollouts } from "./summaries.ts";
import type { Checkpoint, TrainingSummary } from "./trainer.ts";

export type { GeneratorFitSummary, IterationSettings, StageParts as IterationParts } from "./stages.ts";

export type Method = "mucode" | "rft";

export interface IterationRequest extends StageRequest {
  readonly method: Method;
  /** Names this arm among others of the same run: its stages are at `ARM/iteration-1/…`. Default: the method. */
  readonly arm?: string;
  readonly shared?: SharedWork;
  /** `generatorSteps[i]`: exactly so many optimizer steps for iteration i + 1. Default: the trainer's number of epochs. */
  readonly generatorSteps?: readonly number[];
  /** Leave out verifiers that the expert's rule does not ask. Default: they are fitted, for search. */
  readonly skipUnusedVerifiers?: boolean;
}

/** What arms of one run make once, because its inputs are the same for all of them. */
export interface SharedWork {
  /**
   * Most turns of the base model's rollouts, at least `settings.rollout.turns`: an arm of fewer turns learns from the
   * first turns of the same rollouts, which are what it would have rolled out.
   */
  readonly baseTurns?: number;
  /** The place of the first iteration's verifier: the same for equal base rollouts, loss and settings. */
  readonly firstVerifier?: string;
}

/** One iteration's checkpoints, and what was seen and fitted on the way to them. */
export interface Iteration {
  readonly generator: Checkpoint;
  readonly verifier?: Checkpoint;
  readonly rollouts: RolloutSummary;
  readonly verifierFit?: TrainingSummary;
  readonly generatorFit: GeneratorFitSummary;
}

/** `result[i]` is iteration i + 1; iteration 0 is the base model. */
export async function iterateExpert(request: IterationRequest, parts: StageParts): Promise<Iteration[]> {
  const { method, arm = method, tasks, base, settings, shared = {}, generatorSteps = [] } = request;
  const { store } = parts;
  const usesVerifier = settings.expertRule !== "outcome" || !request.skipUnusedVerifiers;
  const iterations: Iteration[] = [];
  const collected: (readonly GradedTrajectory[])[] = [];
  let generator = base;
  for (let i = 1; i <= settings.iterations; i++) {
    const place = `${arm}/iteration-${i}`;

    // 1. Roll out the current generator. The base model's rollouts are the same for every arm and made once.
    const rollouts =
      i === 1
        ? await rollOutBase(request, parts)
        : await rollOutTasks(`${arm}/iteration-${i - 1}`, generator, request, parts);

    // 2. Aggregate.
    collected.push(rollouts.trajectories);
    const experience = collected.flat();

    // 3. Train the verifier from the base model on all of D, or on D_1: that one is fitted once.
    const learnsFromBase = settings.verifierExperience === "base";
    const verifierPlace = i === 1 || learnsFromBase ? (shared.firstVerifier ?? `${arm}/iteration-1`) : place;
    const verifier: Checkpoint = { directory: store.path(verifierPlace, "verifier") };
    const verifierFit =
      method === "mucode" && usesVerifier
        ? await trainVerifier(verifierPlace, learnsFromBase ? collected[0]! : experience, verifier, request, parts)
        : undefined;

    // 4. The local search expert: the best program known for each task.
    // 5. Relabel every visited state with it.
    const examples = async (): Promise<GeneratorExamples> =>
      method === "mucode"
        ? relabelWithExpert(collected, verifier, request, parts)
        : { examples: imitateSuccesses({ tasks, trajectories: experience, prompt: settings.rollout }), failures: [] };

    // 6. Fit the generator, from the base model again.
    const fitted: Checkpoint = { directory: store.path(place, "generator") };
    const from = settings.startFrom === "base" ? base : generator;
    const steps = generatorSteps[i - 1];
    const fit = { from, to: fitted, ...(steps !== undefined && { steps }) };
    const generatorFit = await trainGenerator(place, examples, fit, request, parts);
    generator = fitted;
    iterations.push({
      generator,
      ...(verifierFit && { verifier, verifierFit }),
      rollouts: rollouts.summary,
      generatorFit,
    });
  }
  return iterations;
}

/** The base model's rollouts at `base/trajectories`, cut to this arm's number of turns. */
async function rollOutBase(
  request: IterationRequest,
  parts: StageParts,
): Promise<{ trajectories: readonly GradedTrajectory[]; summary: RolloutSummary }> {
  const { settings, shared, base } = request;
  const { turns } = settings.rollout;
  const baseTurns = shared?.baseTurns ?? turns;
  const longest = { ...request, settings: { ...settings, rollout: { ...settings.rollout, turns: baseTurns } } };
  const rollouts = await rollOutTasks("base", base, longest, parts);
  if (baseTurns === turns) return rollouts;
  const trajectories = rollouts.trajectories.map((trajectory) => firstTurns(trajectory, turns));
  return { trajectories, summary: summarizeRollouts(trajectories, rollouts.summary.failures) };
}
