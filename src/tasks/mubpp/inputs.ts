/** Random arguments for the programs: near the parameters of the task, with copies and opposite signs. */
import { randomChoice, randomInteger, type Random } from "../../random.ts";
import type { FlowType } from "./stage.ts";
import { isList, type Value } from "./value.ts";

const WORDS =
  "tea ant sea oat rat east taste store area a to or see star rest toast Sea Rat noon level Otto era roast eat".split(
    " ",
  );

const USUAL_LENGTHS = { list: [4, 5, 5, 6, 6, 7], words: [3, 4, 4, 5] };
const EDGE_LENGTHS = { list: [0, 1, 2, 3, 8], words: [0, 1, 2, 6] };
const EDGE_TEXTS = ["", "a", "oo", "Ee"];

export interface InputOptions {
  /** Numbers that the task mentions. */
  readonly near: readonly number[];
  /** Whether to draw an unusual length. */
  readonly edge: boolean;
}

export function drawInput(random: Random, type: FlowType, { near, edge }: InputOptions): Value {
  const lengths = edge ? EDGE_LENGTHS : USUAL_LENGTHS;
  if (type === "list") return drawNumbers(random, randomChoice(random, lengths.list), near);
  if (type === "words") return drawWords(random, randomChoice(random, lengths.words));
  if (edge && random() < 0.5) return randomChoice(random, EDGE_TEXTS);
  const first = randomChoice(random, WORDS);
  const second = randomChoice(random, WORDS);
  return first + randomChoice(random, ["", second, [...second].toReversed().join("")]);
}

function drawNumbers(random: Random, length: number, near: readonly number[]): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < length; i++) {
    const kind = random();
    if (kind < 0.25 && near.length > 0) numbers.push(randomChoice(random, near) + randomChoice(random, [0, 0, 1, -1]));
    else if (kind < 0.4 && i > 0) numbers.push(randomChoice(random, numbers) * randomChoice(random, [1, 1, -1]) + 0);
    else numbers.push(randomInteger(random, 20) - 4);
  }
  return numbers;
}

function drawWords(random: Random, length: number): string[] {
  const words: string[] = [];
  for (let i = 0; i < length; i++) {
    words.push(randomChoice(random, i > 0 && random() < 0.2 ? words : WORDS));
  }
  return words;
}

/** The argument without items. */
export function emptyInput(type: FlowType): Value {
  return type === "text" ? "" : [];
}

/** Whether an argument is a corner case: at most two items. */
export function isEdgeInput(input: Value): boolean {
  return (typeof input === "string" || isList(input)) && input.length <= 2;
}
