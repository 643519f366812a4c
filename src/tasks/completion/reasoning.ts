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

const HARMONY_END = /<\|(?:return|end)\|>\s*$/;

function splitFirst(completion: string): Answer {
  for (const marks of MARKS) {
    const thought = openedThought(completion.trimStart(), marks) ?? unopenedThought(completion, marks);
    if (thought !== undefined) return thought;
  }
  return { text: completion };
}

function openedThought(text: string, { opening, closing }: Marks): Answer | undefined {
  const start = opening.exec(text)?.[0].length;
  if (start === undefined) return undefined;
  const rest = text.slice(start);
  const end = closings(rest, closing).find((span) => isUnquoted(rest, span));
  return end === undefined ? { text: "", reasoning: rest.trim() } : divide(rest, end);
}

/** A thought whose opening stands in the prompt. Its end begins or ends a line, and is no part of a program. */
function unopenedThought(text: string, { opening, closing, mayBeginInside }: Marks): Answer | undefined {
  const marks = mayBeginInside === true ? closings(text, closing) : [];
  if (marks.length === 0) return undefined;
  // Those in programs come last: the answer follows the thought.
  const candidates = marks.slice(0, marks.length - countInPrograms(text, closing));
  const end = candidates.find((span) => isUnquoted(text, span) && endsThought(text, span));
  const opened = new RegExp(opening.source.slice(1), opening.flags);
  return end === undefined || opened.test(text.slice(0, end.from)) ? undefined : divide(text, end);
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function closings(text: string, closing: RegExp): Span[] {
  return [...text.matchAll(closing)].map(({ index, 0: { length } }) => ({ from: index, to: index + length }));
}

function divide(text: string, { from, to }: Span): Answer {
  return { text: withoutBlankLines(text.slice(to)), reasoning: text.slice(0, from).trim() };
}

/** Thoughts, too, speak of marks. */
function isUnquoted(text: string, { from, to }: Span): boolean {
  return !/["'`]/.test(text.slice(Math.max(0, from - 1), from) + text.slice(to, to + 1));
}

/** At the edge of a line, or with no space around it: a sentence that speaks of the mark has spaces or brackets there. */
function endsThought(text: string, { from, to }: Span): boolean {
  const isGlued = /[^\s([{<]/.test(text[from - 1] ?? "") && /\S/.test(text[to] ?? "");
  return from === 0 || text[from - 1] === "\n" || /^[ \t]*(?:\r?\n|$)/.test(text.slice(to, to + 100)) || isGlued;
}

/** How many of the marks stand in strings and comments of programs, with a fence around the program or without. */
function countInPrograms(text: string, closing: RegExp): number {
  if (text.length > MAX_LENGTH) return 0;
  const lines = text.replace(/\r\n?/g, "\n");
  const counts = (["python", "javascript"] as const).map((language) => {
    const reader = new SourceReader(language);
    const pieces = reader.parses(lines) ? [lines] : findBlocks(lines, reader).blocks.map((block) => block.text);
    // To the grammar of JavaScript, a word before the mark is compared with a regular expression.
    const isProgram = (piece: string): boolean =>
      reader.parses(piece) && reader.statements(piece).some(({ kind }) => kind !== "operand");
    const programs = pieces.filter((piece) => closings(piece, closing).length > 0 && isProgram(piece));
    return programs.reduce((sum, program) => sum + closings(program, closing).length, 0);
  });
  return Math.max(...counts);
}

/** The first line keeps its indentation: it may go on from the prompt. */
function withoutBlankLines(text: string): string {
  return /^[ \t]*\r?\n/.test(text) ? text.replace(/^\s*\n/, "") : text.trimStart();
}
