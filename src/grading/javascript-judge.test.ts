import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { benchmarks, hasBenchmarks, withoutBenchmarks } from "../../test/benchmarks.ts";
import { HASTY_MS, PATIENT_MS } from "../../test/cpu-limits.ts";
import { SuiteError } from "../errors.ts";
import { type QuickjsSandbox, createQuickjsSandbox } from "../sandbox/quickjs/quickjs-sandbox.ts";
import { createHumanEvalPack } from "../tasks/humanevalpack.ts";
import type { Grader, TestResult } from "./grade.ts";
import { createGrader } from "./grader.ts";
import { createJavascriptJudge } from "./javascript-judge.ts";
import type { Judge } from "./judge.ts";

describe("JavaScript tests", () => {
  let sandbox: QuickjsSandbox;
  /** For programs and tests that end, and for those that do not. */
  let grader: Grader;
  let hasty: Grader;
  let judge: Judge;
  beforeAll(async () => {
    sandbox = await createQuickjsSandbox({ workers: 1 });
    const open = (cpuTimeMs: number): Promise<Grader> =>
      createGrader({ sandboxes: { javascript: sandbox }, limits: { cpuTimeMs, memoryBytes: 64 * 2 ** 20 } });
    [grader, hasty] = await Promise.all([open(PATIENT_MS), open(HASTY_MS)]);
    judge = createJavascriptJudge();
  });
  afterAll(async () => {
    await Promise.all([grader.close(), hasty.close(), judge.close()]);
    await sandbox.close();
  });

  async function grade(program: string, ...sources: string[]): Promise<readonly TestResult[]> {
    const tests = sources.map((source) => ({ kind: "assert", source }) as const);
    return (await grader.grade({ language: "javascript", program, tests })).tests;
  }

  test("the first console.assert with a false condition decides, with its text and the one value in it", async () => {
    const source = `
const testTwice = () => {
  console.assert(twice(1) === 2)
  console.assert(
    JSON.stringify(twice([3])) === JSON.stringify([3, 3]), "a ) in text"
  )
  console.assert(twice(4) === 8)
}
testTwice()`;
    expect(await grade("const twice = (x) => Array.isArray(x) ? [...x, ...x] : 2 * x;", source)).toEqual([
      { verdict: "passed" },
    ]);
    expect(await grade("const twice = (x) => Array.isArray(x) ? [6] : 2 * x;", source)).toEqual([
      {
        verdict: "failed",
        obtained: "[6]",
        statement: 'console.assert(\n    JSON.stringify(twice([3])) === JSON.stringify([3, 3]), "a ) in text"\n  )',
      },
    ]);
    expect(await grade("const twice = (x) => x;", source)).toMatchObject([{ verdict: "failed", obtained: "1" }]);
  });

  test("what the program throws is its error, with its own lines; what the test does with a wrong value is one too", async () => {
    const source = "console.assert(f(1) === 1)\nconsole.assert(f(0).length === 0)";
    expect(
      await grade("const f = (x) => {\n  if (x === 0) throw new RangeError('zero');\n  return x;\n};", source),
    ).toEqual([
      {
        verdict: "error",
        exception: "RangeError: zero",
        traceback: "line 2, in f\n    if (x === 0) throw new RangeError('zero');\nRangeError: zero",
        statement: "console.assert(f(0).length === 0)",
      },
    ]);
    expect(await grade("const f = (x) => x || null;", source)).toEqual([
      {
        verdict: "error",
        exception: "TypeError: cannot read property 'length' of null",
        statement: "console.assert(f(0).length === 0)",
      },
    ]);
    expect(await grade("const g = 1;", source)).toMatchObject([
      { verdict: "error", exception: "ReferenceError: 'f' is not defined" },
    ]);
  });

  test("a test may catch what the program throws, by kind, message or value", async () => {
    const source = `
      const caught = (x) => { try { f(x); } catch (error) { return error; } };
      console.assert(caught(0) instanceof TypeError && caught(0).message === "a: b");
      console.assert(caught(1).name === "OwnError" && caught(2) === "text");
    `;
    const program = `class OwnError extends Error { name = "OwnError"; }
      const f = (x) => { throw [new TypeError("a: b"), new OwnError("c"), "text"][x]; };`;
    expect(await grade(program, source)).toEqual([{ verdict: "passed" }]);
    expect(await grade(program.replace('"text"', "1"), source)).toMatchObject([{ verdict: "failed" }]);
  });

  test("values of every plain kind cross both ways, and changed arguments come back", async () => {
    const source = `
      const map = new Map([["a", [1, , -0]]]);
      const out = id(map, new Set([1n]), new Date(5), /x/g, new Uint8Array([7]), { ["__proto__"]: NaN }, undefined, null, "\\ud800");
      console.assert(out[0].get("a").length === 3 && !(1 in out[0].get("a")) && Object.is(out[0].get("a")[2], -0));
      console.assert(out[1].has(1n) && out[2].getTime() === 5 && out[3].flags === "g" && out[4][0] === 7);
      console.assert(Object.keys(out[5])[0] === "__proto__" && out[6] === undefined && out[7] === null && out[8] === "\\ud800");
      const list = [3, 1, 2];
      console.assert(sort(list) === undefined && list.join() === "1,2,3");
      const object = { a: 1, b: 2 };
      drop(object, "a");
      console.assert(JSON.stringify(object) === '{"b":2}');
    `;
    const program = `const id = (...all) => all; const drop = (o, k) => { delete o[k]; };
      const sort = (list) => { list.sort(); };`;
    expect(await grade(program, source)).toEqual([{ verdict: "passed" }]);
    expect(await grade(program.replace("list.sort()", "list.sort().reverse()"), source)).toMatchObject([
      { verdict: "failed" },
    ]);
  });

  const classes = `class Node {
  constructor(value, next = null) { this.value = value; this.next = next; }
  toString() { return "N" + this.value; }
}
class Counter {
  constructor(start = 0) { this.count = start; this.log = []; }
  static from(n) { return new Counter(n); }
  get size() { return this.log.length; }
  add(n) { this.count += n; this.log.push(n); return this; }
  get() { return this.count; }
  nodes() { return this.log.map((n) => new Node(n)); }
  named() { return { "a-b": new Node(1) }; }
}
const total = (...all) => all.reduce((sum, { count }) => sum + count, 0);
const shared = new Counter(7);
`;
  test.each([
    ["const s = new Counter(); console.assert(s.get() === 0)", "return this.count;", "return 1;"],
    ["const s = new Counter(1); s.add(3); s.add(4); console.assert(s.get() === 8)", "+= n", "= n"],
    ["console.assert(new Counter().add(1).add(2).get() === 3)", "+= n", "= n"],
    ["const s = new Counter(5); console.assert(s.count === 5 && s.size === 0)", "= start", "= 0"],
    ["const n = new Node(1, new Node(2)); console.assert(n.next.value === 2)", "this.next = next", "this.next = null"],
    ["const s = new Counter(); s.count = 9; console.assert(s.get() === 9)", "return this.count;", "return 0;"],
    ["const a = new Counter(1); const b = new Counter(2); console.assert(total(a, b) === 3)", "sum + count", "count"],
    [
      "const ns = new Counter().add(4).nodes(); console.assert(ns.length === 1 && ns[0].value === 4)",
      "new Node(n)",
      "n",
    ],
    ["const d = new Counter().named(); console.assert(d['a-b'].value === 1)", "new Node(1)", "new Node(2)"],
    ["console.assert(Counter.from(4).get() === 4)", "new Counter(n)", "new Counter()"],
    ["const c = shared; c.add(1); console.assert(shared.get() === 8)", "new Counter(7)", "new Counter(6)"],
    ["const n = new Node(3); console.assert(String(n) === 'N3' && `${n}` === 'N3')", '"N" +', '"M" +'],
    [
      "const n = new Node(3); console.assert(n instanceof Node && !(n instanceof Counter))",
      "class Node",
      "class Node extends Map",
    ],
    ["const s = new Counter(); while (s.get() < 3) s.add(1); console.assert(s.size === 3)", "+= n", "+= 2 * n"],
  ])("objects of the program's classes stay in variables: %s", async (source, from, to) => {
    expect(classes).toContain(from);
    expect(await grade(classes, source)).toEqual([{ verdict: "passed" }]);
    const [wrong] = await grade(classes.replaceAll(from, to), source);
    expect(wrong?.verdict).toMatch(/^(?:failed|error)$/);
  });

  test("programs with state, classes and closures answer as if the test called them", async () => {
    const source = `
      const stack = new Stack(2);
      stack.push(5);
      stack.push(6);
      console.assert(stack.pop() === 6 && stack.pop() === 5 && stack.size === 0);
      const next = counter(10);
      console.assert(next() === 10 && next() === 11 && counter(1)() === 1);
      console.assert(LIMIT === 3 && Stack.of(1, 2).size === 2);
    `;
    const program = `const LIMIT = 3;
      class Stack { #items = []; push(x) { this.#items.push(x); } pop() { return this.#items.pop(); }
        get size() { return this.#items.length; } static of(...items) { const s = new Stack(); items.forEach((x) => s.push(x)); return s; } }
      const counter = (n) => () => n++;`;
    expect(await grade(program, source)).toEqual([{ verdict: "passed" }]);
    expect(await grade(program.replace("n++", "++n"), source)).toMatchObject([{ verdict: "failed" }]);
    expect(await grade(program.replace("pop();", "shift();"), source)).toMatchObject([{ verdict: "failed" }]);
  });

  test("arguments may depend on earlier results and on chance, which repeats", async () => {
    const source = `for (let i = 0; i < 20; i++) {
      const n = Math.floor(Math.random() * 100);
      console.assert(half(double(n)) === n);
    }`;
    expect(await grade("const double = (x) => 2 * x, half = (x) => x / 2;", source)).toEqual([{ verdict: "passed" }]);
    expect(await grade("const double = (x) => 2 * x, half = (x) => x >> 2;", source)).toMatchObject([
      { verdict: "failed" },
    ]);
  });

  test("a promise stays one, as it would if the test ran beside the program", async () => {
    const program = "const f = async (x) => x;";
    expect(await grade(program, "console.assert(f(1) instanceof Promise)", "console.assert(f(1) === 1)")).toMatchObject(
      [{ verdict: "passed" }, { verdict: "failed" }],
    );
  });

  test("looking ahead collects the calls of every statement at once", async () => {
    const [plan] = await judge.plan(["for (const x of [1, 2]) console.assert(f(x) > g([x])[0]);\nh(f(3));"]);
    const calls = plan?.kind === "replay" ? plan.calls : [];
    expect(calls.map((call) => call.replace(/globalThis\["#\d+"\] = /, ""))).toEqual([
      "f",
      "f(1)",
      "g",
      expect.stringContaining("g(...$a)"),
      "f(2)",
      expect.stringContaining("g(...$a)"),
      "h",
      "f(3)",
    ]);
  });

  test("tests that cannot be used are refused before any program runs", async () => {
    const reasons = {
      "console.assert(f(1) ===": /SyntaxError/,
      "console.assert(1 === 1)": /uses nothing of the program/,
      "console.assert(f((x) => x) === 1)": /no text, such as a function/,
      "(async () => { console.assert(await f(1) === 1) })()": /asynchronous/,
      "f(1).then((x) => console.assert(x === 1))": /asynchronous/,
    };
    for (const [source, reason] of Object.entries(reasons)) {
      const refused = judge.plan([source]);
      await expect(refused).rejects.toThrow(SuiteError);
      await expect(refused).rejects.toThrow(reason);
    }
    await expect(judge.plan(["console.assert(f('await', `.then(`) === 1) // async"])).resolves.toHaveLength(1);
  });

  test("endless tests and endless programs end", async () => {
    const endless = { cpuTimeMs: HASTY_MS };
    const recording = [{ call: "f", answer: ["value", '["?","1function"]'] } as const];
    expect(await judge.replay("f; while (true) {}", recording, endless)).toMatchObject({ kind: "timed-out" });
    const tests = [{ kind: "assert", source: "while (f() !== 2) {}" }] as const;
    const request = { language: "javascript", program: "const f = () => 1;", tests } as const;
    expect(await hasty.grade(request)).toMatchObject({ verdict: "timed-out" });
  });

  test.skipIf(!hasBenchmarks)(
    `the first right programs of HumanEvalPack pass, the wrong ones do not${withoutBenchmarks}`,
    async () => {
      const suite = createHumanEvalPack({ dataDirectory: benchmarks });
      const { tasks, privateTests } = await suite.load({ split: "js", limit: 12 });
      const verdicts = await Promise.all(
        tasks.map(async (task) => {
          const tests = [...task.publicTests, ...privateTests.of(task.id)];
          const [right, wrong] = await Promise.all(
            [task.goldProgram as string, task.wrongProgram as string].map((program) =>
              grader.grade({ language: "javascript", program, tests }),
            ),
          );
          return { id: task.id, right: right?.verdict === "passed", wrong: wrong?.verdict === "passed" };
        }),
      );
      expect(verdicts.filter(({ right, wrong }) => !right || wrong)).toEqual([]);
    },
  );
});
