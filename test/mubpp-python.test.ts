/** The TypeScript side of mubpp against Python itself, in the sandbox. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGrader } from "../src/grading/grader.ts";
import type { Grader } from "../src/grading/grade.ts";
import { createTaskGrader } from "../src/grading/task-grader.ts";
import { createRandom } from "../src/random.ts";
import { createPyodideSandbox } from "../src/sandbox/pyodide/pyodide-sandbox.ts";
import type { Sandbox } from "../src/sandbox/sandbox.ts";
import { drawTask } from "../src/tasks/mubpp/generate.ts";
import { drawInput, emptyInput } from "../src/tasks/mubpp/inputs.ts";
import {
  drawParameters,
  evaluate,
  outputForms,
  renderProgram,
  STAGES,
  type Composition,
} from "../src/tasks/mubpp/meaning.ts";
import { createMubpp, toTask } from "../src/tasks/mubpp/mubpp.ts";
import type { Stage } from "../src/tasks/mubpp/stage.ts";
import { repr, valuesEqual, type Value } from "../src/tasks/mubpp/value.ts";
import { drawWrongAttempt } from "../src/tasks/mubpp/wrong-attempts.ts";
import { PATIENT_MS } from "./cpu-limits.ts";

const INPUTS_PER_PROGRAM = 8;
const PARAMETER_DRAWS = 2;

let sandbox: Sandbox;
let grader: Grader;

beforeAll(async () => {
  sandbox = await createPyodideSandbox({ workers: 1 });
  grader = await createGrader({ sandboxes: { python: sandbox } });
});

afterAll(async () => {
  await grader.close();
  await sandbox.close();
});

/** A stage as a task of its own: it ends the task, or its value is returned as it is. */
function alone(stage: Stage, draw: number): Composition {
  const step = { stage, parameters: drawParameters(createRandom("parameters", stage.id, draw), stage) };
  if ("result" in stage.output) return { input: stage.input, steps: [step] };
  const endings = { list: "list", text: "sret", words: "wlist" };
  const ending = STAGES.find(({ id }) => "flow" in stage.output && id === endings[stage.output.flow]) as Stage;
  return { input: stage.input, steps: [step, { stage: ending, parameters: drawParameters(() => 0, ending) }] };
}

interface ProgramCase {
  readonly name: string;
  readonly source: string;
  /** Python source of argument and expected `repr`, one pair per input. */
  readonly pairs: readonly string[];
}

/** A program for every reading of the stage, and every output form of its result. */
function casesOf(stage: Stage): ProgramCase[] {
  return Array.from({ length: PARAMETER_DRAWS }, (_, draw) => alone(stage, draw)).flatMap((composition, draw) =>
    stage.readings.flatMap((_, reading) =>
      outputForms(composition).forms.map((__, form) => {
        const interpretation = { readings: composition.steps.map((___, i) => (i === 0 ? reading : 0)), form };
        const name = `${stage.id}_${draw}_${reading}_${form}`;
        const near = Object.values(composition.steps[0]?.parameters ?? {}).filter((value) => typeof value === "number");
        const inputs: Value[] = Array.from({ length: INPUTS_PER_PROGRAM }, (____, i) =>
          drawInput(createRandom("input", name, i), stage.input, { near, edge: i % 2 === 1 }),
        );
        const pairs = [...inputs, emptyInput(stage.input)].flatMap((input) => {
          const value = evaluate(composition, interpretation, input);
          return value === undefined ? [] : [`(${repr(input)}, ${repr(repr(value))})`];
        });
        return { name, source: renderProgram(name, composition, interpretation), pairs };
      }),
    ),
  );
}

describe("mubpp in Python", () => {
  it("computes what TypeScript computes, for every reading of every stage in every form", async () => {
    const cases = STAGES.flatMap(casesOf);
    const table = cases.map(({ name, pairs }) => `    (${name}, [${pairs.join(", ")}]),`);
    const check = [
      "def mismatches():",
      "    return [(f.__name__, x, want, repr(f(x))) for f, pairs in CASES for x, want in pairs if repr(f(x)) != want]",
    ];
    const program = [...cases.map(({ source }) => source), "CASES = [", ...table, "]", ...check, ""].join("\n");
    const result = await sandbox.run({
      program,
      calls: ["mismatches()[:5]", "sum(len(pairs) for _, pairs in CASES)"],
      limits: { cpuTimeMs: PATIENT_MS, memoryBytes: 256 * 2 ** 20 },
    });
    const shown =
      result.kind === "finished" ? result.calls.map((call) => (call.kind === "value" ? call.shown : call)) : result;
    expect(shown).toEqual(["[]", String(cases.reduce((total, { pairs }) => total + pairs.length, 0))]);
  });

  it("has equality as TypeScript has it", async () => {
    const values: Value[] = [
      0,
      1,
      -1,
      true,
      false,
      null,
      "",
      "1",
      [],
      [1],
      [true],
      { tuple: [] },
      { tuple: [1] },
      { float: 1 },
      { float: 0.5 },
    ];
    const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
    const calls = [
      `[${pairs.map(([a, b]) => `int(${repr(a)} == ${repr(b)})`).join(", ")}] == [${pairs.map(([a, b]) => Number(valuesEqual(a, b))).join(", ")}]`,
    ];
    const result = await sandbox.run({ program: "", calls, limits: { cpuTimeMs: PATIENT_MS, memoryBytes: 2 ** 28 } });
    expect(result).toMatchObject({ kind: "finished", calls: [{ kind: "value", shown: "True" }] });
  });

  it("passes every gold program of the suite", async () => {
    const { tasks, privateTests } = await createMubpp().load({ split: "test", limit: 60 });
    for (const task of tasks) {
      const tests = [...task.publicTests, ...privateTests.of(task.id)];
      const { verdict } = await grader.grade({ program: task.goldProgram ?? null, tests });
      expect({ id: task.id, verdict }).toEqual({ id: task.id, verdict: "passed" });
    }
  });

  it("gives the feedback that the pretraining documents give on wrong attempts", async () => {
    const taskGrader = createTaskGrader({ grader });
    let exceptions = 0;
    let compared = 0;
    for (let draw = 0; compared < 60 || exceptions < 2; draw++) {
      const random = createRandom("feedback", draw);
      const generated = drawTask(random, { split: "pretrain", publicTestCandidates: 2 });
      const attempt = generated && drawWrongAttempt(random, generated);
      if (generated === undefined || attempt === undefined) continue;
      const raises = attempt.feedback.includes("Error: ");
      if (compared >= 60 && !raises) continue;
      compared++;
      if (raises) exceptions++;
      const grade = await taskGrader.gradePublic(toTask("mubpp/pretrain/0", generated), attempt.program);
      expect(grade.feedback).toBe(attempt.feedback);
    }
  });
});
