/** Names the rule by which a function's program runs, for reports: `docs/grading.md`, "How a function's program runs". */
import { DEFINITION_PYTHON } from "../sandbox/pyodide/definition-python.mjs";
import { unitsOf } from "../sandbox/quickjs/definition.ts";
import { digestOf } from "./digest.ts";
import type { Fingerprint } from "../tasks/fingerprint.ts";

/** The hash is over Python's rule as text and over what JavaScript's makes of fixed examples. */
export async function describeExecutionRule(): Promise<Fingerprint> {
  const units = EXAMPLES.map((program) => unitsOf(program, "f"));
  return { name: "definition-then-statements", version: 1, sha256: await digestOf([DEFINITION_PYTHON, units]) };
}

const EXAMPLES: readonly string[] = [
  "const T = [];\nconst f = (x) => T[x];\nT.push(1);\nconsole.log(f(0));\nf(0);\nfunction g() {}\n",
  "Words here.\nfunction f(x) {\n  return x;\n}\nconsole.assert(f([1, 2",
  "export default function f(x) {}\nthrow f;\n",
  "let f = 1;\nf = g;\nclass C {}\n",
];
