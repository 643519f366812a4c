import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Grader } from "../../src/grading/grade.ts";
import { createGrader } from "../../src/grading/grader.ts";
import { type QuickjsSandbox, createQuickjsSandbox } from "../../src/sandbox/quickjs/quickjs-sandbox.ts";
import { hostileJavascript } from "./javascript-programs.ts";

const tests = [
  "console.assert(solve(3) === 6);",
  'console.assert(solve("ab") === "abab");',
  'console.assert(JSON.stringify(solve([1])) === "[1,1]");',
].map((source) => ({ kind: "assert", source }) as const);
let round = 0;

/** Looks at what earlier programs may have left behind and is right only in an untouched realm. */
const untouched = (): string => `
const state = [Object.keys(globalThis).length, "x" in Object.prototype, JSON.stringify([1]), [2, 1].sort().join(), \`a\${1}\`,
  Reflect.ownKeys(globalThis).filter((name) => /^#|mark/.test(String(name))).length].join();
globalThis.mark = Array.prototype.mark = 1;
function solve(x) {
  const twice = typeof x === "number" ? 2 * x : typeof x === "string" ? x + x : [...x, ...x];
  return state === "1,false,[1],1,2,a1,0" ? twice : state;
}
// ${round++}
`;
const wrong = (): string => `const solve = (x) => (x === 3 ? 6 : x); // ${round++}\n`;

describe("hostile JavaScript programs neither pass nor change the verdicts of others", () => {
  let sandbox: QuickjsSandbox;
  let grader: Grader;
  const chance = new Set<string>();
  beforeAll(async () => {
    sandbox = await createQuickjsSandbox({ workers: 1 });
    grader = await createGrader({
      sandboxes: { javascript: sandbox },
      // To fill the memory takes 0.1 s, and four times that on a busy machine.
      limits: { cpuTimeMs: 800, memoryBytes: 64 * 2 ** 20 },
    });
  });
  afterAll(async () => {
    await grader.close();
    await sandbox.close();
  });

  test.for(hostileJavascript)("$name", async ({ program, verdict }) => {
    const language = "javascript";
    const hostile = await grader.grade({ language, program, tests });
    const [canary, badCanary, sample] = await Promise.all([
      grader.grade({ language, program: untouched(), tests }),
      grader.grade({ language, program: wrong(), tests }),
      sandbox.run({ program: "", calls: ["Math.random()"], limits: { cpuTimeMs: 1000, memoryBytes: 2 ** 24 } }),
    ]);
    const allowed = verdict ? [verdict] : ["failed", "error", "timed-out", "out-of-memory"];
    expect(allowed).toContain(hostile.verdict);
    expect(canary).toMatchObject({ verdict: "passed" });
    expect(badCanary.tests.map((result) => result.verdict)).toEqual(["passed", "failed", "failed"]);
    chance.add(JSON.stringify({ ...sample, cpuTimeMs: 0 }));
    expect(chance.size).toBe(1);
  });
});
