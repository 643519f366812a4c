/** The rules by which what a program printed is compared with what it should have printed. */
import type { StdinTest } from "../tasks/task.ts";

type Expectation = Pick<StdinTest, "stdout" | "comparison" | "tolerance">;

/** Whether what was printed is right in the sense of the test's comparison rule. */
export function outputMatches(printed: string, { stdout, comparison = "words", tolerance }: Expectation): boolean {
  switch (comparison) {
    case "exact":
      return printed.replace(/\n+$/, "") === stdout.replace(/\n+$/, "");
    case "unordered-lines":
      return allEqual(linesOf(printed).toSorted(), linesOf(stdout).toSorted(), (a, b) => a === b);
    case "lines":
      return allEqual(linesOf(printed), linesOf(stdout), (a, b) => lineMatches(a, b, tolerance));
    case "words":
      return lineMatches(printed, stdout, tolerance);
  }
}

function linesOf(text: string): string[] {
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim());
}

/** Without a tolerance the words of a line of words, and everything in a line of its own, have to be the same. */
function lineMatches(obtained: string, expected: string, tolerance: number | undefined): boolean {
  if (obtained === expected) return true;
  const equal = tolerance === undefined ? (a: string, b: string) => a === b : wordMatches(tolerance);
  return allEqual(wordsOf(obtained), wordsOf(expected), equal);
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function wordMatches(tolerance: number): (obtained: string, expected: string) => boolean {
  return (obtained, expected) => {
    if (obtained === expected) return true;
    const [a, b] = [normalNumber(obtained), normalNumber(expected)];
    if (a === null || b === null) return false;
    if (a === b) return true;
    const difference = Math.abs(Number(obtained) - Number(expected));
    return tolerance > 0 && difference <= tolerance * Math.max(1, Math.abs(Number(expected)));
  };
}

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/;

/** Equal for two decimal numbers exactly if they are the same number, of any size; `null` for what is no number. */
function normalNumber(word: string): string | null {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = NUMBER.exec(word) ?? [];
  const written = whole + fraction;
  if (written === "") return null;
  const digits = written.replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${sign === "-" ? "-" : ""}${significant}e${power}`;
}

function allEqual(a: readonly string[], b: readonly string[], equal: (a: string, b: string) => boolean): boolean {
  return a.length === b.length && a.every((item, index) => equal(item, b[index] as string));
}
