/** Solve rates of every arm under every protocol, by seed and over seeds. */
import { averagePerTask, estimateMean, type Estimate, type PerTask } from "../../evaluation/statistics.ts";
import type { ArmName, ExperimentResults, Protocol } from "../results.ts";
import { ARMS } from "./names.ts";

/** An arm and how its generator solved: what a solve rate is of. */
export interface Condition extends Protocol {
  readonly arm: ArmName;
}

export interface SeedValue {
  readonly seed: number;
  readonly value: number;
}

export interface SolveRate {
  readonly arm: ArmName;
  readonly protocol: Protocol;
  /** Pairs of task and seed that the infrastructure failed on; they are left out. */
  readonly failures: number;
  /** `byTurn[t]`: share solved with at most t + 1 turns, averaged over seeds; the last is the protocol's own. */
  readonly byTurn: readonly Estimate[];
  /** `perSeedByTurn[t]`: the same, seed by seed: how much luck in training and sampling matters. */
  readonly perSeedByTurn: readonly (readonly SeedValue[])[];
}

/** Which tasks were solved, a run per seed. */
export interface SeedRun {
  readonly seed: number;
  readonly solved: PerTask;
}

export function estimateSolveRates(results: ExperimentResults): SolveRate[] {
  const protocols = new Map<string, Protocol>();
  for (const { protocol } of results.outcomes) protocols.set(protocolKey(protocol), protocol);
  return ARMS.flatMap((arm) =>
    [...protocols.values()].flatMap((protocol): SolveRate[] => {
      const runs = runsOfProtocol(results, arm, protocol);
      const solvedWithin = (turns: number): SeedRun[] => runs.map((run) => seedRun(run, turns));
      const turns = Array.from({ length: protocol.turns }, (_, turnIndex) => solvedWithin(turnIndex + 1));
      const last = turns.at(-1) ?? [];
      if (!isKnown(last)) return [];
      return [
        {
          arm,
          protocol,
          failures: last.reduce((sum, { solved }) => sum + solved.filter((value) => value === undefined).length, 0),
          byTurn: turns.map((seedRuns) => estimateOverSeeds(seedRuns)),
          perSeedByTurn: turns.map(meansBySeed),
        },
      ];
    }),
  );
}

/**
 * The runs that show a condition, empty where none does. Turns of a longer search serve for a shorter one, which it
 * contains; the shortest that is long enough is taken.
 */
export function runsUnder(results: ExperimentResults, condition: Condition): SeedRun[] {
  const longEnough = results.outcomes
    .filter(({ arm, protocol }) => arm === condition.arm && protocol.turns >= condition.turns)
    .map(({ protocol }) => protocol)
    .filter((protocol) => protocolKey({ ...protocol, turns: condition.turns }) === protocolKey(condition))
    .toSorted((a, b) => a.turns - b.turns);
  const [protocol] = longEnough;
  if (protocol === undefined) return [];
  return runsOfProtocol(results, condition.arm, protocol).map((run) => seedRun(run, condition.turns));
}

/** The mean over tasks, each task's value being its mean over seeds. */
export function estimateOverSeeds(runs: readonly SeedRun[], options?: { readonly resamples: number }): Estimate {
  return estimateMean(averagePerTask(runs.map(({ solved }) => solved)), options);
}

export function isKnown(runs: readonly SeedRun[]): boolean {
  return runs.some(({ solved }) => solved.some((value) => value !== undefined));
}

/** Seeds without any known task are left out. */
export function meansBySeed(runs: readonly SeedRun[]): SeedValue[] {
  return runs.flatMap(({ seed, solved }) => {
    const known = solved.filter((value) => value !== undefined);
    return known.length === 0 ? [] : [{ seed, value: known.reduce((sum, value) => sum + value, 0) / known.length }];
  });
}

/** Equal for equal protocols. */
function protocolKey({ rule, candidates, turns, showPublicTests, verifier }: Protocol): string {
  return JSON.stringify([rule, candidates, turns, showPublicTests, verifier]);
}

function runsOfProtocol(results: ExperimentResults, arm: ArmName, protocol: Protocol): ExperimentResults["outcomes"] {
  const key = protocolKey(protocol);
  return results.outcomes.filter((one) => one.arm === arm && protocolKey(one.protocol) === key);
}

function seedRun({ seed, solvedWithin }: ExperimentResults["outcomes"][number], turns: number): SeedRun {
  return { seed, solved: solvedWithin.map((task) => (task === null ? undefined : Number(task[turns - 1]))) };
}
