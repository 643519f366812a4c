/** Reads programs by the grammar of their language; nothing is ever run. */
import type { SyntaxNode, Tree } from "@lezer/common";
import type { LRParser } from "@lezer/lr";
import type { Language } from "../task.ts";
import { javascriptGrammar } from "./javascript.ts";
import { blankText } from "./line-state.ts";
import { pythonGrammar } from "./python.ts";

/** A statement at the top level of a program. */
export interface Statement {
  /** Offset of its first character. */
  readonly from: number;
  /** Offset after its last character; the line break is not part of it. */
  readonly to: number;
  /**
   * `definition`: of functions, classes or imported names. `assignment`: gives names a value. `operand`: nothing but
   * names, numbers and operators, as prose may look to a parser. `other`: everything else.
   */
  readonly kind: "definition" | "assignment" | "operand" | "other";
  /** Names that it gives a meaning to for the whole program. */
  readonly names: readonly string[];
}

/**
 * How a program defines a name. `whole`: as a function or class with a body. `method`: as a method of a class. `alias`:
 * as the value of some other expression. `stub`: with a body that does nothing or says that something was left out.
 */
export type Definition = "whole" | "method" | "alias" | "stub";

/** What a language gives for the reading of its programs. */
export interface Grammar {
  /** Throws a SyntaxError with the offset at the first token that does not fit. */
  readonly parser: LRParser;
  /** The same text for the parser, of the same length, where the parser has faults of its own. */
  prepare?(text: string): string;
  /** What a text that is the inside of a function needs before it; empty for all others. */
  headOf?(text: string): string;
  /** Offset of a token that does not fit although the parser takes it. */
  errorIn?(tree: Tree, text: string): number | undefined;
  statement(node: SyntaxNode, text: string): Pick<Statement, "from" | "kind" | "names">;
  /** Names that occur as values, and names that are bound anywhere: parameters, targets, imports. */
  names(tree: Tree, text: string): { readonly used: Set<string>; readonly bound: Set<string> };
  /** The best definition of a name (`Class.method` for one of its methods). Works on text with errors in it too. */
  definition(text: string, name: string): Definition | undefined;
  /** Offset of the statement with the first definition of the name. */
  definitionStart(text: string, name: string): number | undefined;
  /** Names that every program has. */
  readonly builtins: ReadonlySet<string>;
}

const GRAMMARS: Readonly<Record<Language, Grammar>> = { python: pythonGrammar, javascript: javascriptGrammar };

/** What the parser says of a text. */
export interface Parsed {
  /** Offset of the first token that does not fit; `undefined` for a text that is right as a whole. */
  readonly errorAt?: number;
  /** Of a text that is right; absent for the inside of a function. */
  readonly tree?: Tree;
}

const UNREAD: Parsed = { errorAt: 0 };

/** Longest text that is parsed, in characters: no program of a task comes near it. */
export const MAX_LENGTH = 100_000;

/** Deepest brackets that are parsed: beyond 200 Python itself refuses. */
const MAX_DEPTH = 200;

/** Brackets of programs that people write are hardly ever deeper. */
const USUAL_DEPTH = 20;

/** Characters read more than once for one completion, so that hostile text costs bounded time. */
const MAX_READ = 400_000;

/**
 * Reads the programs of one completion. What it parsed it remembers; past a bound on the characters parsed it says of
 * every further text that its first token does not fit.
 */
export class SourceReader {
  readonly language: Language;
  readonly #grammar: Grammar;
  readonly #parsed = new Map<string, Parsed>();
  #left = MAX_READ;

  constructor(language: Language) {
    this.language = language;
    this.#grammar = GRAMMARS[language];
  }

  parse(text: string): Parsed {
    const known = this.#parsed.get(text);
    if (known !== undefined) return known;
    const parsed = this.#parse(text);
    this.#parsed.set(text, parsed);
    return parsed;
  }

  #parse(text: string): Parsed {
    if (text.length > MAX_LENGTH || this.#left <= 0 || !this.#affordsDepth(text)) return UNREAD;
    const { parser, prepare, errorIn, headOf } = this.#grammar;
    const head = headOf?.(text) ?? "";
    const whole = `${head}${text.trimEnd()}\n`;
    try {
      const tree = parser.parse(prepare?.(whole) ?? whole);
      this.#left -= text.length;
      const errorAt = errorIn?.(tree, whole);
      if (errorAt !== undefined) return { errorAt: errorAt - head.length };
      return head === "" ? { tree } : {};
    } catch (error) {
      // A tree too deep to build is a RangeError.
      const at = error instanceof SyntaxError ? /\d+$/.exec(error.message)?.[0] : undefined;
      const errorAt = Math.max(0, Number(at ?? 0) - head.length);
      // The parser's start costs something too.
      this.#left -= Math.max(errorAt, 200);
      return { errorAt };
    }
  }

  /** The deeper its brackets, the more readings a text has; deep ones are paid for before. */
  #affordsDepth(text: string): boolean {
    if (bracketDepth(text) <= USUAL_DEPTH) return true;
    if (!this.spend(text.length)) return false;
    const depth = bracketDepth(blankText(text, this.language));
    return depth <= MAX_DEPTH && this.spend(text.length * Math.floor(depth / USUAL_DEPTH));
  }

  /** Takes some characters from those that may still be read; `false` where there are not enough. */
  spend(characters: number): boolean {
    if (characters > this.#left) return false;
    this.#left -= characters;
    return true;
  }

  /** Whether the text is a program as a whole. */
  parses(text: string): boolean {
    return this.parse(text).errorAt === undefined;
  }

  /** Whether the text is the beginning of a program: right as far as it goes. */
  isBeginning(text: string): boolean {
    const { errorAt } = this.parse(text);
    return errorAt === undefined || (errorAt > 0 && errorAt >= text.trimEnd().length);
  }

  /** Length of the part before the line at which the text stops being a program; all of it where it never does. */
  programLength(text: string): number {
    let end = text.length;
    // What is cut off may leave the statement before it without its end.
    for (let tries = 0; tries < 4; tries++) {
      const { errorAt } = this.parse(text.slice(0, end));
      if (errorAt === undefined) return end;
      const line = text.lastIndexOf("\n", Math.min(errorAt, end - 1) - (errorAt >= end ? 1 : 0)) + 1;
      end = line < end ? line : text.lastIndexOf("\n", end - 2) + 1;
      if (end <= 0) return 0;
    }
    return this.parses(text.slice(0, end)) ? end : 0;
  }

  /** The statements at the top level of a text that parses; none of another. */
  statements(text: string): Statement[] {
    const statements: Statement[] = [];
    const { tree } = this.parse(text);
    for (let node = tree?.topNode.firstChild ?? null; node !== null; node = node.nextSibling) {
      if (/^(?:(?:Line|Block)?Comment|;)$/.test(node.name)) continue;
      const { from, kind, names } = this.#grammar.statement(node, text);
      statements.push({ from, to: from + text.slice(from, node.to).trimEnd().length, kind, names });
    }
    return statements;
  }

  /** Names that a text which parses uses and does not bind itself. */
  freeNames(text: string): Set<string> {
    const { tree } = this.parse(text);
    if (tree === undefined) return new Set();
    const { used, bound } = this.#grammar.names(tree, text);
    return new Set([...used].filter((name) => !bound.has(name) && !this.#grammar.builtins.has(name)));
  }

  definition(text: string, name: string): Definition | undefined {
    return this.#grammar.definition(text, name);
  }

  definitionStart(text: string, name: string): number | undefined {
    return this.#grammar.definitionStart(text, name);
  }
}

function bracketDepth(code: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of code) {
    if ("([{".includes(character)) deepest = Math.max(deepest, ++depth);
    if (")]}".includes(character)) depth--;
  }
  return deepest;
}
