/**
 * Finds the blocks of code in a completion: by CommonMark's rules for fenced code, and by what a reader makes of fences
 * that break them. Where a fence may be part of the program (in a docstring), the language's grammar decides.
 */
import type { SourceReader } from "../source/grammar.ts";
import { LineState } from "../source/line-state.ts";
import { readInfoString, type BlockLanguage } from "./info-string.ts";

export interface Block {
  readonly language: BlockLanguage;
  /** Ends with a line break. */
  readonly text: string;
  /** Whether it has a closing fence of its own: without, words may follow the code. */
  readonly closed: boolean;
}

export interface Blocks {
  /** In order. */
  readonly blocks: readonly Block[];
  /** What stands outside of all blocks, piece by piece, in order. */
  readonly outside: readonly string[];
}

/** Quotes and longer fences around fences are followed only so deep. */
const MAX_DEPTH = 4;

/** Where a fence inside an open string might end the block, only so many later ones are tried by parsing. */
const MAX_ENDS = 4;

export function findBlocks(text: string, reader: SourceReader): Blocks {
  return new BlockFinder(text.split("\n"), reader, 0).find();
}

/** What begins a block. */
interface Opening {
  /** `[PYTHON]`-like tags end with their own closing tag. */
  readonly mark: { readonly kind: "fence"; readonly fence: string } | { readonly kind: "tag"; readonly tag: string };
  /** Columns that its lines are moved by. */
  readonly indent: number;
  readonly language: BlockLanguage;
  /** Code, or words that are none, behind the language's name. */
  readonly rest: string;
  /** Text before it on its line. */
  readonly before: string;
}

/** Where a block ends. */
interface Ending {
  /** The first line that is not part of it. */
  readonly line: number;
  /** The line to go on from. */
  readonly next: number;
  /** Code before the fence on the fence's line. */
  readonly lastLine?: string;
  /** Whether the text ended first. */
  readonly unclosed?: true;
}

const QUOTE = /^ {0,3}>/;
const FENCE = /^[ \t]*(`{3,}|~{3,})[ \t]*(.*)$/;
const TAG = /^(|.*[\s:])\[(PYTHON|PY|JAVASCRIPT|JS|CODE)\](.*)$/;

/** How only code begins, where the question is whether text behind a fence is code. */
const BEGINS_CODE =
  /^(?:(?:async\s+)?(?:def|function)\s+[\w$]+\s*\(|class\s+\w+|import\s+\w+|from\s+\w\S*\s+import\b|(?:const|let|var)\s+\S+\s*=|return\b)/;

class BlockFinder {
  readonly #lines: readonly string[];
  readonly #reader: SourceReader;
  readonly #depth: number;
  readonly #blocks: Block[] = [];
  readonly #outside: string[] = [];
  #piece: string[] = [];

  constructor(lines: readonly string[], reader: SourceReader, depth: number) {
    this.#lines = lines;
    this.#reader = reader;
    this.#depth = depth;
  }

  find(): Blocks {
    for (let at = 0; at < this.#lines.length;) at = this.#step(at);
    this.#endPiece();
    return { blocks: this.#blocks, outside: this.#outside };
  }

  /** Reads what begins at a line outside of all blocks; gives the line after it. */
  #step(at: number): number {
    const line = this.#lines[at] as string;
    if (QUOTE.test(line)) return this.#quote(at);
    const oneLine = blockOfOneLine(line);
    if (oneLine !== undefined) {
      this.#endPiece();
      this.#blocks.push(oneLine);
      return at + 1;
    }
    const opening = this.#openingOf(line);
    if (opening === undefined) {
      this.#piece.push(line);
      return at + 1;
    }
    if (opening.before.trim() !== "") this.#piece.push(opening.before);
    this.#endPiece();
    return this.#block(at, { ...opening, indent: this.#indentOf(at, opening.indent) });
  }

  #endPiece(): void {
    if (this.#piece.some((line) => line.trim() !== "")) this.#outside.push(`${this.#piece.join("\n")}\n`);
    this.#piece = [];
  }

  /** A quotation with fences in it is a text of its own. */
  #quote(start: number): number {
    let end = start;
    for (let at = start; at < this.#lines.length; at++) {
      const line = this.#lines[at] as string;
      if (QUOTE.test(line)) end = at + 1;
      else if (line.trim() !== "") break;
    }
    const quoted = this.#lines.slice(start, end);
    // The space behind the mark belongs to it where every line has one.
    const mark = quoted.every((line) => /^ {0,3}>(?: |$)|^\s*$/.test(line)) ? /^ {0,3}> ?/ : /^ {0,3}>/;
    const lines = quoted.map((line) => line.replace(mark, ""));
    if (this.#depth < MAX_DEPTH && lines.some((line) => line.includes("```") || line.includes("~~~"))) {
      this.#endPiece();
      this.#add(new BlockFinder(lines, this.#reader, this.#depth + 1).find());
    } else {
      for (const line of quoted) this.#piece.push(line);
    }
    return end;
  }

  #add({ blocks, outside }: Blocks): void {
    for (const block of blocks) this.#blocks.push(block);
    for (const piece of outside) this.#outside.push(piece);
  }

  #openingOf(line: string): Opening | undefined {
    const [, beforeTag, tag, afterTag = ""] = TAG.exec(line) ?? [];
    if (tag !== undefined && beforeTag !== undefined) {
      const language = readInfoString(tag).language;
      return { mark: { kind: "tag", tag }, indent: 0, language, rest: afterTag.trim(), before: beforeTag };
    }
    const start = /`{3,}|~{3,}/.exec(line);
    if (start === null) return undefined;
    const [fence] = start;
    const before = line.slice(0, start.index);
    const info = line.slice(start.index + fence.length);
    if (before.includes("`") || info.includes(fence[0] === "`" ? "`" : "~~~")) return undefined;
    const { language, rest } = readInfoString(info);
    const opening = { mark: { kind: "fence", fence }, language, rest } as const;
    const margin = /^[ \t]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?$/.exec(before)?.[0];
    if (margin !== undefined) return { ...opening, indent: margin.length, before: "" };
    if (fence[0] === "~") return undefined;
    // In the middle of a line: after words, not at the end of code.
    const isOpening = language !== "none" || (info.trim() === "" && /[\s:]$/.test(before));
    return isOpening ? { ...opening, indent: 0, before } : undefined;
  }

  #block(at: number, opening: Opening): number {
    const end = this.#endOf(at, opening);
    let lines = this.#content(at, end.line, opening);
    if (end.lastLine !== undefined) lines.push(end.lastLine);
    if (end.unclosed) lines = withoutLooseEnd(lines);
    let { language } = opening;
    // Some models write the language on a line of its own.
    const first = readInfoString(lines[0] ?? "");
    if (language === "none" && opening.rest === "" && first.rest === "" && first.language === this.#reader.language) {
      language = first.language;
      lines = lines.slice(1);
    }
    const text = this.#withRest(`${lines.join("\n")}\n`, opening.rest, language);
    if (!this.#addNested(text, language, opening))
      this.#blocks.push({ language, text, closed: end.line !== end.next && end.unclosed !== true });
    return end.next;
  }

  #content(at: number, end: number, { indent }: Opening): string[] {
    return this.#lines.slice(at + 1, end).map((line) => withoutIndent(line, indent));
  }

  /** Columns that the lines of a block are moved by: those of its fence, where its code has them too. */
  #indentOf(at: number, margin: number): number {
    const first = this.#lines.slice(at + 1, at + 20).find((line) => line.trim() !== "") ?? "";
    return Math.min(margin, /^[ \t]*/.exec(first)?.[0].length ?? 0);
  }

  #mayBeProgram(language: BlockLanguage): boolean {
    return language === "none" || language === this.#reader.language;
  }

  #endOf(at: number, opening: Opening): Ending {
    const state = this.#mayBeProgram(opening.language) ? new LineState(this.#reader.language) : undefined;
    state?.read(opening.rest);
    /** Fences before this line are part of a string. */
    let stringEnd = 0;
    for (let i = at + 1; i < this.#lines.length; i++) {
      const line = withoutIndent(this.#lines[i] as string, opening.indent);
      const ending = i < stringEnd ? undefined : endingAt(i, line, opening, state);
      if (ending !== undefined && state?.insideText !== true) return ending;
      if (ending !== undefined && state !== undefined) {
        // Indented like this it is no fence at all; else only if a later one leaves a program.
        const later = /^(?: {4}| {0,3}\t)/.test(line) ? i + 1 : this.#endAfterString(at, i, opening, state);
        if (later === undefined) return ending;
        stringEnd = later;
      }
      state?.read(line);
    }
    return { line: this.#lines.length, next: this.#lines.length, unclosed: true };
  }

  /** The line of the first later fence, or the end of the text, that makes the block a program with its string closed. */
  #endAfterString(at: number, inside: number, opening: Opening, state: LineState): number | undefined {
    const later = state.copy();
    let tries = 0;
    for (let i = inside; i <= this.#lines.length; i++) {
      const line = withoutIndent(this.#lines[i] ?? "", opening.indent);
      const mayEnd = i === this.#lines.length || endingAt(i, line, opening, later) !== undefined;
      if (i > inside && mayEnd && !later.insideText) {
        if (this.#reader.parses(`${this.#content(at, i, opening).join("\n")}\n`)) return i;
        if (++tries === MAX_ENDS) return undefined;
      }
      if (!this.#reader.spend(line.length + 10)) return undefined;
      later.read(line);
    }
    return undefined;
  }

  #withRest(text: string, rest: string, language: BlockLanguage): string {
    if (rest === "" || !this.#mayBeProgram(language)) return text;
    const whole = `${rest}\n${text.trim() === "" ? "" : text}`;
    const isCode = BEGINS_CODE.test(rest) || (!this.#reader.parses(text) && this.#reader.parses(whole));
    return isCode ? whole : text;
  }

  /** A block of Markdown, or one between tags, may have blocks of its own. */
  #addNested(text: string, language: BlockLanguage, { mark }: Opening): boolean {
    if (this.#depth >= MAX_DEPTH || !/^ {0,3}(?:```|~~~)/m.test(text)) return false;
    const isText = language === "markdown" || language === "other" || mark.kind === "tag";
    if (!isText && (language !== "none" || this.#reader.parses(text))) return false;
    const nested = new BlockFinder(text.split("\n"), this.#reader, this.#depth + 1).find();
    if (nested.blocks.length === 0) return false;
    this.#add(nested);
    return true;
  }
}

/** The ending that a line would be if the line did not begin inside a string. */
function endingAt(
  at: number,
  line: string,
  { mark, language }: Opening,
  state: LineState | undefined,
): Ending | undefined {
  if (mark.kind === "tag") {
    const end = line.indexOf(`[/${mark.tag}]`);
    if (end < 0) return undefined;
    const lastLine = line.slice(0, end);
    return { line: at, next: at + 1, ...(lastLine.trim() !== "" && { lastLine }) };
  }
  const [, fence = "", info = ""] = FENCE.exec(line) ?? [];
  if (fence[0] === mark.fence[0] && fence.length >= mark.fence.length) {
    if (state === undefined && language !== "code" && /^ {4}/.test(line)) return undefined;
    if (info.trim() === "") return { line: at, next: at + 1 };
    // Outside of strings no program has such a line: the block was never closed, and the next one may begin here.
    const opens = !info.includes("`") && (readInfoString(info).language !== "none" || /^\S+\s*$/.test(info));
    return { line: at, next: opens ? at : at + 1 };
  }
  if (state === undefined || mark.fence[0] !== "`" || !line.trimEnd().endsWith(mark.fence)) return undefined;
  const lastLine = line.trimEnd().replace(/`+$/, "");
  // The fence closes behind code, but not in a comment or a string.
  const isCode = lastLine.trim() !== "" && state.copy().read(`${lastLine}x`).endsWith("x");
  return isCode ? { line: at, next: at + 1, lastLine: lastLine.trimEnd() } : undefined;
}

/** A block that begins and ends on one line. */
function blockOfOneLine(line: string): Block | undefined {
  const inner = /^[ \t]*```+([^`].*?)```+[ \t]*$/.exec(line)?.[1];
  if (inner === undefined || inner.includes("```")) return undefined;
  const { language, rest } = readInfoString(inner);
  return rest.trim() === "" ? undefined : { language, text: `${rest.trim()}\n`, closed: true };
}

function withoutIndent(line: string, indent: number): string {
  if (indent === 0) return line;
  const space = /^[ \t]*/.exec(line)?.[0].length ?? 0;
  return line.slice(Math.min(indent, space));
}

/** Without blank lines at the end, and without the first characters of a closing fence. */
function withoutLooseEnd(lines: readonly string[]): string[] {
  const end = lines.findLastIndex((line) => !/^\s*`{0,2}$/.test(line));
  return lines.slice(0, end + 1);
}
