/** Draws mubpp tasks: a composition, its words, a public test, and private tests that tell its readings apart. */
import type { Random } from "../../random.ts";
import { drawInput, emptyInput, isEdgeInput } from "./inputs.ts";
import {
  drawComposition,
  evaluate,
  meaningKey,
  renderProgram,
  splitOf,
  type Composition,
  type Split,
} from "./meaning.ts";
import { alternatives, drawWording, type Wording } from "./sentence.ts";
import type { Stage } from "./stage.ts";
import { isList, repr, valuesEqual, type Value } from "./value.ts";

/** An argument and what the gold program returns for it. */
export interface Example {
  readonly input: Value;
  readonly expected: Value;
}

export interface GeneratedTask {
  readonly composition: Composition;
  readonly wording: Wording;
  readonly publicExample: Example;
  readonly goldProgram: string;
}

export interface GenerateOptions {
  readonly split: Split;
  /** The public input is the one of this many that separates most readings. */
  readonly publicTestCandidates: number;
}

/** In pretraining the readings are a wild mixture; elsewhere most follow the suite's own conventions. */
const HOUSE_PROBABILITY = 0.75;
/** Longest `repr` of a public expected value, characters. */
const PUBLIC_LENGTH_LIMIT = 36;
const MINIMUM_PUBLIC_CANDIDATES = 4;
const PRIVATE_CANDIDATES = 8;
const PRIVATE_TESTS = 5;
const MINIMUM_PRIVATE_TESTS = 3;
/** Share of the tasks whose public value says nothing (0, an empty list, …) that are kept. */
const TRIVIAL_KEPT = 0.2;

/** One attempt at a task; `undefined` when the draw is of another split or gives no good public test. */
export function drawTask(random: Random, options: GenerateOptions): GeneratedTask | undefined {
  const composition = drawComposition(random);
  if (splitOf(meaningKey(composition)) !== options.split) return undefined;
  const houseProbability = options.split === "pretrain" ? 0 : HOUSE_PROBABILITY;
  const wording = drawWording(random, composition, { houseProbability });
  const publicExample = choosePublicExample(random, composition, wording, options.publicTestCandidates);
  if (publicExample === undefined) return undefined;
  const goldProgram = renderProgram(wording.functionName, composition, wording.interpretation);
  return { composition, wording, publicExample, goldProgram };
}

/** Counts the alternatives that give another value than the expected one; a value that is not known counts as none. */
export function separated(composition: Composition, others: readonly Wording["interpretation"][], example: Example) {
  return others.filter((other) => {
    const value = evaluate(composition, other, example.input);
    return value !== undefined && !valuesEqual(value, example.expected);
  });
}

function choosePublicExample(random: Random, composition: Composition, wording: Wording, candidates: number) {
  const inputs = Array.from({ length: Math.max(MINIMUM_PUBLIC_CANDIDATES, candidates) }, () =>
    drawInput(random, composition.input, { near: numbersOf(composition), edge: false }),
  );
  const usable = inputs
    .map((input) => ({ input, expected: evaluate(composition, wording.interpretation, input) }))
    .filter((example): example is Example => example.expected !== undefined)
    .filter(({ expected }) => repr(expected).length < PUBLIC_LENGTH_LIMIT);
  const telling = usable.filter((example) => !isTrivial(composition, wording, example.input));
  if (telling.length === 0) return random() < TRIVIAL_KEPT ? usable[0] : undefined;
  const others = candidates > 1 ? alternatives(composition, wording) : [];
  return largest(telling.slice(0, candidates), (example) => separated(composition, others, example).length);
}

function largest<T>(items: readonly T[], size: (item: T) => number): T | undefined {
  let best: T | undefined;
  let bestSize = -Infinity;
  for (const item of items) {
    const itemSize = size(item);
    if (itemSize > bestSize) [best, bestSize] = [item, itemSize];
  }
  return best;
}

/** Whether the result, before its output form, says next to nothing. */
function isTrivial(composition: Composition, wording: Wording, input: Value): boolean {
  const { stage } = composition.steps.at(-1) as { stage: Stage };
  if ("result" in stage.output && stage.output.result === "truth") return false;
  const result = evaluate(composition, { ...wording.interpretation, form: 0 }, input);
  if (result === undefined || result === null || result === "" || result === -1) return true;
  return valuesEqual(result, 0) || (isList(result) && result.length === 0);
}

/**
 * Private examples of a task: inputs chosen greedily until every reading that can be told apart is, then an input of at
 * most two items, then others up to five. `undefined` when there are too few or all expect the same.
 */
export function choosePrivateExamples(random: Random, task: GeneratedTask): readonly Example[] | undefined {
  const { composition, wording, publicExample } = task;
  const examples = privateCandidates(random, task);
  const chosen: Example[] = [];
  let left = alternatives(composition, wording);
  while (left.length > 0) {
    const best = largest(
      examples.map((example) => ({ example, told: separated(composition, left, example) })),
      ({ told }) => told.length,
    );
    if (best === undefined || best.told.length === 0) break;
    chosen.push(best.example);
    left = left.filter((other) => !best.told.includes(other));
  }
  const rest = examples.filter((example) => !chosen.includes(example));
  const edge = rest.findLast(({ input }) => isEdgeInput(input));
  if (edge !== undefined && (chosen.length < PRIVATE_TESTS || !chosen.some(({ input }) => isEdgeInput(input)))) {
    chosen.push(edge);
  }
  chosen.push(...rest.filter((example) => example !== edge).slice(0, Math.max(0, PRIVATE_TESTS - chosen.length)));
  const values = new Set([publicExample, ...chosen].map(({ expected }) => repr(expected)));
  return chosen.length >= MINIMUM_PRIVATE_TESTS && values.size > 1 ? chosen : undefined;
}

/** Usual inputs first, then edge cases with the empty one among them; none twice and none that is public. */
function privateCandidates(random: Random, { composition, wording, publicExample }: GeneratedTask): Example[] {
  const near = numbersOf(composition);
  const inputs = [false, true].flatMap((edge) =>
    Array.from({ length: PRIVATE_CANDIDATES }, () => drawInput(random, composition.input, { near, edge })),
  );
  const seen = new Set([repr(publicExample.input)]);
  const examples: Example[] = [];
  for (const input of [...inputs, emptyInput(composition.input)]) {
    if (seen.has(repr(input))) continue;
    seen.add(repr(input));
    const expected = evaluate(composition, wording.interpretation, input);
    if (expected !== undefined) examples.push({ input, expected });
  }
  return examples;
}

function numbersOf(composition: Composition): number[] {
  return composition.steps.flatMap(({ stage, parameters }) =>
    Object.keys(stage.parameters).flatMap((name) => {
      const value = parameters[name as keyof typeof parameters];
      return typeof value === "number" ? [value] : [];
    }),
  );
}

/** `assert NAME(INPUT) == EXPECTED`, as a test's source. */
export function renderAssert(functionName: string, { input, expected }: Example): string {
  return `assert ${functionName}(${repr(input)}) == ${repr(expected)}`;
}
