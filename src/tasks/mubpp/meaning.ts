/** A fully determined mubpp program: its stages, their parameters and readings, and the output form. */
import { deriveSeed, randomChoice, randomWeighted, type Random } from "../../random.ts";
import { AGGREGATE_STAGES } from "./aggregate-stages.ts";
import { ITEM_STAGES } from "./item-stages.ts";
import { LIST_STAGES } from "./list-stages.ts";
import { formsOf, type OutputForms } from "./output-forms.ts";
import { OutOfRange } from "./python-operations.ts";
import { fill, NO_PARAMETERS, VARIABLE, type FlowType, type Parameters, type Stage } from "./stage.ts";
import { STRING_STAGES } from "./string-stages.ts";
import type { Value } from "./value.ts";
import { WORD_STAGES } from "./word-stages.ts";

/** Every stage of the suite, those that end a task included. */
export const STAGES: readonly Stage[] = [
  ...ITEM_STAGES,
  ...LIST_STAGES,
  ...AGGREGATE_STAGES,
  ...STRING_STAGES,
  ...WORD_STAGES,
];

export const SPLITS = ["pretrain", "train", "validation", "test"] as const;

export type Split = (typeof SPLITS)[number];

/** One stage with its parameters. */
export interface Step {
  readonly stage: Stage;
  readonly parameters: Parameters;
}

/** What a task is about, before its open words are given a reading. The last step ends the task. */
export interface Composition {
  readonly input: FlowType;
  readonly steps: readonly Step[];
}

/** Chosen reading of every step, and the output form. */
export interface Interpretation {
  readonly readings: readonly number[];
  readonly form: number;
}

const INPUT_WEIGHTS: readonly (readonly [FlowType, number])[] = [
  ["list", 0.66],
  ["text", 0.14],
  ["words", 0.2],
];

/** Probabilities of 1, 2 and 3 stages before the last. */
const LENGTH_WEIGHTS = [0.35, 0.55, 0.1];

const FLOW_STAGES = stagesByInput((stage) => "flow" in stage.output);
const FINAL_STAGES = stagesByInput((stage) => "result" in stage.output);

function stagesByInput(chosen: (stage: Stage) => boolean): Record<FlowType, readonly Stage[]> {
  const of = (input: FlowType) => STAGES.filter((stage) => stage.input === input && chosen(stage));
  return { list: of("list"), text: of("text"), words: of("words") };
}

/** Stages in the middle that take a value of this type. */
export function flowStagesOf(input: FlowType): readonly Stage[] {
  return FLOW_STAGES[input];
}

/** Stages at the end that take a value of this type. */
export function finalStagesOf(input: FlowType): readonly Stage[] {
  return FINAL_STAGES[input];
}

/** Draws 1-3 different stages, a last one, and their parameters. */
export function drawComposition(random: Random): Composition {
  const weights = INPUT_WEIGHTS.map(([, weight]) => weight);
  const input = (INPUT_WEIGHTS[randomWeighted(random, weights)] as readonly [FlowType, number])[0];
  const count = 1 + randomWeighted(random, LENGTH_WEIGHTS);
  const stages: Stage[] = [];
  let flow = input;
  for (let i = 0; i < count; i++) {
    const stage = randomChoice(
      random,
      FLOW_STAGES[flow].filter((candidate) => !stages.includes(candidate)),
    );
    stages.push(stage);
    if ("flow" in stage.output) flow = stage.output.flow;
  }
  stages.push(randomChoice(random, FINAL_STAGES[flow]));
  return { input, steps: stages.map((stage) => ({ stage, parameters: drawParameters(random, stage) })) };
}

export function drawParameters(random: Random, stage: Stage): Parameters {
  const { k, a, b, n, c } = stage.parameters;
  return {
    k: k ? randomChoice(random, k) : NO_PARAMETERS.k,
    a: a ? randomChoice(random, a) : NO_PARAMETERS.a,
    b: b ? randomChoice(random, b) : NO_PARAMETERS.b,
    n: n ? randomChoice(random, n) : NO_PARAMETERS.n,
    c: c ? randomChoice(random, c) : NO_PARAMETERS.c,
  };
}

/** The names of the parameters that a stage uses. */
export function parameterNames(stage: Stage): readonly (keyof Parameters)[] {
  return Object.keys(stage.parameters) as (keyof Parameters)[];
}

/** Equal for compositions of the same stages and parameters, whatever their readings, form and wording. */
export function meaningKey(composition: Composition): string {
  const parts = composition.steps.map(({ stage, parameters }) => {
    const values = parameterNames(stage).map((name) => `${name}${parameters[name]}`);
    return stage.id + values.join(",");
  });
  return [composition.input, ...parts].join("|");
}

/** The split that a meaning belongs to: 88 % pretrain, 6 % train, 2 % validation, 4 % test. */
export function splitOf(key: string): Split {
  const percentile = deriveSeed("mubpp split", key) % 100;
  return percentile < 88 ? "pretrain" : percentile < 94 ? "train" : percentile < 96 ? "validation" : "test";
}

/** The output forms of a composition's result. */
export function outputForms(composition: Composition): OutputForms {
  const output = (composition.steps.at(-1) as Step).stage.output;
  if (!("result" in output)) throw new RangeError("a composition must end in a final stage");
  return formsOf(output.result);
}

/** The Python program of a composition under an interpretation. */
export function renderProgram(name: string, composition: Composition, { readings, form }: Interpretation): string {
  const statements = composition.steps.map(({ stage, parameters }, i) =>
    fill((stage.readings[readings[i] as number] as Stage["readings"][number]).code, parameters),
  );
  const last = statements.pop() as string;
  const cut = last.lastIndexOf("return ") + "return ".length;
  const { code } = outputForms(composition).forms[form] as OutputForms["forms"][number];
  statements.push(last.slice(0, cut) + code.replace("{e}", () => last.slice(cut)));
  return `def ${name}(${VARIABLE[composition.input]}):\n    ${statements.join("\n    ")}\n`;
}

/** What that program returns; `undefined` where a number leaves the range in which TypeScript computes as Python does. */
export function evaluate(
  composition: Composition,
  { readings, form }: Interpretation,
  input: Value,
): Value | undefined {
  try {
    const result = composition.steps.reduce<Value>(
      (value, { stage, parameters }, i) =>
        (stage.readings[readings[i] as number] as Stage["readings"][number]).apply(value, parameters),
      input,
    );
    return (outputForms(composition).forms[form] as OutputForms["forms"][number]).apply(result);
  } catch (error) {
    if (error instanceof OutOfRange) return undefined;
    throw error;
  }
}
