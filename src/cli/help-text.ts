/** One entry of a command's help: commander does not wrap descriptions that have little room beside a long flag. */
import type { Help } from "commander";
import { wrapWords } from "../evaluation/wrap.ts";

const MARGIN = 2;
const GAP = 2;
const LEAST_ROOM = 36;
/** Where a description begins that stands below its flag. */
const BELOW = 8;

/** `term` in a column of `termWidth` with its description beside, or below where there is little room for it. */
export function formatHelpItem(term: string, termWidth: number, description: string, help: Help): string {
  const width = help.helpWidth ?? 80;
  const start = MARGIN + termWidth + GAP;
  const margin = " ".repeat(MARGIN);
  if (description === "") return margin + term;
  if (start + LEAST_ROOM <= width) {
    const [first = "", ...more] = wrapWords(description, width - start);
    return [margin + term.padEnd(termWidth + GAP) + first, ...more.map((line) => " ".repeat(start) + line)].join("\n");
  }
  const terms = wrapWords(term, width - 2 * MARGIN).map((line, index) => margin.repeat(index > 0 ? 2 : 1) + line);
  const lines = wrapWords(description, width - BELOW).map((line) => " ".repeat(BELOW) + line);
  return [...terms, ...lines].join("\n");
}
