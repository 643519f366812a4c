/** Just enough reading of Python source to find calls, literals and definitions in it. Nothing is ever run. */

/** Index after the string literal that starts at `start` (a quote), or -1 where it does not end. */
export function endOfString(source: string, start: number): number {
  const quote = source[start] as string;
  const triple = quote.repeat(3);
  const delimiter = source.startsWith(triple, start) ? triple : quote;
  for (let i = start + delimiter.length; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source.startsWith(delimiter, i)) return i + delimiter.length;
    else if (source[i] === "\n" && delimiter === quote) return -1;
  }
  return -1;
}

/** Index after the bracket that closes the one at `start`, or -1 where none does. */
export function endOfBracket(source: string, start: number): number {
  let depth = 0;
  for (let i = start; i < source.length;) {
    const character = source[i] as string;
    if (character === '"' || character === "'") {
      i = endOfString(source, i);
      if (i < 0) return -1;
      continue;
    }
    if ("([{".includes(character)) depth++;
    if (")]}".includes(character) && --depth === 0) return i + 1;
    i++;
  }
  return -1;
}

/** The source with every string literal made `""` and comments left out. */
export function withoutStrings(source: string): string {
  let out = "";
  for (let i = 0; i < source.length;) {
    const character = source[i] as string;
    if (character === '"' || character === "'") {
      const end = endOfString(source, i);
      out += '""';
      i = end < 0 ? source.length : end;
    } else if (character === "#") {
      const end = source.indexOf("\n", i);
      i = end < 0 ? source.length : end;
    } else {
      out += character;
      i++;
    }
  }
  return out;
}

/** Names followed by an opening parenthesis, in order of appearance. */
export function calledNames(source: string): string[] {
  return [...withoutStrings(source).matchAll(/(?<![\w.])([A-Za-z_]\w*)[ \t]*\(/g)].map((match) => match[1] as string);
}

/** Every name outside of strings that is not an attribute or a keyword argument. */
export function usedNames(source: string): string[] {
  const plain = withoutStrings(source);
  return [...plain.matchAll(/(?<![\w.])([A-Za-z_]\w*)(?!\w)(?!\s*=(?!=))/g)].map((match) => match[1] as string);
}

/** Whether the program's top level defines the name: a function, a class or an assignment. */
export function defines(program: string, name: string): boolean {
  const definition = `(?:async[ \\t]+)?def[ \\t]+${name}[ \\t]*\\(|class[ \\t]+${name}\\b|${name}[ \\t]*(?::[^=\\n]*)?=(?!=)`;
  return new RegExp(`^(?:${definition})`, "m").test(withoutStrings(program));
}

const NUMBER = /[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y;
const CONSTANT = /(?:True|False|None)(?!\w)/y;

/** Index after the literal at `start` (number, string, constant, or brackets around such), or -1 where there is none. */
export function endOfLiteral(source: string, start: number): number {
  const character = source[start];
  if (character === '"' || character === "'") return endOfString(source, start);
  if (character !== undefined && "([{".includes(character)) {
    const end = endOfBracket(source, start);
    return end >= 0 && isLiteralList(source.slice(start, end)) ? end : -1;
  }
  for (const pattern of [NUMBER, CONSTANT]) {
    pattern.lastIndex = start;
    const match = pattern.exec(source);
    if (match !== null) return start + match[0].length;
  }
  return -1;
}

function isLiteralList(bracketed: string): boolean {
  const plain = withoutStrings(bracketed);
  const names = plain.match(/[A-Za-z_]\w*/g) ?? [];
  return names.every((name) => ["True", "False", "None"].includes(name)) && /^[\w\s"()[\]{},.:+-]*$/.test(plain);
}

/** Names that look like calls in a test and are not what is asked for. */
export const TEST_WORDS: ReadonlySet<string> = new Set(
  (
    "abs all any assert bin bool bytes callable chr dict divmod enumerate filter float format frozenset getattr hasattr " +
    "hash hex in int isinstance issubclass iter len list map max min next not or and if else lambda oct ord pow print " +
    "range repr reversed round set sorted str sum tuple type zip"
  ).split(" "),
);
