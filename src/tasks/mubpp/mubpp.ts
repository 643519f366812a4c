/**
 * The built-in suite: "micro basic Python problems", generated. A sentence composes a few operations on a list of ints,
 * a string or a list of words. Part of it is open: it has several readings, and only the tests tell which one is meant.
 * Most open words follow the suite's own conventions, which a model can learn; the rest is what feedback is for.
 */
import { SuiteError } from "../../errors.ts";
import { createRandom } from "../../random.ts";
import { checkLoadOptions, createTaskSet } from "../task-set.ts";
import type { Suite, Task, Test } from "../task.ts";
import { choosePrivateExamples, drawTask, renderAssert, type Example, type GeneratedTask } from "./generate.ts";
import { meaningKey, SPLITS, type Split } from "./meaning.ts";

export interface MubppOptions {
  /**
   * How telling the public test is: its input is the one of this many that separates most readings. 1 leaves many
   * public-passing programs wrong, 4 few; 2 lies between. Default 2.
   */
  readonly publicTestCandidates?: number;
}

export const DEFAULT_PUBLIC_TEST_CANDIDATES = 2;

/** Draws without a new task before a split counts as exhausted. */
const MAXIMUM_FRUITLESS_DRAWS = 100_000;

/**
 * The suite `mubpp`: splits by meaning (stages and parameters), no meaning twice in one load. The i-th task of a split
 * depends on the seed alone, not on the limit, which is required.
 */
export function createMubpp(options: MubppOptions = {}): Suite {
  const { publicTestCandidates = DEFAULT_PUBLIC_TEST_CANDIDATES } = options;
  if (!(Number.isSafeInteger(publicTestCandidates) && publicTestCandidates > 0)) {
    throw new SuiteError(`publicTestCandidates must be a whole number above 0, not ${publicTestCandidates}`);
  }
  const name = "mubpp";
  const suffix = publicTestCandidates === DEFAULT_PUBLIC_TEST_CANDIDATES ? "" : `-public${publicTestCandidates}`;
  const version = `1${suffix}`;
  return {
    name,
    version,
    splits: SPLITS,
    async load(request) {
      checkLoadOptions({ name, splits: SPLITS }, request);
      const { limit, seed = 0 } = request;
      const split = request.split as Split;
      if (limit === undefined) throw new SuiteError("suite mubpp has no end: say how many tasks (limit)", { split });
      const tasks: { task: Task; privateTests: readonly Test[] }[] = [];
      const keys = new Set<string>();
      let fruitless = 0;
      for (let draw = 0; tasks.length < limit; draw++) {
        const random = createRandom("mubpp", split, seed, draw);
        const generated = drawTask(random, { split, publicTestCandidates });
        const key = generated && meaningKey(generated.composition);
        const examples = generated && !keys.has(key as string) ? choosePrivateExamples(random, generated) : undefined;
        if (generated === undefined || examples === undefined) {
          if (++fruitless > MAXIMUM_FRUITLESS_DRAWS) {
            throw new SuiteError(`mubpp/${split} has no ${limit} different tasks; ${tasks.length} were found`, {
              limit,
            });
          }
          continue;
        }
        fruitless = 0;
        keys.add(key as string);
        tasks.push({
          task: toTask(`mubpp/${split}/${tasks.length}`, generated),
          privateTests: examples.map((example) => toTest(generated, example)),
        });
      }
      return createTaskSet({ suite: name, version, split, tasks });
    },
  };
}

/** The task as a solver sees it. */
export function toTask(id: string, generated: GeneratedTask): Task {
  return {
    id,
    prompt: generated.wording.sentence,
    language: "python",
    entryPoint: generated.wording.functionName,
    publicTests: [toTest(generated, generated.publicExample)],
    goldProgram: generated.goldProgram,
  };
}

function toTest({ wording }: GeneratedTask, example: Example): Test {
  return { kind: "assert", source: renderAssert(wording.functionName, example) };
}
