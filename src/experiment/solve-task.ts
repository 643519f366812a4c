/** Everything one generator does on one held-out task: every protocol, sharing samples, grades and scores. */
import { allSettled } from "../concurrency.ts";
import type { Generator } from "../generator/generator.ts";
import type { OutcomeGrader } from "../grading/grade.ts";
import { gradeOutcomes } from "../rollout/collect.ts";
import { rollOut } from "../rollout/rollout.ts";
import { searchBestOfN, searchWithRules } from "../search/best-of-n.ts";
import { rememberProposals } from "../search/remember-proposals.ts";
import type { Task } from "../tasks/task.ts";
import { rememberScores } from "../verifier/remember-scores.ts";
import type { Verifier } from "../verifier/verifier.ts";
import type { SearchPlan } from "./paper-mini.ts";
import type { FirstCandidate, Protocol, VerifierName } from "./results.ts";

export type Verifiers = Readonly<Partial<Record<VerifierName, Verifier>>>;

/** A distinct program of a turn with everything known of it. */
export interface ExaminedProgram extends FirstCandidate {
  readonly turnIndex: number;
  readonly program: string;
}

export interface TaskRecord {
  readonly taskId: string;
  /** By {@link protocolKey}: `solvedWithin` of the task. */
  readonly solved: Readonly<Record<string, readonly boolean[]>>;
  /** Of the first turn, hidden tests; empty unless examined. */
  readonly firstCandidates: readonly FirstCandidate[];
  /** What the best-of-N search under the last rule saw at each turn; empty unless examined. */
  readonly examined: readonly ExaminedProgram[];
  readonly tokens: number;
  /** Programs written. */
  readonly programs: number;
}

export interface SolveTaskRequest {
  readonly task: Task;
  readonly protocols: readonly Protocol[];
  readonly plan: SearchPlan;
  readonly sampling: { readonly temperature: number; readonly maxTokens: number };
  readonly seed: number;
  /** Whether programs are scored by every verifier, for its examination. */
  readonly examine: boolean;
}

export interface SolveTaskParts {
  readonly generator: Generator;
  readonly verifiers: Verifiers;
  readonly grader: OutcomeGrader;
}

export function protocolKey({ rule, candidates, turns, showPublicTests, verifier }: Protocol): string {
  return `${rule} N=${candidates} T=${turns} ${showPublicTests ? "shown" : "hidden"} ${verifier ?? "-"}`;
}

/** @throws InfrastructureError: the task has no result then under any protocol, so that all have the same tasks. */
export async function solveTask(
  request: SolveTaskRequest,
  { generator, grader, verifiers }: SolveTaskParts,
  signal?: AbortSignal,
): Promise<TaskRecord> {
  const { task, protocols, plan, sampling, seed, examine } = request;
  const use = { tokens: 0, programs: 0 };
  const parts = {
    generator: rememberProposals(counted(generator, use)),
    grader,
    verifiers: mapValues(verifiers, rememberScores),
  };
  const seen = new Map<string, { turnIndex: number; program: string }>();
  // The widest first: whoever asks for fewer candidates of the same state finds them asked for.
  const widestFirst = protocols.toSorted((a, b) => b.candidates - a.candidates);
  const solved = widestFirst.map(async (protocol) => {
    const trajectory = await converse(
      protocol,
      request,
      parts,
      (turnIndex, program) => {
        if (isExamined(protocol, plan) && turnIndex < plan.turns) {
          seen.set(`${turnIndex} ${program}`, { turnIndex, program });
        }
      },
      signal,
    );
    const { outcomes } = await gradeOutcomes(task, trajectory, grader, signal);
    const within = Array.from({ length: protocol.turns }, (_, t) => outcomes[Math.min(t, outcomes.length - 1)]!);
    return [protocolKey(protocol), within] as const;
  });
  const solvedByKey = new Map(await allSettled(solved));
  const describe = (program: string | null): Promise<FirstCandidate> => describeProgram(task, program, parts, signal);
  const settings = { ...sampling, showPublicTests: false, turns: 1, candidates: plan.mostCandidates };
  const first = examine ? (await searchWithRules({ task, settings, seed }, [], parts, signal)).firstCandidates : [];
  const bySeen = [...seen.values()].toSorted((a, b) => a.turnIndex - b.turnIndex || (a.program < b.program ? -1 : 1));
  return {
    taskId: task.id,
    solved: Object.fromEntries(
      protocols.map((protocol) => [protocolKey(protocol), solvedByKey.get(protocolKey(protocol))!]),
    ),
    firstCandidates: await allSettled(first.map(({ program }) => describe(program))),
    examined: examine
      ? await allSettled(bySeen.map(async (facts) => ({ ...facts, ...(await describe(facts.program)) })))
      : [],
    ...use,
  };
}

/** What all verifiers say of a program, beside what is true of it. */
export async function describeProgram(
  task: Task,
  program: string | null,
  { grader, verifiers }: Pick<SolveTaskParts, "grader" | "verifiers">,
  signal?: AbortSignal,
): Promise<FirstCandidate> {
  const score = async ([name, verifier]: [string, Verifier]) => {
    const value = program === null ? -Infinity : await verifier.score({ task, program }, signal);
    return [name, Number.isFinite(value) ? value : null] as const;
  };
  const [outcome, { verdict }, scores] = await allSettled([
    grader.outcome(task, program, signal),
    grader.gradePublic(task, program, signal),
    allSettled(Object.entries(verifiers).map(score)),
  ]);
  return { outcome, passesPublicTests: verdict === "passed", scores: Object.fromEntries(scores) };
}

/** The search whose candidates, chosen or not, verifiers are examined on. */
function isExamined(protocol: Protocol, plan: SearchPlan): boolean {
  return (
    protocol.rule === "public-tests-then-verifier" &&
    protocol.candidates === plan.candidates &&
    !protocol.showPublicTests &&
    protocol.verifier === "bradley-terry"
  );
}

function converse(
  protocol: Protocol,
  { task, sampling, seed }: SolveTaskRequest,
  { generator, grader, verifiers }: SolveTaskParts,
  onProgram: (turnIndex: number, program: string) => void,
  signal?: AbortSignal,
) {
  const { rule, turns, showPublicTests } = protocol;
  const settings = { ...sampling, turns, showPublicTests };
  if (rule === "greedy") {
    const request = { task, rolloutIndex: 0, settings: { ...settings, temperature: 0 }, seed };
    return rollOut(request, { generator, grader }, signal);
  }
  const verifier = protocol.verifier === null ? undefined : verifiers[protocol.verifier];
  // A random candidate is the first one; the others would be written to be thrown away.
  const candidates = rule === "random" ? 1 : protocol.candidates;
  return searchBestOfN(
    { task, rule, settings: { ...settings, candidates }, seed },
    {
      generator,
      grader,
      outcomes: grader,
      ...(verifier && { verifier }),
      onEvent: (event) => {
        if (event.kind !== "candidates-written") return;
        for (const { program } of event.candidates) if (program !== null) onProgram(event.turnIndex, program);
      },
    },
    signal,
  );
}

function counted(generator: Generator, use: { tokens: number; programs: number }): Generator {
  return {
    async propose(request, signal) {
      const completions = await generator.propose(request, signal);
      use.programs += completions.length;
      for (const { tokenCount } of completions) use.tokens += tokenCount ?? 0;
      return completions;
    },
    close: () => generator.close(),
  };
}

function mapValues<K extends string, V, W>(
  record: Readonly<Partial<Record<K, V>>>,
  map: (value: V) => W,
): Partial<Record<K, W>> {
  return Object.fromEntries(
    Object.entries<V | undefined>(record).flatMap(([key, value]) => (value === undefined ? [] : [[key, map(value)]])),
  ) as Partial<Record<K, W>>;
}
