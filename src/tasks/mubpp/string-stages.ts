/** Stages about a string. Every row: weight, Python, the same in TypeScript, closed wordings. */
import { compareStrings, countOf, everyNth, firstCopies, maxBy, reversedText, swapCase } from "./python-operations.ts";
import {
  finalStage,
  flowStage,
  type FinalRow,
  type FlowRow,
  type ResultKind,
  type Stage,
  type StageOptions,
} from "./stage.ts";

/** The letters that the words of the inputs are rich in. */
export const LETTERS = ["a", "e", "o", "t", "s", "r"];

const VOWELS = "aeiou";

function text(id: string, options: StageOptions, rows: readonly FlowRow<"text", "text">[]): Stage {
  return flowStage("text", "text", id, options, rows);
}

function end(id: string, result: ResultKind, options: StageOptions, rows: readonly FinalRow<"text">[]): Stage {
  return finalStage("text", id, result, options, rows);
}

function sortedLetters(s: string): string[] {
  return [...s].toSorted(compareStrings);
}

function keep(s: string, keeps: (c: string) => boolean): string {
  return [...s].filter(keeps).join("");
}

export const STRING_STAGES: readonly Stage[] = [
  text("vowels", {}, [
    [0.5, "''.join(c for c in s if c in 'aeiou')", (s) => keep(s, (c) => VOWELS.includes(c)), ["keep the vowels"]],
    [
      0.5,
      "''.join(c for c in s if c not in 'aeiou')",
      (s) => keep(s, (c) => !VOWELS.includes(c)),
      ["remove the vowels"],
    ],
  ]),
  text("rmch", { open: ["remove '{c}'", "delete '{c}'"], c: LETTERS }, [
    [0.5, "s.replace('{c}', '')", (s, { c }) => s.replaceAll(c, ""), ["remove every '{c}'"]],
    [0.5, "s.replace('{c}', '', 1)", (s, { c }) => s.replace(c, ""), ["remove the first '{c}'"]],
  ]),
  text("srev", {}, [[1, "s[::-1]", reversedText, ["reverse the string", "read it backwards"]]]),
  text("case", { open: ["change the case"] }, [
    [0.5, "s.upper()", (s) => s.toUpperCase(), ["make it upper case"]],
    [0.5, "s.swapcase()", swapCase, ["swap the case"]],
  ]),
  text("ssort", { open: ["sort the letters", "put the letters in order"], house: 1 }, [
    [0.55, "''.join(sorted(s))", (s) => sortedLetters(s).join(""), ["sort the letters from a to z"]],
    [
      0.45,
      "''.join(sorted(s, reverse=True))",
      (s) => sortedLetters(s).toReversed().join(""),
      ["sort the letters from z to a"],
    ],
  ]),
  text("suniq", { open: ["drop repeated letters"], house: 1 }, [
    [0.5, "''.join(dict.fromkeys(s))", (s) => firstCopies([...s]).join(""), ["keep the first copy of each letter"]],
    [
      0.5,
      "''.join(c for c in s if s.count(c) == 1)",
      (s) => keep(s, (c) => countOf(s, c) === 1),
      ["keep the letters that occur once"],
    ],
  ]),
  text("spart", { open: ["take {n} letters", "keep {n} letters"], house: 1, n: [2, 3, 4, 5] }, [
    [0.5, "s[:{n}]", (s, { n }) => s.slice(0, n), ["take the first {n} letters"]],
    [0.5, "s[-{n}:]", (s, { n }) => s.slice(-n), ["take the last {n} letters"]],
  ]),
  text("skth", { open: ["take every {k}th letter"], house: 1, k: [2, 3] }, [
    [0.5, "s[::{k}]", (s, { k }) => everyNth([...s], k).join(""), ["take every {k}th letter from the first"]],
    [
      0.5,
      "s[{k} - 1::{k}]",
      (s, { k }) => everyNth([...s], k, k - 1).join(""),
      ["take each letter whose place is a multiple of {k}"],
    ],
  ]),
  text("lower", {}, [[1, "s.lower()", (s) => s.toLowerCase(), ["make it lower case"]]]),
  end("slen", "number", {}, [[1, "len(s)", (s) => s.length, ["return the length", "count the letters"]]]),
  end("sret", "text", {}, [[1, "s", (s) => s, ["return the string", "return the result"]]]),
  end("scount", "number", { open: ["count '{c}'", "return how often '{c}' occurs"], c: LETTERS }, [
    [0.5, "s.count('{c}')", (s, { c }) => countOf(s, c), ["count '{c}' in lower case only"]],
    [0.5, "s.lower().count('{c}')", (s, { c }) => countOf(s.toLowerCase(), c), ["count '{c}' in either case"]],
  ]),
  end("sfind", "number", { open: ["return the position of '{c}'", "find '{c}'"], house: 1, c: LETTERS }, [
    [0.4, "s.find('{c}')", (s, { c }) => s.indexOf(c), ["return the index of '{c}' from 0 or -1"]],
    [0.3, "s.find('{c}') + 1", (s, { c }) => s.indexOf(c) + 1, ["return the index of '{c}' from 1 or 0"]],
    [0.3, "s.rfind('{c}')", (s, { c }) => s.lastIndexOf(c), ["return the last index of '{c}' or -1"]],
  ]),
  end("sdist", "number", {}, [[1, "len(set(s))", (s) => new Set(s).size, ["count the distinct letters"]]]),
  end("pal", "truth", { open: ["tell if it is a palindrome", "check that it reads the same both ways"], house: 1 }, [
    [0.5, "s == s[::-1]", (s) => s === reversedText(s), ["tell if it is exactly a palindrome"]],
    [
      0.5,
      "s.lower() == s.lower()[::-1]",
      (s) => s.toLowerCase() === reversedText(s.toLowerCase()),
      ["tell if it is a palindrome in any case"],
    ],
  ]),
  end("scom", "text", { open: ["return the most common letter"] }, [
    [
      0.5,
      "max(s, key=s.count, default='')",
      (s) => maxBy(s, (c) => countOf(s, c), ""),
      ["return the most common letter and the first if tied"],
    ],
    [
      0.5,
      "max(sorted(s), key=s.count, default='')",
      (s) => maxBy(sortedLetters(s), (c) => countOf(s, c), ""),
      ["return the most common letter and the least if tied"],
    ],
  ]),
];
