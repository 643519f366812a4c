/** Text that fits a terminal: lines are broken at spaces, and only where they are too long. */
import { displayWidth } from "./display-width.ts";

/**
 * `text` without a line wider than `width` places, but for words that are wider by themselves (a path, a hash): those stay
 * whole, so that they can be copied. What goes on stands under the line's own text: behind its indentation, and behind
 * its first words where two spaces set these apart (`verifier  none`).
 */
export function wrapText(text: string, width: number): string {
  return text
    .split("\n")
    .map((line) => (displayWidth(line) <= width ? line : wrapLine(line, width)))
    .join("\n");
}

function wrapLine(line: string, width: number): string {
  const indent = /^ */.exec(line)![0];
  const labelled = /^ *\S+(?: \S+)* {2,}(?=\S)/.exec(line)?.[0];
  const head = labelled !== undefined && displayWidth(labelled) <= width / 2 ? labelled : indent;
  const rest = line.slice(head.length);
  const [first = "", ...more] = wrapWords(rest, Math.max(1, width - displayWidth(head)));
  return [head + first, ...more.map((piece) => " ".repeat(displayWidth(head)) + piece)].join("\n");
}

/**
 * Lines of at most `width` places where words allow it; with `breakWords` also where they do not: behind their hyphens, or
 * anywhere.
 */
export function wrapWords(text: string, width: number, { breakWords = false } = {}): string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const { part, glued } of partsOf(text, breakWords ? width : Infinity)) {
    const longer: string = line === undefined ? part : `${line}${glued ? "" : " "}${part}`;
    if (line === undefined || displayWidth(longer) <= width) {
      line = longer;
    } else {
      lines.push(line.trimEnd());
      line = part;
    }
  }
  return [...lines, (line ?? "").trimEnd()];
}

/** What must stay on one line, and whether it follows what is before without a space. */
function partsOf(text: string, width: number): { readonly part: string; readonly glued: boolean }[] {
  return text
    .split(" ")
    .flatMap((word) =>
      (width < Infinity ? hyphenated(word) : [word])
        .flatMap((part) => (displayWidth(part) > width ? pieces(part, width) : [part]))
        .map((part, index) => ({ part, glued: index > 0 })),
    );
}

/** `public-tests` as `public-` and `tests`. */
export function hyphenated(word: string): string[] {
  return word.split(/(?<=\p{L}-)(?=\p{L})/u);
}

/** The word in pieces that fit. */
function pieces(word: string, width: number): string[] {
  const found: string[] = [];
  let piece = "";
  for (const character of word) {
    if (piece !== "" && displayWidth(piece + character) > width) {
      found.push(piece);
      piece = "";
    }
    piece += character;
  }
  return [...found, piece];
}
