/** What every arm cost, what was really spent, and how far one turn recovers. */
import type { ArmName, ExperimentResults, StageCost } from "../results.ts";
import { ARMS } from "./names.ts";
import type { SeedValue } from "./solve-rates.ts";

export interface Spending {
  /** Wall-clock. */
  readonly seconds: number;
  readonly tokens: number;
  readonly programs: number;
}

export const STAGE_KINDS = [
  "rollouts",
  "verifier training",
  "generator training",
  "evaluation",
] as const satisfies readonly StageCost["kind"][];

export interface CostTable {
  readonly arms: readonly {
    readonly arm: ArmName;
    /** Over all seeds. Stages that arms share are charged to each: what the arm alone would have cost. */
    readonly byKind: Readonly<Record<StageCost["kind"], Spending>>;
    readonly total: Spending;
    /** The part of `total` that other arms use too. */
    readonly shared: Spending;
  }[];
  /** Every stage once: less than the sum over arms where they share work. */
  readonly spent: { readonly byKind: Readonly<Record<StageCost["kind"], Spending>>; readonly total: Spending };
}

export function sumCosts({ costs }: ExperimentResults): CostTable {
  const users = new Map<string, Set<ArmName>>();
  for (const { stage, arm } of costs) users.set(stage, (users.get(stage) ?? new Set()).add(arm));
  const spent = onceEach(costs);
  return {
    arms: ARMS.flatMap((arm) => {
      const own = onceEach(costs.filter((cost) => cost.arm === arm));
      if (own.length === 0) return [];
      const shared = own.filter(({ stage }) => (users.get(stage)?.size ?? 0) > 1);
      return [{ arm, byKind: sumByKind(own), total: sum(own), shared: sum(shared) }];
    }),
    spent: { byKind: sumByKind(spent), total: sum(spent) },
  };
}

/** A stage that seeds share is charged to each of them too; its name in the run directory tells that it is one. */
function onceEach(costs: readonly StageCost[]): StageCost[] {
  return [...new Map(costs.map((cost) => [cost.stage, cost])).values()];
}

/** Of the states visited before a turn, the share solved in that turn. */
export interface RecoverabilityRow {
  readonly arm: ArmName;
  /** From 0. */
  readonly turnIndex: number;
  readonly states: number;
  /** Of the states of all seeds together. No interval: states of a task depend on each other. */
  readonly share: number;
  readonly perSeed: readonly SeedValue[];
}

export function summarizeRecoverability(results: ExperimentResults): RecoverabilityRow[] {
  return ARMS.flatMap((arm) => {
    const own = results.recoverability.filter((one) => one.arm === arm && one.states > 0);
    const turns = [...new Set(own.map(({ turnIndex }) => turnIndex))].toSorted((a, b) => a - b);
    return turns.map((turnIndex): RecoverabilityRow => {
      const counts = own.filter((one) => one.turnIndex === turnIndex);
      const states = counts.reduce((total, one) => total + one.states, 0);
      return {
        arm,
        turnIndex,
        states,
        share: counts.reduce((total, { solved }) => total + solved, 0) / states,
        perSeed: counts.map((one) => ({ seed: one.seed, value: one.solved / one.states })),
      };
    });
  });
}

function sumByKind(costs: readonly StageCost[]): Record<StageCost["kind"], Spending> {
  const of = (kind: StageCost["kind"]): Spending => sum(costs.filter((cost) => cost.kind === kind));
  return {
    rollouts: of("rollouts"),
    "verifier training": of("verifier training"),
    "generator training": of("generator training"),
    evaluation: of("evaluation"),
  };
}

function sum(costs: readonly StageCost[]): Spending {
  return costs.reduce<Spending>(
    (total, { seconds, tokens, programs }) => ({
      seconds: total.seconds + seconds,
      tokens: total.tokens + tokens,
      programs: total.programs + programs,
    }),
    { seconds: 0, tokens: 0, programs: 0 },
  );
}
