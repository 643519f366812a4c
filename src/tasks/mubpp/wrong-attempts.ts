/**
 * Programs that a solver might write by mistake, with what they return: another reading or form, a wrong parameter, a
 * stage left out, swapped or mistaken for another. Only mistakes whose value TypeScript can compute.
 */
import { randomChoice, randomInteger, randomWeighted, type Random } from "../../random.ts";
import { renderAssert, type GeneratedTask } from "./generate.ts";
import {
  evaluate,
  finalStagesOf,
  flowStagesOf,
  outputForms,
  parameterNames,
  renderProgram,
  type Composition,
  type Interpretation,
  type Step,
} from "./meaning.ts";
import { alternatives } from "./sentence.ts";
import type { Stage } from "./stage.ts";
import { isList, repr, valuesEqual } from "./value.ts";

/** A program that fails the public test, and the feedback that a grader gives on it. */
export interface WrongAttempt {
  readonly program: string;
  readonly feedback: string;
}

interface Attempt {
  readonly composition: Composition;
  readonly interpretation: Interpretation;
}

/** Longest `repr` of an obtained value that feedback shows whole, characters. */
const SHOWN_LENGTH_LIMIT = 120;

const MISTAKES: readonly (readonly [
  weight: number,
  make: (random: Random, task: GeneratedTask) => Attempt | undefined,
])[] = [
  [0.35, otherReadingOfTheWords],
  [0.2, otherReadingOrForm],
  [0.15, wrongParameter],
  [0.1, stageLeftOut],
  [0.05, stagesSwapped],
  [0.15, otherStage],
];

/** Probability of a join of numbers that are not made text, where the task joins numbers. */
const BARE_JOIN_PROBABILITY = 0.25;

/** Draws one mistake; `undefined` where the draw does not apply or passes the public test. */
export function drawWrongAttempt(random: Random, task: GeneratedTask): WrongAttempt | undefined {
  const assertion = renderAssert(task.wording.functionName, task.publicExample);
  if (random() < BARE_JOIN_PROBABILITY) {
    const bare = bareJoin(task);
    if (bare !== undefined) return { program: bare.program, feedback: `Failed: ${assertion}\n${bare.exception}` };
  }
  const weights = MISTAKES.map(([weight]) => weight);
  const make = (MISTAKES[randomWeighted(random, weights)] as (typeof MISTAKES)[number])[1];
  const attempt = make(random, task);
  if (attempt === undefined) return undefined;
  const { input, expected } = task.publicExample;
  const obtained = evaluate(attempt.composition, attempt.interpretation, input);
  if (obtained === undefined || valuesEqual(obtained, expected)) return undefined;
  const shown = repr(obtained);
  if (shown.length > SHOWN_LENGTH_LIMIT) return undefined;
  const program = renderProgram(task.wording.functionName, attempt.composition, attempt.interpretation);
  return { program, feedback: `Failed: ${assertion}\nGot: ${shown}` };
}

/** `' '.join(xs)` of a list that begins with an int, and what Python says to it. */
function bareJoin(task: GeneratedTask): { program: string; exception: string } | undefined {
  const program = task.goldProgram.replace(/' '\.join\(map\(str, (.*)\)\)\n$/, "' '.join($1)\n");
  if (program === task.goldProgram) return undefined;
  const result = evaluate(task.composition, { ...task.wording.interpretation, form: 0 }, task.publicExample.input);
  if (result === undefined || !isList(result) || result.length === 0) return undefined;
  const lines = program.trimEnd().split("\n");
  const exception = [
    `line ${lines.length}, in ${task.wording.functionName}`,
    lines.at(-1) as string,
    "TypeError: sequence item 0: expected str instance, int found",
  ];
  return { program, exception: exception.join("\n") };
}

function otherReadingOfTheWords(random: Random, { composition, wording }: GeneratedTask): Attempt | undefined {
  const others = alternatives(composition, wording);
  return others.length > 0 ? { composition, interpretation: randomChoice(random, others) } : undefined;
}

function otherReadingOrForm(random: Random, { composition, wording }: GeneratedTask): Attempt {
  const { readings, form } = wording.interpretation;
  const changed = randomInteger(random, readings.length + 1);
  const step = composition.steps[changed];
  if (step === undefined) {
    const other = randomInteger(random, outputForms(composition).forms.length);
    return { composition, interpretation: { readings, form: other } };
  }
  const reading = randomInteger(random, step.stage.readings.length);
  return { composition, interpretation: { readings: readings.with(changed, reading), form } };
}

function wrongParameter(random: Random, { composition, wording }: GeneratedTask): Attempt | undefined {
  const slots = composition.steps.flatMap(({ stage }, i) => parameterNames(stage).map((name) => ({ i, name })));
  if (slots.length === 0) return undefined;
  const { i, name } = randomChoice(random, slots);
  const { stage, parameters } = composition.steps[i] as Step;
  const old = parameters[name];
  const choices: readonly (string | number)[] = stage.parameters[name] ?? [];
  const value =
    typeof old === "number"
      ? Math.max(1, old + randomChoice(random, [-2, -1, -1, 1, 1, 2]))
      : randomChoice(random, choices);
  const step = { stage, parameters: { ...parameters, [name]: value } };
  return {
    composition: withSteps(composition, composition.steps.with(i, step)),
    interpretation: wording.interpretation,
  };
}

/** Positions of stages that do not change the type. */
function removable({ steps }: Composition): number[] {
  return steps.flatMap(({ stage }, i) => ("flow" in stage.output && stage.output.flow === stage.input ? [i] : []));
}

function stageLeftOut(random: Random, { composition, wording }: GeneratedTask): Attempt | undefined {
  const positions = removable(composition);
  if (positions.length === 0) return undefined;
  const position = randomChoice(random, positions);
  const { readings, form } = wording.interpretation;
  return {
    composition: withSteps(composition, composition.steps.toSpliced(position, 1)),
    interpretation: { readings: readings.toSpliced(position, 1), form },
  };
}

function stagesSwapped(random: Random, { composition, wording }: GeneratedTask): Attempt | undefined {
  const positions = removable(composition);
  const starts = positions.filter((i) => positions.includes(i + 1));
  if (starts.length === 0) return undefined;
  const i = randomChoice(random, starts);
  const swap = <T>(items: readonly T[]): T[] => items.toSpliced(i, 2, items[i + 1] as T, items[i] as T);
  const { readings, form } = wording.interpretation;
  return {
    composition: withSteps(composition, swap(composition.steps)),
    interpretation: { readings: swap(readings), form },
  };
}

/** Another stage of the same type in the place of one, with the same parameters. */
function otherStage(random: Random, { composition, wording }: GeneratedTask): Attempt | undefined {
  const i = randomInteger(random, composition.steps.length);
  const { stage, parameters } = composition.steps[i] as Step;
  const siblings = (i < composition.steps.length - 1 ? flowStagesOf : finalStagesOf)(stage.input).filter(
    (other) => other !== stage && sameOutput(other, stage) && sameParameters(other, stage),
  );
  if (siblings.length === 0) return undefined;
  const other = randomChoice(random, siblings);
  const { readings, form } = wording.interpretation;
  return {
    composition: withSteps(composition, composition.steps.with(i, { stage: other, parameters })),
    interpretation: { readings: readings.with(i, randomInteger(random, other.readings.length)), form },
  };
}

function sameOutput(a: Stage, b: Stage): boolean {
  return "flow" in a.output
    ? "flow" in b.output && a.output.flow === b.output.flow
    : "result" in b.output && a.output.result === b.output.result;
}

function sameParameters(a: Stage, b: Stage): boolean {
  return parameterNames(a).join() === parameterNames(b).join();
}

function withSteps(composition: Composition, steps: readonly Step[]): Composition {
  return { input: composition.input, steps };
}
