/** Follows a program line by line: where its strings and comments begin and end, without a parser. */
import type { Language } from "../task.ts";

/** What is open at the end of a line and goes on in the next one. */
type Open =
  | { readonly kind: "text"; readonly end: string; readonly raw?: boolean }
  /** The code between `${` and `}` of a JavaScript template. */
  | { readonly kind: "hole"; depth: number };

/** Characters and words after which a slash begins a regular expression of JavaScript. */
const BEFORE_REGEX =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^])$|(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|do|else|throw)$/;

/** Of the words in {@link BEFORE_REGEX}, with the character before it and spaces behind it. */
const LONGEST_WORD = 16;

/** Longest regular expression of JavaScript that is looked for, in characters. */
const MAX_REGEX = 200;

export class LineState {
  readonly #language: Language;
  #open: Open[] = [];

  constructor(language: Language) {
    this.#language = language;
  }

  /** Whether the next line begins inside a string or a comment. */
  get insideText(): boolean {
    return this.#open.at(-1)?.kind === "text";
  }

  copy(): LineState {
    const copy = new LineState(this.#language);
    copy.#open = this.#open.map((open) => ({ ...open }));
    return copy;
  }

  /** Reads one line (without its line break); gives it with strings and comments made spaces, of the same length. */
  read(line: string): string {
    const code: string[] = [];
    /** The last characters of code, which decide what a slash means. */
    let before = "";
    let at = 0;
    const blank = (count: number): void => {
      code.push(" ".repeat(Math.min(count, line.length - at)));
      at += count;
    };
    while (at < line.length) {
      const open = this.#open.at(-1);
      if (open?.kind === "text") {
        blank(this.#inText(line, at, open));
        // A string is an operand; before a comment nothing changes.
        if (open.end.length === 1) before = "x";
        continue;
      }
      const text = this.#textAt(line, at, before);
      if (text === "rest") {
        blank(line.length - at);
      } else if (text !== undefined) {
        blank(text.length);
        this.#open.push({ kind: "text", end: text.end, ...(text.raw && { raw: true }) });
      } else {
        this.#countBraces(line[at] as string);
        code.push(line[at] as string);
        before = `${before}${line[at]}`.slice(-LONGEST_WORD);
        at++;
      }
    }
    this.#endLine(line);
    return code.join("");
  }

  /** How many characters of the line belong to the open text. */
  #inText(line: string, start: number, { end, raw }: Open & { kind: "text" }): number {
    for (let at = start; at < line.length; at++) {
      if (line[at] === "\\" && raw !== true) at++;
      else if (line.startsWith(end, at)) {
        this.#open.pop();
        return at + end.length - start;
      } else if (end === "`" && line.startsWith("${", at)) {
        this.#open.push({ kind: "hole", depth: 0 });
        return at + 2 - start;
      }
    }
    return line.length - start;
  }

  /** The string or comment that begins here; `rest`: one that takes the rest of the line. */
  #textAt(
    line: string,
    at: number,
    before: string,
  ): { readonly length: number; readonly end: string; readonly raw?: boolean } | "rest" | undefined {
    const character = line[at] as string;
    if (this.#language === "python") {
      if (character === "#") return "rest";
      if (character !== '"' && character !== "'") return undefined;
      const triple = character.repeat(3);
      return line.startsWith(triple, at) ? { length: 3, end: triple } : { length: 1, end: character };
    }
    if (line.startsWith("//", at)) return "rest";
    if (line.startsWith("/*", at)) return { length: 2, end: "*/", raw: true };
    if (character === '"' || character === "'" || character === "`") return { length: 1, end: character };
    if (character === "/" && BEFORE_REGEX.test(before.trimEnd())) {
      const rest = line.slice(at, at + MAX_REGEX);
      const length = /^\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[])+\//.exec(rest)?.[0].length;
      // A regular expression is an operand; what follows its last slash is read as code again.
      return length === undefined ? undefined : { length: length - 1, end: "/" };
    }
    return undefined;
  }

  #countBraces(character: string): void {
    const open = this.#open.at(-1);
    if (open?.kind !== "hole") return;
    if (character === "{") open.depth++;
    if (character === "}" && open.depth-- === 0) this.#open.pop();
  }

  /** A quoted string ends with its line, unless a backslash carries it on. */
  #endLine(line: string): void {
    const open = this.#open.at(-1);
    if (open?.kind !== "text" || open.end.length > 1 || open.end === "`") return;
    if (!/(?:^|[^\\])(?:\\\\)*\\$/.test(line)) this.#open.pop();
  }
}

/** The source with strings and comments made spaces; same length, same lines. */
export function blankText(source: string, language: Language): string {
  const state = new LineState(language);
  return source
    .split("\n")
    .map((line) => state.read(line))
    .join("\n");
}
