/** Divides what a model wrote into what it thought and what it answered. */

import { MAX_LENGTH, SourceReader } from "../source/grammar.ts";
import { findBlocks } from "./fences.ts";

/** How models mark a thought: words before it and words after it. */
interface Marks {
  readonly opening: RegExp;
  readonly closing: RegExp;
  /** Whether the opening may stand in the prompt, so that the text begins inside the thought. */
  readonly mayBeginInside?: true;
}

const TAG = "think|thinking|thought|thoughts|reasoning|reflection|seed:think";

const MARKS: readonly Marks[] = [
  ...TAG.split("|").map((tag): Marks => ({
    opening: new RegExp(`^<${tag}>`, "i"),
    closing: new RegExp(`</${tag}>`, "gi"),
    mayBeginInside: true,
  })),
  // Mistral.
  { opening: /^\[THINK\]/, closing: /\[\/THINK\]/g, mayBeginInside: true },
  // Kimi.
  { opening: /^◁think▷/, closing: /◁\/think▷/g, mayBeginInside: true },
  // Command A.
  { opening: /^<\|START_THINKING\|>/, closing: /<\|END_THINKING\|>(?:\s*<\|START_(?:RESPONSE|TEXT)\|>)?/g },
  // Harmony (gpt-oss), with its special tokens and without them. The answer is what the last channel holds.
  {
    opening: /^(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)[^<]*<\|message\|>/,
    closing: /<\|channel\|>final[^<]*<\|message\|>/g,
  },
  { opening: /^(?:<\|start\|>assistant)?<\|channel\|>final[^<]*<\|message\|>/, closing: /^/g },
  { opening: /^analysis(?=[A-Z\s])(?=[^]*assistantfinal)/, closing: /assistantfinal/g },
];

/** Some models think again right after a thought; so often it is followed. */
const MAX_THOUGHTS = 10;

export interface Answer {
  /** What is left without the thought. */
  readonly text: string;
  /** Absent where there was none. */
  readonly reasoning?: string;
}

/**
 * The thought stands before the answer, between marks such as `<think>` and `</think>`. Templates that end the prompt
 * with the opening mark make the text begin inside the thought. A thought that was cut off leaves no answer. Marks in the
 * middle of an answer, in a program's strings for instance, mean nothing.
 */
export function splitReasoning(completion: string): Answer {
  let answer: Answer = { text: completion };
  for (let count = 0; count < MAX_THOUGHTS; count++) {
    const next = splitFirst(answer.text);
    if (next.reasoning === undefined) break;
    const reasoning = [answer.reasoning, next.reasoning].filter(Boolean).join("\n");
    answer = { text: next.text, reasoning };
  }
  return answer.reasoning === undefined ? answer : { ...answer, text: answer.text.replace(HARMONY_END, "") };
}

/** A text with more closing marks than this is no thought and answer. */
const MAX_CLOSINGS = 5;

const HARMONY_END = /<\|(?:return|end)\|>\s*$/;

function splitFirst(completion: string): Answer {
  const trimmed = completion.trimStart();
  for (const { opening, closing, mayBeginInside } of MARKS) {
    const opened = opening.exec(trimmed)?.[0].length;
    if (opened === undefined && mayBeginInside !== true) continue;
    const start = opened ?? 0;
    const isMark = opened === undefined ? endsThoughtOfPrompt : isUnquoted;
    const end = [...trimmed.slice(start).matchAll(closing)]
      .slice(0, MAX_CLOSINGS)
      .map(({ index, 0: { length } }) => ({ from: start + index, to: start + index + length }))
      .find((span) => isMark(trimmed, span));
    if (end !== undefined) {
      const reasoning = trimmed.slice(start, end.from);
      const opensLater = opened === undefined && new RegExp(opening.source.slice(1), opening.flags).test(reasoning);
      if (!opensLater) return { text: withoutBlankLines(trimmed.slice(end.to)), reasoning: reasoning.trim() };
    } else if (opened !== undefined) {
      return { text: "", reasoning: trimmed.slice(start).trim() };
    }
  }
  return { text: completion };
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Thoughts, too, speak of marks. */
function isUnquoted(text: string, { from, to }: Span): boolean {
  return !/["'`]/.test(text.slice(Math.max(0, from - 1), from) + text.slice(to, to + 1));
}

/** Where no opening was seen, the mark has to end or begin a line, and may not be part of a program. */
function endsThoughtOfPrompt(text: string, span: Span): boolean {
  const endsLine = /^[ \t]*(?:\r?\n|$)/.test(text.slice(span.to, span.to + 100));
  const beginsLine = span.from === 0 || text[span.from - 1] === "\n";
  return (endsLine || beginsLine) && isUnquoted(text, span) && !isInProgram(text, text.slice(span.from, span.to));
}

/** Whether a program in the text, with a fence around it or without, has the mark in one of its strings or comments. */
function isInProgram(text: string, mark: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  const lines = text.replace(/\r\n?/g, "\n");
  return (["python", "javascript"] as const).some((language) => {
    const reader = new SourceReader(language);
    const isProgram = (program: string): boolean => program.includes(mark) && reader.parses(program);
    return isProgram(lines) || findBlocks(lines, reader).blocks.some(({ text: block }) => isProgram(block));
  });
}

/** The first line keeps its indentation: it may go on from the prompt. */
function withoutBlankLines(text: string): string {
  return /^[ \t]*\r?\n/.test(text) ? text.replace(/^\s*\n/, "") : text.trimStart();
}
