/**
 * The last slot of every task: in what form the result is returned. A wrong form shows on the surface of the expected
 * value, as it does in real benchmarks, so it is what feedback teaches best.
 */
import type { ResultKind } from "./stage.ts";
import { isList, repr, str, type Value } from "./value.ts";

export interface OutputForm {
  /** Probability where no house convention applies. */
  readonly weight: number;
  /** The returned expression, `{e}` standing for the result. */
  readonly code: string;
  /** Added to the sentence where the form is said. */
  readonly closed: string;
  apply(result: Value): Value;
}

export interface OutputForms {
  readonly forms: readonly OutputForm[];
  /** The form that the house convention prefers. */
  readonly house: number;
}

function same(result: Value): Value {
  return result;
}

function inList(result: Value): Value {
  return [result];
}

function items(result: Value): readonly Value[] {
  if (!isList(result)) throw new TypeError(`not a list: ${repr(result)}`);
  return result;
}

function asTuple(result: Value): Value {
  return { tuple: items(result) };
}

function joined(result: Value): Value {
  return items(result).map(str).join(" ");
}

export const OUTPUT_FORMS = {
  number: {
    house: 1,
    forms: [
      { weight: 0.46, code: "{e}", closed: ", as a number", apply: same },
      { weight: 0.27, code: "str({e})", closed: ", as text", apply: str },
      { weight: 0.27, code: "[{e}]", closed: ", in a list", apply: inList },
    ],
  },
  truth: {
    house: 0,
    forms: [
      { weight: 0.4, code: "{e}", closed: ", as a bool", apply: same },
      {
        weight: 0.35,
        code: "'Yes' if {e} else 'No'",
        closed: ", as Yes or No",
        apply: (e) => (e === true ? "Yes" : "No"),
      },
      { weight: 0.25, code: "1 if {e} else -1", closed: ", as 1 or -1", apply: (e) => (e === true ? 1 : -1) },
    ],
  },
  list: {
    house: 2,
    forms: [
      { weight: 0.42, code: "{e}", closed: ", as a list", apply: same },
      { weight: 0.3, code: "tuple({e})", closed: ", as a tuple", apply: asTuple },
      { weight: 0.28, code: "' '.join(map(str, {e}))", closed: ", as text", apply: joined },
    ],
  },
  text: {
    house: 2,
    forms: [
      { weight: 0.46, code: "{e}", closed: ", as text", apply: same },
      { weight: 0.27, code: "list({e})", closed: ", as a list of letters", apply: (e) => [...str(e)] },
      { weight: 0.27, code: "[{e}]", closed: ", in a list", apply: inList },
    ],
  },
  words: {
    house: 0,
    forms: [
      { weight: 0.42, code: "{e}", closed: ", as a list", apply: same },
      { weight: 0.3, code: "tuple({e})", closed: ", as a tuple", apply: asTuple },
      { weight: 0.28, code: "' '.join({e})", closed: ", as text", apply: joined },
    ],
  },
} as const satisfies Record<ResultKind, OutputForms>;

export function formsOf(kind: ResultKind): OutputForms {
  return OUTPUT_FORMS[kind];
}
