/**
 * Patterns of a `Split` pre-tokenizer, as regular expressions of JavaScript. Hugging Face's `tokenizers` reads them by
 * the rules of Oniguruma, of which the part that tokenizers use is translated here: other white space, other digits, and
 * the `(?i:…)` that Node.js 20 does not have. What the two read differently beyond that is refused, not guessed.
 */

/** Classes whose short names mean something else in JavaScript. */
const CLASSES: Readonly<Record<string, string>> = {
  s: String.raw`\p{White_Space}`,
  S: String.raw`\P{White_Space}`,
  d: String.raw`\p{Nd}`,
  D: String.raw`\P{Nd}`,
};
/** Escapes that mean the same in both. */
const COMMON_ESCAPES = "pPnrtfvx";
/** Group openings that mean the same in both. */
const COMMON_GROUPS = ["(?:", "(?!", "(?=", "(?<!", "(?<="];
/** Beyond ASCII, what a letter without regard to case stands for. */
const CASE_PARTNERS: Readonly<Record<string, string>> = { s: "\u017F", k: "\u212A" };

/** @throws {SyntaxError} naming what is not supported. */
export function translateSplitPattern(pattern: string): string {
  const refuse = (what: string): never => {
    throw new SyntaxError(`${what} is not supported in the pattern of a pre-tokenizer`);
  };
  let result = "";
  /** Whether each open group disregards case. */
  const groups: boolean[] = [];
  let inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]!;
    const caseless = groups.at(-1) ?? false;
    if (character === "\\") {
      i++;
      result += translateEscape(pattern[i] ?? "", refuse);
    } else if (inClass) {
      if (character === "[" || pattern.startsWith("&&", i)) refuse("a class within a class");
      if (caseless && isLetter(character)) refuse("a class without regard to case");
      result += character;
      inClass = character !== "]";
    } else if (character === "[") {
      const opening = pattern[i + 1] === "^" ? "[^" : "[";
      i += opening.length - 1;
      if (pattern[i + 1] === "]") refuse(`${opening}]`);
      result += opening;
      inClass = true;
    } else if (character === "(") {
      const common = COMMON_GROUPS.find((opening) => pattern.startsWith(opening, i));
      const isCaseless = pattern.startsWith("(?i:", i);
      if (pattern[i + 1] === "?" && common === undefined && !isCaseless) refuse(pattern.slice(i, i + 4));
      groups.push(caseless || isCaseless);
      result += isCaseless ? "(?:" : (common ?? "(");
      i += (isCaseless ? "(?i:" : (common ?? "(")).length - 1;
    } else if (character === ")") {
      groups.pop();
      result += character;
    } else if (character === ".") {
      result += String.raw`[^\n]`;
    } else if (character === "^" || character === "$") {
      refuse(character);
    } else {
      result += caseless && isLetter(character) ? anyCase(character, refuse) : character;
    }
  }
  return result;
}

function translateEscape(escaped: string, refuse: (what: string) => never): string {
  if (Object.hasOwn(CLASSES, escaped)) return CLASSES[escaped]!;
  if (escaped !== "" && COMMON_ESCAPES.includes(escaped)) return `\\${escaped}`;
  if (escaped === "" || /[0-9A-Za-z]/.test(escaped)) return refuse(`\\${escaped}`);
  // JavaScript allows no needless escapes.
  return /[\^$\\.*+?()[\]{}|/-]/.test(escaped) ? `\\${escaped}` : escaped;
}

const isLetter = (character: string): boolean => character.toLowerCase() !== character.toUpperCase();

function anyCase(letter: string, refuse: (what: string) => never): string {
  const lower = letter.toLowerCase();
  if (!/[a-z]/.test(lower)) return refuse(`(?i:${letter})`);
  return `[${lower}${lower.toUpperCase()}${CASE_PARTNERS[lower] ?? ""}]`;
}
