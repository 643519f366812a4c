/** The programs of the conformance suite: the same behaviour written in each language. */
import type { Language } from "../../src/sandbox/sandbox.ts";

export interface ConformancePrograms {
  /** `f(x)` counts its calls and returns `[count, x]`. */
  readonly counting: string;
  /** Pairs of expressions of equal values, then of different ones. */
  readonly equal: readonly (readonly [string, string])[];
  readonly different: readonly (readonly [string, string])[];
  /** Pairs that are different in the typed encoding alone. */
  readonly typed: readonly (readonly [string, string])[];
  /** Expressions of what is no plain value. */
  readonly opaque: readonly string[];
  /** `f(x)` raises `raised`, with x in the place of `$`. */
  readonly raising: string;
  readonly raised: string;
  /** Programs that fail before any call, with the start of the exception. */
  readonly broken: readonly (readonly [program: string, exception: string])[];
  readonly setup: {
    readonly program: string;
    readonly setupCode: string;
    readonly broken: string;
    readonly call: string;
  };
  /** `f(0)` never returns; other arguments come back. */
  readonly looping: string;
  /** `f(0)` takes all memory; other arguments come back. */
  readonly hungry: string;
  /** `f(0)` calls itself for ever; other arguments come back. */
  readonly recursive: string;
  /** `f(0)` ends the interpreter; other arguments come back. Where the language can. */
  readonly exiting?: readonly string[];
  /** Waits for an hour. Where the language can. */
  readonly sleeping?: string;
  /** Prints tens of megabytes. */
  readonly printing: string;
  /** An expression of ten million elements. */
  readonly large: string;
  /** Spoils what it can reach of its interpreter. */
  readonly spoiling: string;
  /** An expression that is true in a fresh interpreter and false in a spoilt one. */
  readonly unspoilt: string;
  /** Computes for some tenths of a second. */
  readonly busy: string;
}

export const PROGRAMS: Readonly<Record<Language, ConformancePrograms>> = {
  python: {
    counting: "n = 0\ndef f(x):\n    global n\n    n += 1\n    return [n, x]\n",
    equal: [
      ["1", "1.0"],
      ["0", "False"],
      ["{1, 2}", "frozenset([2, 1])"],
      ["{'a': 1, 'b': [2]}", "dict(b=[2.0], a=True)"],
      ["'é\\0\\n😀'", "chr(233) + chr(0) + chr(10) + chr(128512)"],
      ["10 ** 300", "int('1' + '0' * 300)"],
    ],
    different: [
      ["(1,)", "[1]"],
      ["'1'", "1"],
      ["None", "0"],
      ["[1, [2]]", "[[1], 2]"],
      ["0.1 + 0.2", "0.3"],
      ["'a,b'", "'a', 'b'"],
    ],
    typed: [
      ["1", "1.0"],
      ["1", "True"],
    ],
    opaque: ["object()", "float('nan')", "lambda: 1", "int"],
    raising: "def f(x):\n    raise ValueError('bad %d' % x)\n",
    raised: "ValueError: bad $",
    broken: [
      ["def f(:\n", "SyntaxError: "],
      ["def f():\n    return [][1]\nx = f()\ndef g():\n    pass\n", "IndexError: list index out of range"],
      ["raise AssertionError('no')\n", "AssertionError: no"],
    ],
    setup: { program: "x = 1\n", setupCode: "y = x + 1", broken: "y = x + z", call: "y" },
    looping: "def f(x):\n    while x == 0:\n        pass\n    return x\n",
    hungry: "def f(x):\n    return x if x else len([0] * 10 ** 9)\n",
    recursive: "def f(x):\n    return x if x else f(0)\n",
    exiting: [
      "import sys\ndef f(x):\n    return x if x else sys.exit()\n",
      "import os\ndef f(x):\n    return x if x else os._exit(0)\n",
      "def f(x):\n    if x == 0:\n        raise SystemExit\n    return x\n",
    ],
    sleeping: "import time\ntime.sleep(3600)\n",
    printing: "for _ in range(2000):\n    print('x' * 20000)\n",
    large: "list(range(10 ** 7))",
    spoiling:
      "import builtins, json, os, sys\nbuiltins.len = lambda x: 0\njson.dumps = None\nsys.setrecursionlimit(50)\nos.chdir('/tmp')\nopen('/tmp/mark', 'w').write('x')\nbuiltins.mark = 1\n",
    unspoilt:
      "len('ab') == 2 and __import__('json').dumps(1) == '1' and not __import__('os').path.exists('/tmp/mark') and 'mark' not in dir(__import__('builtins'))",
    busy: "x = 0\nfor i in range(2 * 10 ** 6):\n    x += i\n",
  },
  javascript: {
    counting: "let n = 0;\nfunction f(x) { n += 1; return [n, x]; }\n",
    equal: [
      ["1", "1.0"],
      ["[1, [2]]", "Array.of(1, [2])"],
      ["'é\\0\\n😀'", "String.fromCodePoint(233, 0, 10, 128512)"],
      ["({ a: 1, b: [2] })", "({ b: [2], a: 1 })"],
    ],
    different: [
      ["'1'", "1"],
      ["null", "undefined"],
      ["[1, [2]]", "[[1], 2]"],
      ["0.1 + 0.2", "0.3"],
      ["true", "1"],
    ],
    typed: [["1", "'1'"]],
    opaque: ["() => 1", "Math.max"],
    raising: "function f(x) { throw new RangeError('bad ' + x); }\n",
    raised: "RangeError: bad $",
    broken: [
      ["function f( {\n", "SyntaxError: "],
      ["null.length;\n", "TypeError: "],
      ["throw new Error('no');\n", "Error: no"],
    ],
    setup: { program: "const x = 1;\n", setupCode: "const y = x + 1;", broken: "const y = x + z;", call: "y" },
    looping: "function f(x) { while (x === 0); return x; }\n",
    hungry: "function f(x) { const all = []; while (x === 0) all.push(new Array(10000).fill(0)); return x; }\n",
    recursive: "function f(x) { return x === 0 ? 1 + f(0) : x; }\n",
    printing: "for (let i = 0; i < 2000; i++) console.log('x'.repeat(20000));\n",
    large: "Array.from({ length: 1e7 }, (_, i) => i)",
    spoiling:
      "Array.prototype.push = () => 0;\nJSON.stringify = () => 'x';\nObject.prototype.mark = 1;\nglobalThis.Map = 5;\nString.prototype.charAt = null;\n",
    unspoilt: "JSON.stringify([1]) === '[1]' && [1].push(2) === 2 && !('mark' in {}) && typeof Map === 'function'",
    busy: "let x = 0;\nfor (let i = 0; i < 3e6; i++) x += i;\n",
  },
};

/** Python programs from standard input to standard output: name, program, input, output. */
export const STDIN_PROGRAMS: readonly (readonly [name: string, program: string, stdin: string, stdout: string])[] = [
  ["input()", "print(input(), input())\n", "a b\nc\n", "a b c\n"],
  ["sys.stdin.read()", "import sys\nprint(sys.stdin.read().split())\n", "a b\nc", "['a', 'b', 'c']\n"],
  ["sys.stdin.buffer", "import sys\nprint(sys.stdin.buffer.read())\n", "é\n", "b'\\xc3\\xa9\\n'\n"],
  ["lines of sys.stdin", "import sys\nfor line in sys.stdin:\n    print(len(line))\n", "a\nbc\n", "2\n3\n"],
  [
    "sys.stdin.readline()",
    "from sys import stdin\nprint(stdin.readline(), stdin.readline(), end='')\n",
    "a\nb\nc",
    "a\n b\n",
  ],
  [
    "the size and content of descriptor 0",
    "import os\nprint(os.read(0, os.fstat(0).st_size))\n",
    "a b\n",
    "b'a b\\n'\n",
  ],
  ["open(0)", "print(open(0).read().split())\n", "a b\n", "['a', 'b']\n"],
  ["open('/dev/stdin')", "print(open('/dev/stdin').read().split())\n", "a b\n", "['a', 'b']\n"],
  ["fileinput", "import fileinput\nprint([line for line in fileinput.input()])\n", "a\n", "['a\\n']\n"],
  ["the main block", "def main():\n    print(__name__)\nif __name__ == '__main__':\n    main()\n", "", "__main__\n"],
  [
    "every way to print, in order",
    "import os, sys\nprint('a', flush=True)\nsys.stdout.write('b')\nsys.stdout.flush()\nsys.stdout.buffer.write(b'c')\nsys.stdout.flush()\nos.write(1, b'd')\nprint('lost', file=sys.stderr)\n",
    "",
    "a\nbcd",
  ],
  ["text that is not ASCII", "print(input(), '😀')\n", "é", "é 😀\n"],
  ["output left in a buffer", "f = open(1, 'w', closefd=False)\nf.write('late')\n", "", "late"],
  [
    "output left in a buffer of the program's own, written by what needs the program's names and refers to itself",
    "from io import IOBase\nfrom os import *\nclass Late(IOBase):\n    def __init__(self):\n        self.me = lambda: self\n    def flush(self):\n        write(1, b'late')\nlate = Late()\nprint('soon')\n",
    "",
    "soon\nlate",
  ],
  ["output at exit", "import atexit\natexit.register(print, 'bye')\nprint('hello')\n", "", "hello\nbye\n"],
  ["sys.exit()", "import sys\nprint(1)\nsys.exit()\nprint(2)\n", "", "1\n"],
  ["sys.exit(0) in a function", "import sys\ndef f():\n    print(1)\n    sys.exit(0)\nf()\nprint(2)\n", "", "1\n"],
  ["exit()", "print(1)\nexit()\nprint(2)\n", "", "1\n"],
  ["quit()", "print(1)\nquit()\nprint(2)\n", "", "1\n"],
  ["os._exit(0)", "import os\nprint(1, flush=True)\nos._exit(0)\nprint(2)\n", "", "1\n"],
  ["nothing", "", "unread", ""],
];
