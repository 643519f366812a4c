/**
 * Multi-turn best-of-N search: at each turn sample N candidates from the current state, choose one by a selection
 * rule, run the public tests on it, stop if they pass, otherwise add it and its feedback to the state.
 */
import { allSettled } from "../concurrency.ts";
import { VerifierError } from "../errors.ts";
import type { Completion, Generator } from "../generator/generator.ts";
import { proposeFitting, type FittingProposal } from "../generator/propose-fitting.ts";
import type { OutcomeGrader, PublicGrader } from "../grading/grade.ts";
import { deriveSeed } from "../random.ts";
import type { RolloutSettings } from "../rollout/rollout.ts";
import type { StopReason, Trajectory, Turn } from "../rollout/trajectory.ts";
import { conversationAfter } from "../rollout/trajectory.ts";
import { programOf } from "../tasks/completion/program.ts";
import type { Task } from "../tasks/task.ts";
import type { Verifier } from "../verifier/verifier.ts";
import type { SearchEvent, WrittenCandidate } from "./events.ts";
import { rememberProposals } from "./remember-proposals.ts";
import type { CandidateView, SelectionRule } from "./selection-rules.ts";
import { SELECTION_RULES } from "./selection-rules.ts";

export interface SearchSettings extends RolloutSettings {
  /** N: candidates per turn. */
  readonly candidates: number;
}

export interface SearchParts {
  readonly generator: Generator;
  readonly grader: PublicGrader;
  /** Needed by the rules that rank by score. */
  readonly verifier?: Verifier;
  /** Needed by `oracle` alone. */
  readonly outcomes?: OutcomeGrader;
  /** Called as things happen; what it throws ends the search. */
  readonly onEvent?: (event: SearchEvent) => void;
}

export interface SearchRequest {
  readonly task: Task;
  readonly rule: SelectionRule;
  readonly settings: SearchSettings;
  /** With the task's id, the turn and the candidate's index it fixes every sample, whatever the rule. */
  readonly seed: number;
}

/** The trajectory of the chosen candidates; `turns` holds one chosen candidate per turn. */
export async function searchBestOfN(
  request: SearchRequest,
  parts: SearchParts,
  signal?: AbortSignal,
): Promise<Trajectory> {
  const { task, settings } = request;
  const { onEvent: tell = () => undefined } = parts;
  const turns: Turn[] = [];
  let stopReason: StopReason = "turn-limit";
  while (turns.length < settings.turns) {
    const turnIndex = turns.length;
    tell({ kind: "turn-started", turnIndex, candidateCount: settings.candidates });
    const { completions, droppedTurns } = await proposeCandidates(request, turns, parts, signal);
    const full = completions.every((completion) => completion.stopReason === "no-room");
    if (full && turns.length > 0) {
      stopReason = "context-full";
      break;
    }
    const candidates = completions.map((completion) => ({ completion, program: programOf(task, completion.text) }));
    tell({ kind: "candidates-written", turnIndex, candidates: candidates.map(describeCandidate) });
    const views = candidates.map(({ program }, candidateIndex) =>
      viewCandidate({ task, program, turnIndex, candidateIndex }, parts, signal),
    );
    const candidateIndex = await SELECTION_RULES[request.rule](views);
    const { completion: chosen, program } = candidates[candidateIndex]!;
    const grade = await parts.grader.gradePublic(task, program, signal);
    const turn: Turn = {
      turnIndex,
      completion: chosen.text,
      program,
      verdict: grade.verdict,
      feedback: grade.feedback,
      tokenCount: chosen.tokenCount,
      ...(droppedTurns > 0 && { droppedTurns }),
      ...(chosen.reasoning !== undefined && { reasoning: chosen.reasoning }),
    };
    turns.push(turn);
    tell({ kind: "candidate-chosen", turnIndex, candidateIndex, turn });
    if (grade.verdict === "passed" || full) {
      stopReason = full ? "context-full" : "public-tests-passed";
      break;
    }
  }
  const trajectory: Trajectory = { taskId: task.id, rolloutIndex: 0, turns, stopReason };
  tell({ kind: "search-ended", trajectory });
  return trajectory;
}

export interface Candidate {
  /** `null` when the completion holds none. */
  readonly program: string | null;
  readonly completion: Completion;
}

/**
 * Several rules on one task. Samples depend on the state and the seed, never on the rule, so rules that reach the
 * same state share its candidates: the comparison between rules is paired and costs little more than one of them.
 * `firstCandidates` are those of the first turn, which every rule chooses from.
 */
export async function searchWithRules(
  request: Omit<SearchRequest, "rule">,
  rules: readonly SelectionRule[],
  parts: Omit<SearchParts, "onEvent">,
  signal?: AbortSignal,
): Promise<{ trajectories: Map<SelectionRule, Trajectory>; firstCandidates: Candidate[] }> {
  const shared = { ...parts, generator: rememberProposals(parts.generator) };
  const searches = await allSettled(rules.map((rule) => searchBestOfN({ ...request, rule }, shared, signal)));
  const { completions } = await proposeCandidates(request, [], shared, signal);
  return {
    trajectories: new Map(rules.map((rule, index) => [rule, searches[index]!])),
    firstCandidates: completions.map((completion) => ({
      completion,
      program: programOf(request.task, completion.text),
    })),
  };
}

function proposeCandidates(
  { task, settings, seed }: Omit<SearchRequest, "rule">,
  turns: readonly Turn[],
  parts: SearchParts,
  signal?: AbortSignal,
): Promise<FittingProposal> {
  return proposeFitting(
    parts.generator,
    {
      conversation: conversationAfter(task, turns, settings),
      seeds: Array.from({ length: settings.candidates }, (_, index) =>
        deriveSeed(seed, "candidate", task.id, turns.length, index),
      ),
      temperature: settings.temperature,
      maxTokens: settings.maxTokens,
    },
    { alreadyDropped: turns.at(-1)?.droppedTurns ?? 0, signal },
  );
}

function describeCandidate({ program, completion }: Candidate): WrittenCandidate {
  return { program, tokenCount: completion.tokenCount, cut: completion.stopReason === "length" };
}

interface CandidateRequest {
  readonly task: Task;
  readonly program: string | null;
  readonly turnIndex: number;
  readonly candidateIndex: number;
}

/** What a selection rule may look at; every look is told. */
function viewCandidate(
  { task, program, turnIndex, candidateIndex }: CandidateRequest,
  { grader, verifier, outcomes, onEvent: tell = () => undefined }: SearchParts,
  signal?: AbortSignal,
): CandidateView {
  return {
    passesPublicTests: async () => {
      const { verdict } = await grader.gradePublic(task, program, signal);
      tell({ kind: "candidate-graded", turnIndex, candidateIndex, verdict });
      return verdict === "passed";
    },
    score: async () => {
      if (verifier === undefined) throw new VerifierError("this selection rule needs a verifier");
      const score = program === null ? -Infinity : await verifier.score({ task, program }, signal);
      tell({ kind: "candidate-scored", turnIndex, candidateIndex, score });
      return score;
    },
    outcome: async () => {
      if (outcomes === undefined) throw new RangeError("the oracle rule needs private tests");
      return outcomes.outcome(task, program, signal);
    },
  };
}
