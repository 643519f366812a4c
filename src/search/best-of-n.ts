/**
 * Multi-turn best-of-N search: at each turn sample N candidates from the current state, choose one by a selection
 * rule, run the public tests on it, stop if they pass, otherwise add it and its feedback to the state.
 */
import { VerifierError } from "../errors.ts";
import type { Completion, Generator } from "../generator/generator.ts";
import type { OutcomeGrader, PublicGrader } from "../grading/grade.ts";
import { deriveSeed } from "../random.ts";
import type { RolloutSettings } from "../rollout/rollout.ts";
import type { StopReason, Trajectory, Turn } from "../rollout/trajectory.ts";
import { conversationAfter } from "../rollout/trajectory.ts";
import { programOf } from "../tasks/prompt.ts";
import type { Task } from "../tasks/task.ts";
import type { Verifier } from "../verifier/verifier.ts";
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
  const turns: Turn[] = [];
  let stopReason: StopReason = "turn-limit";
  while (turns.length < settings.turns) {
    const completions = await proposeCandidates(request, turns, parts, signal);
    const full = completions.every((completion) => completion.stopReason === "no-room");
    if (full && turns.length > 0) {
      stopReason = "context-full";
      break;
    }
    const views = completions.map((completion) => viewCandidate(task, completion, parts, signal));
    const chosen = completions[await SELECTION_RULES[request.rule](views)]!;
    const program = programOf(task, chosen.text);
    const grade = await parts.grader.gradePublic(task, program, signal);
    turns.push({
      turnIndex: turns.length,
      completion: chosen.text,
      program,
      verdict: grade.verdict,
      feedback: grade.feedback,
      tokenCount: chosen.tokenCount,
    });
    if (grade.verdict === "passed" || full) {
      stopReason = full ? "context-full" : "public-tests-passed";
      break;
    }
  }
  return { taskId: task.id, rolloutIndex: 0, turns, stopReason };
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
  parts: SearchParts,
  signal?: AbortSignal,
): Promise<{ trajectories: Map<SelectionRule, Trajectory>; firstCandidates: Candidate[] }> {
  const shared = { ...parts, generator: rememberProposals(parts.generator) };
  const searches = await Promise.all(rules.map((rule) => searchBestOfN({ ...request, rule }, shared, signal)));
  const completions = await proposeCandidates(request, [], shared, signal);
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
): Promise<Completion[]> {
  return parts.generator.propose(
    {
      conversation: conversationAfter(task, turns, settings),
      seeds: Array.from({ length: settings.candidates }, (_, index) =>
        deriveSeed(seed, "candidate", task.id, turns.length, index),
      ),
      temperature: settings.temperature,
      maxTokens: settings.maxTokens,
    },
    signal,
  );
}

function viewCandidate(task: Task, completion: Completion, parts: SearchParts, signal?: AbortSignal): CandidateView {
  const program = programOf(task, completion.text);
  return {
    passesPublicTests: async () => (await parts.grader.gradePublic(task, program, signal)).verdict === "passed",
    score: async () => {
      if (parts.verifier === undefined) throw new VerifierError("this selection rule needs a verifier");
      return program === null ? -Infinity : parts.verifier.score({ task, program }, signal);
    },
    outcome: async () => {
      if (parts.outcomes === undefined) throw new RangeError("the oracle rule needs private tests");
      return parts.outcomes.outcome(task, program, signal);
    },
  };
}
