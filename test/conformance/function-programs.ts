/**
 * How the program of a function runs (`docs/grading.md`), by example: `describeFunctionPrograms` runs the table of a
 * sandbox's language against it. Every row calls `f(1)`.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRandom, randomChoice } from "../../src/random.ts";
import type { Language, Sandbox } from "../../src/sandbox/sandbox.ts";
import { PATIENT_MS } from "../cpu-limits.ts";
import type { SandboxSubject } from "./sandbox-conformance.ts";

/** What stands around the function; the program; what `f(1)` is, or words of the exception that the program raises. */
type Row = readonly [title: string, program: string, result: string];

const PYTHON_F = "def f(x):\n    return x + 1\n";
const JAVASCRIPT_F = "function f(x) {\n  return x + 1;\n}\n";
const FUNCTIONS: Record<Language, string> = { python: PYTHON_F, javascript: JAVASCRIPT_F };

const ROWS: Record<Language, { passedOver: readonly Row[]; counts: readonly Row[]; raises: readonly Row[] }> = {
  python: {
    passedOver: [
      ["a wrong call", `${PYTHON_F}\nf()\n`, "2"],
      ["a wrong assert", `${PYTHON_F}\nassert f(1) == 3\n`, "2"],
      ["a wrong assert above it", `def g(x):\n    return x\nassert g(1) == 2\n${PYTHON_F}`, "2"],
      ["a wrong assert in a loop", `${PYTHON_F}\nfor a, b in [(1, 5)]:\n    assert f(a) == b\n`, "2"],
      ["tests of its own", `${PYTHON_F}\ndef test():\n    assert f(1) == 3\ntest()\nprint('done')\n`, "2"],
      ["a call that never ends", `def f(x):\n    while x > 1: pass\n    return x + 1\nprint(f(2))\nf(2)\n`, "2"],
      ["input that is not there", `${PYTHON_F}\nn = int(input())\nprint(f(n))\n`, "2"],
      ["arguments that are not there", `import sys\n${PYTHON_F}\nn = sys.argv[5]\n`, "2"],
      ["an exit", `import sys\n${PYTHON_F}\nsys.exit(f(1))\n`, "2"],
      ["a quit", `${PYTHON_F}\nquit()\n`, "2"],
      ["unittest.main", `import unittest\n${PYTHON_F}\nunittest.main()\n`, "2"],
      ["a main block", `${PYTHON_F}\nif __name__ == '__main__':\n    while True: pass\n`, "2"],
      ["a main block the other way round", `${PYTHON_F}\nif '__main__' == __name__:\n    while True: pass\n`, "2"],
      [
        "a main block of a function",
        `${PYTHON_F}\ndef main():\n    f(input())\nif __name__ == "__main__": main()\n`,
        "2",
      ],
      ["a main block that binds the name", `${PYTHON_F}\n1 / 0\nif __name__ == '__main__':\n    f = None\n`, "2"],
      ["a missing module below it", `${PYTHON_F}\nimport matplotlib_\n`, "2"],
      ["a statement that does not compile", `${PYTHON_F}\nreturn f(1)\n`, "2"],
      ["an example cut off", `${PYTHON_F}\nprint(f(1))\nassert f([1, 2`, "2"],
      ["a string cut off", `${PYTHON_F}\ns = """f(1)\nf(2)`, "2"],
      ["a function cut off", `${PYTHON_F}\ndef g(x):\n    if x`, "2"],
      ["a decorator cut off", `${PYTHON_F}\n@`, "2"],
      ["words below it", `${PYTHON_F}\nThis function adds one.\n`, "2"],
      ["words above it", `Here is the function you asked for:\n\n${PYTHON_F}`, "2"],
      ["a broken function above it", `def g(x):\n    return (x\n\n${PYTHON_F}`, "2"],
      [
        "a call between it and its helper",
        "def f(x):\n    return g(x)\n\nf('a')\n\ndef g(x):\n    return x + 1\n",
        "2",
      ],
    ],
    counts: [
      [
        "a table filled by a loop",
        `T = []\ndef f(x):\n    return T[x]\n\nfor i in range(3):\n    T.append(i + 1)\n`,
        "2",
      ],
      ["a table filled by a function", "T = {}\ndef f(x):\n    return T[x]\ndef fill():\n    T[1] = 2\nfill()\n", "2"],
      [
        "a global set by a function",
        "T = None\ndef f(x):\n    return T\ndef g():\n    global T\n    T = 2\ng()\n",
        "2",
      ],
      ["lru_cache", "from functools import lru_cache\n@lru_cache(None)\ndef f(x):\n    return x + 1\nf(1)\n", "2"],
      ["a wrapper", `from functools import cache\n${PYTHON_F}f = cache(f)\nf([])\n`, "2"],
      ["an alias", "def add_one(x):\n    return x + 1\n\nf = add_one\n", "2"],
      ["a later definition", `def f(x):\n    return 0\n\nassert f(1) == 2\n\n${PYTHON_F}`, "2"],
      ["a lambda", "f = lambda x: x + 1\n", "2"],
      ["a name of several", "(g, f) = (None, lambda x: x + 1)\n", "2"],
      ["an annotated name", "f: object = lambda x: x + 1\n", "2"],
      ["an import under the name", "from operator import neg as f\n", "-1"],
      [
        "a definition in a try",
        `try:\n    import missing_\nexcept ImportError:\n    def f(x):\n        return x + 1\n1 / 0\n`,
        "2",
      ],
      ["a definition in an if", "if True:\n    def f(x):\n        return x + 1\n1 / 0\n", "2"],
      [
        "the recursion limit",
        "import sys\ndef f(x):\n    return sys.getrecursionlimit()\nsys.setrecursionlimit(4321)\n",
        "4321",
      ],
      ["a helper below it", "def f(x):\n    return g(x)\ndef g(x):\n    return x + 1\n", "2"],
      [
        "a class below it",
        "def f(x):\n    return C().g(x)\nclass C:\n    def g(self, x):\n        return x + 1\n",
        "2",
      ],
      [
        "a print of its own",
        "out = []\ndef print(x):\n    out.append(x)\ndef f(x):\n    return out[0] + x\nprint(1)\n",
        "2",
      ],
      [
        "annotations of the future",
        "from __future__ import annotations\ndef f(x: Later) -> Later:\n    return x + 1\n",
        "2",
      ],
      [
        "the future below it",
        "from __future__ import annotations\ndef f(x):\n    return g(x)\ndef g(x: Later):\n    return x + 1\n",
        "2",
      ],
      ["a docstring", `"""Adds."""\ndef f(x):\n    return __doc__\n`, "'Adds.'"],
      ["its module's name", "def f(x):\n    return __name__\n", "'program'"],
      ["its module", "import sys\ny = 2\ndef f(x):\n    return sys.modules[__name__].y\n", "2"],
      [
        "a dataclass",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    y: 'int'\ndef f(x):\n    return C(x + 1).y\n",
        "2",
      ],
      ["pickle", "import pickle\nclass C:\n    y = 2\ndef f(x):\n    return pickle.loads(pickle.dumps(C())).y\n", "2"],
      [
        "state between examples",
        "T = [1]\ndef f(x):\n    return T[-1]\ntry:\n    T.append(2)\n    f()\nfinally:\n    T.append(3)\n",
        "3",
      ],
    ],
    raises: [
      ["what stands above it raises", `1 / 0\n${PYTHON_F}`, "ZeroDivisionError"],
      ["its decorator raises", `@missing\n${PYTHON_F}`, "NameError"],
      ["its alias raises", "def g(x):\n    return x + 1\nf = h\n", "NameError"],
      ["its module is missing", `import missing_\n${PYTHON_F}`, "ModuleNotFoundError"],
      ["it does not parse", "def f(x):\n    return x +\n\nassert f(1) == 2\n", "SyntaxError: invalid syntax (line 2)"],
      ["it is cut off", "def g(x):\n    return x\n\ndef f(x):\n    return g(", "SyntaxError"],
      ["it is not there and the rest raises", "def g(x):\n    return x + 1\n1 / 0\n", "ZeroDivisionError"],
      ["there is nothing but words", "I cannot write this function.", "SyntaxError"],
    ],
  },
  javascript: {
    passedOver: [
      ["a wrong call", `${JAVASCRIPT_F}f(g);\n`, "2"],
      ["an error thrown", `${JAVASCRIPT_F}throw new Error('no');\n`, "2"],
      ["a wrong test", `${JAVASCRIPT_F}if (f(1) !== 3) throw new Error('wrong');\n`, "2"],
      ["a missing module", `${JAVASCRIPT_F}const assert = require('missing');\nassert(f(1) === 2);\n`, "2"],
      [
        "a call that never ends",
        `function f(x) {\n  while (x > 1);\n  return x + 1;\n}\nconsole.log(f(2));\nf(2)\n`,
        "2",
      ],
      ["an exit", `${JAVASCRIPT_F}process.exit(f(1));\n`, "2"],
      ["a main block", `${JAVASCRIPT_F}if (require.main === module) main();\n`, "2"],
      [
        "a promise that is rejected",
        `${JAVASCRIPT_F}Promise.reject(new Error('no'));\n(async () => { await g(); })();\n`,
        "2",
      ],
      ["a timer that throws", `${JAVASCRIPT_F}setTimeout(() => { throw new Error('no'); }, 1);\n`, "2"],
      ["an example cut off", `${JAVASCRIPT_F}console.log(f(1));\nconsole.assert(f([1, 2`, "2"],
      ["a function cut off", `${JAVASCRIPT_F}function g(x) {\n  if (x`, "2"],
      ["a template cut off", `${JAVASCRIPT_F}const s = \`f(\${f(1)`, "2"],
      ["words below it", `${JAVASCRIPT_F}This function adds one.\n`, "2"],
      ["a call between it and its helper", "const f = (x) => g(x);\nf.x.y;\nconst g = (x) => x + 1;\n", "2"],
    ],
    counts: [
      [
        "a table filled by a loop",
        "const T = [];\nconst f = (x) => T[x];\nfor (let i = 0; i < 3; i++) T.push(i + 1);\n",
        "2",
      ],
      [
        "a table filled by a function",
        "const T = {};\nfunction f(x) { return T[x]; }\nfunction fill() { T[1] = 2; }\nfill();\n",
        "2",
      ],
      ["a wrapper", "const memo = (g) => (x) => g(x);\nlet f = (x) => x + 1;\nf = memo(f);\nf.x.y;\n", "2"],
      ["an alias", "const addOne = (x) => x + 1;\nconst f = addOne;\n", "2"],
      ["a property of the global object", "globalThis.f = (x) => x + 1;\n", "2"],
      ["a name in a pattern", "const { f, g: [h] } = { f: (x) => x + 1, g: [1] };\n", "2"],
      ["a later definition", `${JAVASCRIPT_F.replace("+ 1", "+ 2")}${JAVASCRIPT_F}`, "2"],
      ["a function used before it is defined", "const f = wrap((x) => x + 1);\nfunction wrap(g) { return g; }\n", "2"],
      ["a helper below it", "const f = (x) => g(x);\nconst g = (x) => x + 1;\n", "2"],
      ["a class below it", "const f = (x) => new C().g(x);\nclass C { g(x) { return x + 1; } }\n", "2"],
      ["what it exports", "const f = (x) => x + 1;\nmodule.exports = { f };\n", "2"],
      ["an export", `export ${JAVASCRIPT_F}`, "2"],
      ["a default export", `export default ${JAVASCRIPT_F}`, "2"],
      ["an export below it", `${JAVASCRIPT_F}export { f };\nexport default f;\n`, "2"],
      ["a strict program", '"use strict";\nfunction f(x) { return typeof this; }\n', '"undefined"'],
    ],
    raises: [
      ["what stands above it throws", `throw new TypeError('no');\n${JAVASCRIPT_F}`, "TypeError: no"],
      ["its alias throws", "const g = 1;\nconst f = h;\n", "ReferenceError"],
      ["it does not parse", "const g = 1;\nfunction f(x) {\n  return x +;\n}\n", "SyntaxError"],
      ["it is cut off", "const f = (x) => {\n  return x + 1;\n", "SyntaxError"],
    ],
  },
};

const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 128 * 2 ** 20 };

export function describeFunctionPrograms({ name, language, open, skip }: SandboxSubject): void {
  const { passedOver, counts, raises } = ROWS[language];
  describe.skipIf(skip !== undefined)(`programs of functions in the ${name} sandbox`, () => {
    let sandbox: Sandbox;
    beforeAll(async () => {
      sandbox = await open({ workers: 1 });
    });
    afterAll(() => sandbox.close());

    test.each(passedOver)("are not failed by %s", async (_, program, shown) => {
      const result = await sandbox.run({ program, entryPoint: "f", calls: ["f(1)"], limits });
      expect(result).toMatchObject({ kind: "finished", calls: [{ kind: "value", shown }] });
    });

    test("are not failed by several of these together", async () => {
      const random = createRandom("below");
      const definition = FUNCTIONS[language];
      const below = passedOver.filter(([, program]) => program.startsWith(definition));
      const [broken, whole] = [true, false].map((wanted) =>
        below
          .filter(([title]) => /cut off|words/.test(title) === wanted)
          .map(([, text]) => text.slice(definition.length)),
      ) as [string[], string[]];
      for (let i = 0; i < 25; i++) {
        const three = [1, 2, 3].map(() => randomChoice(random, whole));
        const program = [definition, ...three, randomChoice(random, broken)].join("");
        const result = await sandbox.run({ program, entryPoint: "f", calls: ["f(1)"], limits });
        expect({ program, ...result }).toMatchObject({ program, kind: "finished", calls: [{ shown: "2" }] });
      }
    });

    test.each(counts)("run %s", async (_, program, shown) => {
      const result = await sandbox.run({ program, entryPoint: "f", calls: ["f(1)"], limits });
      expect(result).toMatchObject({ kind: "finished", calls: [{ kind: "value", shown }] });
      // A right program that is run by its last definition, for want of an entry point.
      expect(await sandbox.run({ program, calls: ["f(1)"], limits })).toEqual({
        ...result,
        cpuTimeMs: expect.any(Number) as number,
      });
    });

    test.each(raises)("raise where %s", async (_, program, words) => {
      const result = await sandbox.run({ program, entryPoint: "f", calls: ["f(1)"], limits });
      expect(result).toMatchObject({ kind: "raised", exception: expect.stringContaining(words) as string });
    });

    test("have a dotted entry point by its first name", async () => {
      const program =
        language === "python"
          ? "class S:\n    def f(self, x):\n        return x + 1\n1 / 0\n"
          : "class S {\n  f(x) { return x + 1; }\n}\nnull.x;\n";
      const call = language === "python" ? "S().f(1)" : "new S().f(1)";
      const result = await sandbox.run({ program, entryPoint: "S.f", calls: [call], limits });
      expect(result).toMatchObject({ kind: "finished", calls: [{ shown: "2" }] });
    });

    test("keep their line numbers", async () => {
      const [program, text] =
        language === "python"
          ? ["Words.\n\ndef f(x):\n    return x.y\n\nprint(f(", "line 4, in f\n    return x.y"]
          : ["const a = 1;\n\nfunction f(x) {\n  return x.y.z;\n}\n\nf(", "line 4, in f\n    return x.y.z;"];
      const result = await sandbox.run({ program, entryPoint: "f", calls: ["f(1)"], limits });
      expect(result).toMatchObject({
        kind: "finished",
        calls: [{ traceback: expect.stringContaining(text) as string }],
      });
    });
  });
}
