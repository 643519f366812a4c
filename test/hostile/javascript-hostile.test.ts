import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Grader } from "../../src/grading/grade.ts";
import { createGrader } from "../../src/grading/grader.ts";
import { type QuickjsSandbox, createQuickjsSandbox } from "../../src/sandbox/quickjs/quickjs-sandbox.ts";
import { HASTY_MS, PATIENT_MS } from "../cpu-limits.ts";
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
  /** For programs that end. */
  let grader: Grader;
  /** For those that do not, or need not. */
  let hasty: Grader;
  const chance = new Set<string>();
  beforeAll(async () => {
    sandbox = await createQuickjsSandbox({ workers: 1 });
    const open = (cpuTimeMs: number): Promise<Grader> =>
      createGrader({ sandboxes: { javascript: sandbox }, limits: { cpuTimeMs, memoryBytes: 64 * 2 ** 20 } });
    [grader, hasty] = await Promise.all([open(PATIENT_MS), open(HASTY_MS)]);
  });
  afterAll(async () => {
    await Promise.all([grader.close(), hasty.close()]);
    await sandbox.close();
  });

  test.for(hostileJavascript)(
    "$name",
    async ({ program, verdict, endless = verdict === undefined || verdict === "timed-out" }) => {
      const language = "javascript";
      const hostile = await (endless ? hasty : grader).grade({ language, program, tests });
      const [canary, badCanary, sample] = await Promise.all([
        grader.grade({ language, program: untouched(), tests }),
        grader.grade({ language, program: wrong(), tests }),
        sandbox.run({ program: "", calls: ["Math.random()"], limits: { cpuTimeMs: PATIENT_MS, memoryBytes: 2 ** 24 } }),
      ]);
      const allowed = verdict ? [verdict] : ["failed", "error", "timed-out", "out-of-memory"];
      expect(allowed).toContain(hostile.verdict);
      expect(canary).toMatchObject({ verdict: "passed" });
      expect(badCanary.tests.map((result) => result.verdict)).toEqual(["passed", "failed", "failed"]);
      chance.add(JSON.stringify({ ...sample, cpuTimeMs: 0 }));
      expect(chance.size).toBe(1);
    },
  );
});
