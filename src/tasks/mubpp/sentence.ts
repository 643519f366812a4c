/** The sentence of a task: which of its words are open, and which reading they follow. */
import { randomChoice, randomWeighted, type Random } from "../../random.ts";
import { outputForms, type Composition, type Interpretation } from "./meaning.ts";
import { fill, type FlowType, type Stage } from "./stage.ts";

/** Probability that a stage with open wordings is worded openly. */
const OPEN_PROBABILITY = 0.5;
/** Probability that the sentence does not say the output form. */
const OPEN_FORM_PROBABILITY = 0.8;

const OPENINGS: Record<FlowType, string> = {
  list: "Given a list, ",
  text: "Given a string, ",
  words: "Given some words, ",
};

const VERBS = ["get", "find", "compute", "make", "solve"];
const NOUNS: Record<FlowType, readonly string[]> = {
  list: ["numbers", "values", "list", "items"],
  text: ["text", "string", "letters"],
  words: ["words", "names"],
};

/** A composition put into words, with the interpretation that its tests follow. */
export interface Wording {
  readonly sentence: string;
  readonly functionName: string;
  readonly interpretation: Interpretation;
  /** `openSteps[i]`: whether the words for step i leave its reading open. */
  readonly openSteps: readonly boolean[];
  readonly openForm: boolean;
}

export interface WordingOptions {
  /** Probability that an open slot follows the suite's house convention and not its own draw. */
  readonly houseProbability: number;
}

export function drawWording(random: Random, composition: Composition, { houseProbability }: WordingOptions): Wording {
  const followsHouse = () => houseProbability > 0 && random() < houseProbability;
  const readings: number[] = [];
  const openSteps: boolean[] = [];
  const phrases: string[] = [];
  for (const { stage, parameters } of composition.steps) {
    let reading = drawReading(random, stage);
    if (stage.open.length > 0 && followsHouse()) reading = stage.house;
    const { closed } = stage.readings[reading] as Stage["readings"][number];
    const open = stage.open.length > 0 && (closed.length === 0 || random() < OPEN_PROBABILITY);
    readings.push(reading);
    openSteps.push(open && stage.readings.length > 1);
    phrases.push(fill(randomChoice(random, open ? stage.open : closed), parameters));
  }
  const { forms, house } = outputForms(composition);
  let form = randomWeighted(
    random,
    forms.map(({ weight }) => weight),
  );
  const openForm = random() < OPEN_FORM_PROBABILITY;
  if (followsHouse()) form = house;
  const ending = openForm ? "" : (forms[form] as (typeof forms)[number]).closed;
  return {
    sentence: drawSentence(random, composition.input, phrases) + `${ending}.`,
    functionName: `${randomChoice(random, VERBS)}_${randomChoice(random, NOUNS[composition.input])}`,
    interpretation: { readings, form },
    openSteps,
    openForm,
  };
}

function drawReading(random: Random, stage: Stage): number {
  return randomWeighted(
    random,
    stage.readings.map(({ weight }) => weight),
  );
}

function drawSentence(random: Random, input: FlowType, phrases: readonly string[]): string {
  const opening = randomChoice(random, ["Write a function to ", "Write a function to ", OPENINGS[input], ""]);
  const joint = randomChoice(random, [" and ", ", then "]);
  const sentence = opening + phrases.slice(0, -1).join(", ") + joint + (phrases.at(-1) as string);
  const inflected = sentence
    .replace(/\b1 (number|word|letter)s\b/g, "1 $1")
    .replace(/\b2th\b/g, "2nd")
    .replace(/\b3th\b/g, "3rd");
  return inflected.slice(0, 1).toUpperCase() + inflected.slice(1);
}

/** Every other interpretation that the same words allow. */
export function alternatives(composition: Composition, wording: Wording): Interpretation[] {
  const { readings, form } = wording.interpretation;
  let combinations: number[][] = [[]];
  for (const [i, { stage }] of composition.steps.entries()) {
    const choices = wording.openSteps[i] ? stage.readings.map((_, reading) => reading) : [readings[i] as number];
    combinations = combinations.flatMap((start) => choices.map((choice) => [...start, choice]));
  }
  const forms = wording.openForm ? outputForms(composition).forms.map((_, index) => index) : [form];
  return combinations
    .flatMap((combination) => forms.map((other) => ({ readings: combination, form: other })))
    .filter((other) => other.form !== form || other.readings.some((reading, i) => reading !== readings[i]));
}
