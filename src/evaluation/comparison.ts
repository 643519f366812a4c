/** Solve rates of several generators by every protocol, and the paired differences that tell what each part added. */
import { countRefused } from "../rollout/collect.ts";
import type { SelectionRule } from "../search/selection-rules.ts";
import type { GeneratorEvaluation, TaskEvaluation } from "./evaluate-generator.ts";
import { auc, rankingAccuracy } from "./ranking.ts";
import type { Estimate, PerTask } from "./statistics.ts";
import { estimateDifference, estimateMean } from "./statistics.ts";

/** How a program was arrived at. The last five are multi-turn best-of-N under that selection rule. */
export type Protocol = "greedy-single-turn" | "greedy-multi-turn" | SelectionRule;

export const PROTOCOLS: readonly Protocol[] = [
  "greedy-single-turn",
  "greedy-multi-turn",
  "random",
  "public-tests",
  "verifier",
  "public-tests-then-verifier",
  "oracle",
];

/** The row a protocol is compared with: what it adds one thing to. */
const STEPS: readonly (readonly [before: Protocol, after: Protocol])[] = [
  ["greedy-single-turn", "greedy-multi-turn"],
  ["random", "verifier"],
  ["random", "public-tests"],
  ["public-tests", "public-tests-then-verifier"],
  ["public-tests-then-verifier", "oracle"],
];

export interface SolveRate {
  readonly generator: string;
  readonly protocol: Protocol;
  /** Share of tasks solved by all tests, public and private. */
  readonly solved: Estimate;
}

export interface Difference {
  /** What changes: the generator under one protocol, or the protocol of one generator. */
  readonly of: "generator" | "protocol";
  /** What stays. */
  readonly under: string;
  readonly before: string;
  readonly after: string;
  /** `after − before`, paired per task, in shares of tasks. */
  readonly difference: Estimate;
}

/** How well the verifier tells right from wrong among programs of held-out tasks that one generator wrote. */
export interface VerifierExamination {
  readonly generator: string;
  readonly programs: number;
  /** Over all programs; `null` when all are right or all are wrong. */
  readonly auc: number | null;
  /** Within tasks that have both a right and a wrong program. */
  readonly ranking: { readonly accuracy: number; readonly taskCount: number } | null;
  /** The same among the programs that pass the public tests: what the verifier adds to them. */
  readonly rankingAmongPublicPassing: { readonly accuracy: number; readonly taskCount: number } | null;
}

export interface Comparison {
  /** Tasks asked for; those that could not be evaluated are counted in `failures`. */
  readonly taskCount: number;
  readonly failures: Readonly<Record<string, number>>;
  /** How many of the failures are refusals of a server. */
  readonly refused: Readonly<Record<string, number>>;
  readonly solveRates: readonly SolveRate[];
  readonly differences: readonly Difference[];
  readonly verifier: readonly VerifierExamination[];
}

export interface ComparisonRequest {
  readonly taskIds: readonly string[];
  readonly generators: readonly GeneratorEvaluation[];
  /** Pairs of generators to compare: [before, after]. */
  readonly pairs: readonly (readonly [before: string, after: string])[];
  readonly seed: number;
}

export function compareGenerators(request: ComparisonRequest): Comparison {
  const { taskIds, generators, seed } = request;
  const outcomes = new Map<string, PerTask>();
  const keyOf = (generator: string, protocol: Protocol): string => `${generator} ${protocol}`;
  for (const generator of generators) {
    const byTask = new Map(generator.tasks.map((record) => [record.taskId, record]));
    for (const protocol of PROTOCOLS) {
      const solved = taskIds.map((taskId) => solvedBy(byTask.get(taskId), protocol));
      if (solved.some((value) => value !== undefined)) outcomes.set(keyOf(generator.name, protocol), solved);
    }
  }

  const solveRates = generators.flatMap(({ name }) =>
    PROTOCOLS.flatMap((protocol): SolveRate[] => {
      const solved = outcomes.get(keyOf(name, protocol));
      return solved ? [{ generator: name, protocol, solved: estimateMean(solved, { seed }) }] : [];
    }),
  );
  const differenceOf = (
    facts: Omit<Difference, "difference">,
    before: PerTask | undefined,
    after: PerTask | undefined,
  ): Difference[] => (before && after ? [{ ...facts, difference: estimateDifference({ before, after, seed }) }] : []);
  const betweenGenerators = request.pairs.flatMap(([before, after]) =>
    PROTOCOLS.flatMap((protocol) =>
      differenceOf(
        { of: "generator", under: protocol, before, after },
        outcomes.get(keyOf(before, protocol)),
        outcomes.get(keyOf(after, protocol)),
      ),
    ),
  );
  const betweenProtocols = generators.flatMap(({ name }) =>
    STEPS.flatMap(([before, after]) =>
      differenceOf(
        { of: "protocol", under: name, before, after },
        outcomes.get(keyOf(name, before)),
        outcomes.get(keyOf(name, after)),
      ),
    ),
  );
  return {
    taskCount: taskIds.length,
    failures: Object.fromEntries(generators.map(({ name, failures }) => [name, failures.length])),
    refused: Object.fromEntries(generators.map(({ name, failures }) => [name, countRefused(failures).refused])),
    solveRates,
    differences: [...betweenGenerators, ...betweenProtocols],
    verifier: generators.map(examineVerifier).filter((examination) => examination !== null),
  };
}

/** 1 or 0, or `undefined` where the task could not be evaluated by this protocol. */
function solvedBy(record: TaskEvaluation | undefined, protocol: Protocol): number | undefined {
  if (record === undefined) return undefined;
  if (protocol === "greedy-single-turn") return Number(record.greedy.outcomes[0]);
  const trajectory = protocol === "greedy-multi-turn" ? record.greedy : record.search[protocol];
  return trajectory && Number(trajectory.outcomes.at(-1));
}

function examineVerifier({ name, tasks }: GeneratorEvaluation): VerifierExamination | null {
  const scored = tasks.map(({ firstCandidates }) =>
    firstCandidates.flatMap(({ score, outcome, passesPublicTests }) =>
      score === null ? [] : [{ score, outcome, passesPublicTests }],
    ),
  );
  const programs = scored.flat();
  if (programs.length === 0) return null;
  return {
    generator: name,
    programs: programs.length,
    auc: auc(programs) ?? null,
    ranking: rankingAccuracy(scored) ?? null,
    rankingAmongPublicPassing:
      rankingAccuracy(scored.map((task) => task.filter(({ passesPublicTests }) => passesPublicTests))) ?? null,
  };
}
