/** Finds a program among words, where no fence says where it is. */
import type { SourceReader } from "../source/grammar.ts";
import { LineState } from "../source/line-state.ts";
import { dedent } from "./join.ts";

/** So many lines are tried as the first of a program. */
const MAX_STARTS = 100;

/** How the first line of a program may begin; prose that begins so too does not parse. */
const MAY_BEGIN =
  /^(?:[@"'#([{]|\/[/*]|(?:def|class|import|from|async|if|for|while|try|with|return|const|let|var|function|export|print)\b|[\w$.[\], ]{1,80}(?:[-+*/]?=|\())/;

/** The last run of lines that is a program and fits; lines of words before and after it are no part of it. */
export function findCode(piece: string, reader: SourceReader, fits: (program: string) => boolean): string | undefined {
  return findRun(piece, reader, fits) ?? findIndented(piece, reader, fits);
}

function findRun(piece: string, reader: SourceReader, fits: (program: string) => boolean): string | undefined {
  let found: string | undefined;
  let tries = 0;
  let at = 0;
  let end = 0;
  for (const line of piece.split("\n")) {
    if (at >= end && (at === 0 || MAY_BEGIN.test(line)) && tries++ < MAX_STARTS) {
      const rest = piece.slice(at);
      const length = reader.programLength(rest);
      const run = withoutWords(rest.slice(0, length), reader);
      if (length > 0) end = at + length;
      if (run.trim() !== "" && fits(run)) found = run;
    }
    at += line.length + 1;
  }
  return found;
}

/** Code that Markdown marks by indentation alone. */
function findIndented(piece: string, reader: SourceReader, fits: (program: string) => boolean): string | undefined {
  const blocks = piece.matchAll(/(?:^(?:[ ]{2,}|\t)[^\n]*\n(?:[ \t]*\n)*)+/gm);
  return [...blocks]
    .slice(-MAX_STARTS)
    .map(([block]) => dedent(block))
    .findLast((code) => reader.parses(code) && fits(code));
}

/** A word or two may be an expression to a parser: without those at either end. */
function withoutWords(run: string, reader: SourceReader): string {
  const statements = reader.statements(run);
  // The inside of a function.
  if (statements.length === 0) return `${run.trimEnd()}\n`;
  const first = statements.find(({ kind }) => kind !== "operand");
  const last = statements.findLast(({ kind }) => kind !== "operand");
  if (first === undefined || last === undefined) return "";
  const from = first === statements[0] ? 0 : run.lastIndexOf("\n", first.from) + 1;
  const to = last === statements.at(-1) ? run.length : last.to;
  return `${run.slice(from, to).trimEnd()}\n`;
}

/** So many lines are looked at for words. */
const MAX_LINES = 400;

/** How sentences, headings, lists and markup look. */
const SENTENCE = /^(?:[<\\]\S.*|[A-Z`*>\d-][^=]*[\s,.:!?].*|[a-z]+(?: [\w'’,-]+){2,}[.:!?]?)$/;

function isSentence(line: string, reader: SourceReader): boolean {
  if (!SENTENCE.test(line) || /[([{,\\]$/.test(line)) return false;
  // `for x in xs:` may be the header of a block.
  return !reader.parses(line) && !reader.parses(`${line} pass`);
}

/** What is left without sentences before and after it, whether or not it is a program; `undefined` for nothing. */
export function betweenWords(piece: string, reader: SourceReader): string | undefined {
  const lines = piece.split("\n").slice(0, MAX_LINES + 1);
  const state = new LineState(reader.language);
  const first = lines.findIndex((line) => line.trim() !== "" && !isSentence(line, reader));
  if (first < 0) return undefined;
  let end = first;
  for (; end < lines.length; end++) {
    if (!state.insideText && isSentence(lines[end] as string, reader)) break;
    state.read(lines[end] as string);
  }
  if (end > MAX_LINES) return piece;
  const code = lines.slice(first, end).join("\n").trimEnd();
  return code === "" ? undefined : `${code}\n`;
}

/** So many spans of code are looked at. */
const MAX_SPANS = 100;

/** Code within lines: `def f(x): return x`. */
export function inlineCode(piece: string): string[] {
  const spans = piece.matchAll(/(?<!`)(`{1,3})(?!`)([^`\n]+)\1(?!`)/g);
  return [...spans].slice(-MAX_SPANS).map(([, , code = ""]) => `${code.trim()}\n`);
}
