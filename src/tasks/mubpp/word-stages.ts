/** Stages about a list of words. Every row: weight, Python, the same in TypeScript, closed wordings. */
import {
  capitalize,
  compareStrings,
  countOf,
  firstCopies,
  maxBy,
  reversedText,
  sortedBy,
} from "./python-operations.ts";
import {
  finalStage,
  flowStage,
  type FinalRow,
  type FlowRow,
  type FlowType,
  type ResultKind,
  type Stage,
  type StageOptions,
} from "./stage.ts";
import { LETTERS } from "./string-stages.ts";

type Words = readonly string[];

function words(id: string, options: StageOptions, rows: readonly FlowRow<"words", "words">[]): Stage {
  return flowStage("words", "words", id, options, rows);
}

function into<U extends FlowType>(
  output: U,
  id: string,
  options: StageOptions,
  rows: readonly FlowRow<"words", U>[],
): Stage {
  return flowStage("words", output, id, options, rows);
}

function end(id: string, result: ResultKind, options: StageOptions, rows: readonly FinalRow<"words">[]): Stage {
  return finalStage("words", id, result, options, rows);
}

function length(word: string): number {
  return word.length;
}

function sorted(ws: Words): string[] {
  return ws.toSorted(compareStrings);
}

export const WORD_STAGES: readonly Stage[] = [
  words("wlong", { open: ["keep the long words", "drop the short words"] }, [
    [0.4, "[w for w in ws if len(w) > 3]", (ws) => ws.filter((w) => w.length > 3), ["keep the words longer than 3"]],
    [0.3, "[w for w in ws if len(w) > 4]", (ws) => ws.filter((w) => w.length > 4), ["keep the words longer than 4"]],
    [
      0.3,
      "[w for w in ws if len(w) >= 3]",
      (ws) => ws.filter((w) => w.length >= 3),
      ["keep the words of at least 3 letters"],
    ],
  ]),
  words("wlen", { open: ["keep the words above {n} letters"], house: 1, n: [2, 3, 4, 5] }, [
    [
      0.5,
      "[w for w in ws if len(w) > {n}]",
      (ws, { n }) => ws.filter((w) => w.length > n),
      ["keep the words longer than {n}"],
    ],
    [
      0.5,
      "[w for w in ws if len(w) >= {n}]",
      (ws, { n }) => ws.filter((w) => w.length >= n),
      ["keep the words of at least {n} letters"],
    ],
  ]),
  words("whas", { open: ["keep the words with '{c}'"], c: LETTERS }, [
    [
      0.4,
      "[w for w in ws if '{c}' in w]",
      (ws, { c }) => ws.filter((w) => w.includes(c)),
      ["keep the words that contain '{c}'"],
    ],
    [
      0.3,
      "[w for w in ws if w[0] == '{c}']",
      (ws, { c }) => ws.filter((w) => w[0] === c),
      ["keep the words that start with '{c}'"],
    ],
    [
      0.3,
      "[w for w in ws if w[-1] == '{c}']",
      (ws, { c }) => ws.filter((w) => w.at(-1) === c),
      ["keep the words that end with '{c}'"],
    ],
  ]),
  words("wsort", { open: ["sort the words", "put the words in order"], house: 2 }, [
    [0.4, "sorted(ws)", sorted, ["sort the words from a to z"]],
    [0.3, "sorted(ws, key=len)", (ws) => sortedBy(ws, length), ["sort the words by length"]],
    [0.3, "sorted(ws, reverse=True)", (ws) => sorted(ws).toReversed(), ["sort the words from z to a"]],
  ]),
  words("wrev", { open: ["reverse the words"], house: 1 }, [
    [0.5, "ws[::-1]", (ws) => ws.toReversed(), ["reverse the order of the words"]],
    [0.5, "[w[::-1] for w in ws]", (ws) => ws.map(reversedText), ["reverse each word"]],
  ]),
  words("wcase", { open: ["change the case of the words"], house: 1 }, [
    [0.5, "[w.upper() for w in ws]", (ws) => ws.map((w) => w.toUpperCase()), ["make each word upper case"]],
    [0.5, "[w.capitalize() for w in ws]", (ws) => ws.map(capitalize), ["capitalize each word"]],
  ]),
  words("wpart", { open: ["take {n} words"], n: [1, 2, 3] }, [
    [0.55, "ws[:{n}]", (ws, { n }) => ws.slice(0, n), ["take the first {n} words"]],
    [0.45, "ws[-{n}:]", (ws, { n }) => ws.slice(-n), ["take the last {n} words"]],
  ]),
  words("wdd", { open: ["remove repeated words"] }, [
    [0.5, "list(dict.fromkeys(ws))", (ws) => firstCopies(ws), ["keep the first copy of each word"]],
    [
      0.5,
      "[w for w in ws if ws.count(w) == 1]",
      (ws) => ws.filter((w) => countOf(ws, w) === 1),
      ["keep the words that occur once"],
    ],
  ]),
  into("list", "wlens", {}, [
    [1, "[len(w) for w in ws]", (ws) => ws.map(length), ["take the word lengths", "replace each word by its length"]],
  ]),
  into("text", "wjoin", { open: ["join the words", "put the words together"], house: 1 }, [
    [0.4, "''.join(ws)", (ws) => ws.join(""), ["join the words with nothing between"]],
    [0.3, "' '.join(ws)", (ws) => ws.join(" "), ["join the words with spaces"]],
    [0.3, "'-'.join(ws)", (ws) => ws.join("-"), ["join the words with dashes"]],
  ]),
  into("text", "winit", { open: ["take a letter of each word"], house: 1 }, [
    [0.5, "''.join(w[0] for w in ws)", (ws) => ws.map((w) => w[0]).join(""), ["take the first letter of each word"]],
    [
      0.5,
      "''.join(w[-1] for w in ws)",
      (ws) => ws.map((w) => w.at(-1)).join(""),
      ["take the last letter of each word"],
    ],
  ]),
  end("wlist", "words", {}, [[1, "ws", (ws) => ws, ["return the words", "return them"]]]),
  end("wcount", "number", {}, [[1, "len(ws)", (ws) => ws.length, ["count the words", "return the number of words"]]]),
  end("wlongest", "text", { open: ["return the longest word"], house: 1 }, [
    [
      0.6,
      "max(ws, key=len, default='')",
      (ws) => maxBy(ws, length, ""),
      ["return the longest word and the first if tied"],
    ],
    [
      0.4,
      "max(ws[::-1], key=len, default='')",
      (ws) => maxBy(ws.toReversed(), length, ""),
      ["return the longest word and the last if tied"],
    ],
  ]),
  end("wshortest", "text", { open: ["return the shortest word"] }, [
    [
      0.6,
      "min(ws, key=len, default='')",
      (ws) => maxBy(ws, (w) => -w.length, ""),
      ["return the shortest word and the first if tied"],
    ],
    [
      0.4,
      "min(sorted(ws), key=len, default='')",
      (ws) => maxBy(sorted(ws), (w) => -w.length, ""),
      ["return the shortest word and the least if tied"],
    ],
  ]),
];
