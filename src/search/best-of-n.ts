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
import type { Conversation } from "../tasks/prompt.ts";
import { extractProgram } from "../tasks/prompt.ts";
import type { Task } from "../tasks/task.ts";
import type { Verifier } from "../verifier/verifier.ts";
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
    const conversation = conversationAfter(task, turns, settings);
    const completions = await parts.generator.propose(
      {
        conversation,
        seeds: candidateSeeds(request, turns.length),
        temperature: settings.temperature,
        maxTokens: settings.maxTokens,
      },
      signal,
    );
    const full = completions.every((completion) => completion.stopReason === "no-room");
    if (full && turns.length > 0) {
      stopReason = "context-full";
      break;
    }
    const views = completions.map((completion) => viewCandidate(task, completion, parts, signal));
    const chosen = completions[await SELECTION_RULES[request.rule](views)]!;
    const program = extractProgram(chosen.text);
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

/**
 * Several rules on one task. Samples depend on the state and the seed, never on the rule, so rules that reach the
 * same state share its candidates: the comparison between rules is paired and costs little more than one of them.
 */
export async function searchWithRules(
  request: Omit<SearchRequest, "rule">,
  rules: readonly SelectionRule[],
  parts: SearchParts,
  signal?: AbortSignal,
): Promise<Map<SelectionRule, Trajectory>> {
  const generator = rememberProposals(parts.generator);
  const trajectories = await Promise.all(
    rules.map((rule) => searchBestOfN({ ...request, rule }, { ...parts, generator }, signal)),
  );
  return new Map(rules.map((rule, index) => [rule, trajectories[index]!]));
}

/** The seeds of the N candidates of a turn. */
export function candidateSeeds(request: Omit<SearchRequest, "rule">, turnIndex: number): number[] {
  const { seed, task, settings } = request;
  return Array.from({ length: settings.candidates }, (_, index) =>
    deriveSeed(seed, "candidate", task.id, turnIndex, index),
  );
}

function viewCandidate(task: Task, completion: Completion, parts: SearchParts, signal?: AbortSignal): CandidateView {
  const program = extractProgram(completion.text);
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

/** A generator that asks again only for what it has not been asked before. */
function rememberProposals(generator: Generator): Generator {
  const known = new Map<string, Promise<Completion[]>>();
  return {
    propose: (request, signal) => {
      const key = conversationKey(request.conversation, request.seeds);
      let proposal = known.get(key);
      if (proposal === undefined) {
        proposal = generator.propose(request, signal);
        known.set(key, proposal);
      }
      return proposal;
    },
    close: () => generator.close(),
  };
}

function conversationKey(conversation: Conversation, seeds: readonly number[]): string {
  return JSON.stringify([conversation.map((message) => message.content), seeds]);
}
