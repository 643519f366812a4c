/** What a stage of a mubpp task is: one phrase of the sentence, one statement of the program. */
import type { Value } from "./value.ts";

/** The types that flow between stages: a list of ints, a string, a list of words. */
export type FlowType = "list" | "text" | "words";

export interface FlowValues {
  readonly list: readonly number[];
  readonly text: string;
  readonly words: readonly string[];
}

/** The name that a program gives to the value of each type. */
export const VARIABLE: Readonly<Record<FlowType, string>> = { list: "xs", text: "s", words: "ws" };

/** The kind of value a final stage returns; decides its output forms. */
export type ResultKind = "number" | "truth" | FlowType;

/** Parameters of a stage; those that it does not use are 0 or "". */
export interface Parameters {
  readonly k: number;
  readonly a: number;
  readonly b: number;
  readonly n: number;
  readonly c: string;
}

export type ParameterName = keyof Parameters;

export const NO_PARAMETERS: Parameters = { k: 0, a: 0, b: 0, n: 0, c: "" };

/** The values each parameter of a stage is drawn from. */
export type ParameterChoices = { readonly [Name in ParameterName]?: readonly Parameters[Name][] };

/** One meaning of a stage. `{k}` and the like in texts stand for parameters. */
export interface Reading {
  /** Probability within its stage where no house convention applies. */
  readonly weight: number;
  /** Statements without their indentation; a final stage's end in `return EXPRESSION`. */
  readonly code: string;
  /** Wordings that say exactly this. */
  readonly closed: readonly string[];
  /**
   * What the code computes. `value` is of the stage's input type, the result of its output type, or for a final stage
   * what is returned before the output form. @throws OutOfRange where that is not exact.
   */
  apply(value: Value, parameters: Parameters): Value;
}

export interface Stage {
  readonly id: string;
  readonly input: FlowType;
  readonly output: { readonly flow: FlowType } | { readonly result: ResultKind };
  /** Wordings that leave the reading open; none where everything is said. */
  readonly open: readonly string[];
  readonly readings: readonly Reading[];
  /** The reading that this suite's house convention prefers where the wording is open. */
  readonly house: number;
  readonly parameters: ParameterChoices;
}

/** What a table gives for every stage beside its readings. */
export interface StageOptions extends ParameterChoices {
  readonly open?: readonly string[];
  readonly house?: number;
}

/** Builds a stage from a table row. */
export function makeStage(
  id: string,
  input: FlowType,
  output: Stage["output"],
  options: StageOptions,
  readings: readonly Reading[],
): Stage {
  const { open = [], house = 0, ...parameters } = options;
  return { id, input, output, open, readings, house, parameters };
}

/** A row of a final stage's table: weight, expression (or statements ending in a return), what it computes, closed wordings. */
export type FinalRow<T extends FlowType> = readonly [
  weight: number,
  code: string,
  apply: (value: FlowValues[T], parameters: Parameters) => Value,
  closed: readonly string[],
];

/** A stage that ends a task whose value then is of type `input`. */
export function finalStage<T extends FlowType>(
  input: T,
  id: string,
  result: ResultKind,
  options: StageOptions,
  rows: readonly FinalRow<T>[],
): Stage {
  const readings = rows.map(([weight, code, apply, closed]) => ({
    weight,
    code: code.includes("\n") ? code : `return ${code}`,
    closed,
    apply: apply as Reading["apply"],
  }));
  return makeStage(id, input, { result }, options, readings);
}

/** A row of a table of stages in the middle: weight, expression, what it computes, closed wordings. */
export type FlowRow<T extends FlowType, U extends FlowType> = readonly [
  weight: number,
  code: string,
  apply: (value: FlowValues[T], parameters: Parameters) => FlowValues[U],
  closed: readonly string[],
];

/** A stage that makes a value of type `output` from one of type `input`, as one assignment. */
export function flowStage<T extends FlowType, U extends FlowType>(
  input: T,
  output: U,
  id: string,
  options: StageOptions,
  rows: readonly FlowRow<T, U>[],
): Stage {
  const readings = rows.map(([weight, code, apply, closed]) => ({
    weight,
    code: `${VARIABLE[output]} = ${code}`,
    closed,
    apply: apply as Reading["apply"],
  }));
  return makeStage(id, input, { flow: output }, options, readings);
}

/** Replaces `{k}` and the like by the parameters. */
export function fill(text: string, parameters: Parameters): string {
  return text.replace(/\{([kabnc])\}/g, (_, name: ParameterName) => String(parameters[name]));
}
