/** What programs of each language may count on, as expressions with the value that they have in CPython or in Node. */
import type { Language } from "../../src/sandbox/sandbox.ts";

export interface WorldFeature {
  readonly name: string;
  readonly program?: string;
  readonly call: string;
  /** Expression of the same language for what the call gives. */
  readonly value: string;
}

/** `f(n)` recurses n deep and answers n. Each goes through C. */
const RECURSION: readonly (readonly [name: string, depth: number, program: string])[] = [
  ["a function", 100_000, "def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\n"],
  [
    "a memoized function",
    20_000,
    "from functools import lru_cache\n@lru_cache(None)\ndef f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\n",
  ],
  [
    "a sort's key",
    4000,
    "def f(n):\n    below = []\n    sorted([n], key=lambda m: m and below.append(f(m - 1)))\n    return 1 + below[0] if below else 0\n",
  ],
  ["map", 20_000, "def f(n):\n    return 0 if n == 0 else 1 + list(map(f, [n - 1]))[0]\n"],
  ["sum of a generator", 20_000, "def f(n):\n    return 0 if n == 0 else 1 + sum(f(m) for m in [n - 1])\n"],
  [
    "reduce",
    20_000,
    "from functools import reduce\ndef f(n):\n    return 0 if n == 0 else 1 + reduce(lambda a, b: f(b), [0, n - 1])\n",
  ],
  [
    "__getattr__",
    20_000,
    "class A:\n    def __init__(self, n):\n        self.n = n\n    def __getattr__(self, name):\n        return 0 if self.n == 0 else 1 + A(self.n - 1).depth\ndef f(n):\n    return A(n).depth\n",
  ],
  [
    "__add__",
    20_000,
    "class A:\n    def __init__(self, n):\n        self.n = n\n    def __add__(self, other):\n        return other if self.n == 0 else A(self.n - 1) + (other + 1)\ndef f(n):\n    return A(n) + 0\n",
  ],
  [
    "__call__",
    20_000,
    "class A:\n    def __call__(self, n):\n        return 0 if n == 0 else 1 + self(n - 1)\nf = A()\n",
  ],
  [
    "__missing__",
    20_000,
    "class D(dict):\n    def __missing__(self, n):\n        return 0 if n == 0 else 1 + self[n - 1]\nd = D()\ndef f(n):\n    return d[n]\n",
  ],
  [
    "re.sub",
    10_000,
    "import re\ndef f(n):\n    return 0 if n == 0 else 1 + int(re.sub('x', lambda m: str(f(n - 1)), 'x'))\n",
  ],
  [
    "__repr__",
    10_000,
    "class A:\n    def __init__(self, n):\n        self.n = n\n    def __repr__(self):\n        return '' if self.n == 0 else 'x%r' % A(self.n - 1)\ndef f(n):\n    return len(repr(A(n)))\n",
  ],
  [
    "yield from",
    5000,
    "def g(n):\n    if n:\n        yield from g(n - 1)\n    yield n\ndef f(n):\n    return list(g(n))[-1]\n",
  ],
  [
    "deepcopy",
    4000,
    "import copy\ndef f(n):\n    x = []\n    for _ in range(n):\n        x = [x]\n    y, depth = copy.deepcopy(x), 0\n    while y:\n        y, depth = y[0], depth + 1\n    return depth\n",
  ],
  [
    "json",
    4000,
    "import json\ndef f(n):\n    x = []\n    for _ in range(n):\n        x = [x]\n    return json.dumps(json.loads(json.dumps(x))).count('[') - 1\n",
  ],
  [
    "repr of a list",
    4000,
    "def f(n):\n    x = []\n    for _ in range(n):\n        x = [x]\n    return repr(x).count('[') - 1\n",
  ],
  [
    "freeing nested tuples",
    200_000,
    "def f(n):\n    x = ()\n    for _ in range(n):\n        x = (x,)\n    del x\n    return n\n",
  ],
];

const python: readonly WorldFeature[] = [
  ...RECURSION.map(([name, depth, program]) => ({
    name: `recursion through ${name}`,
    program: `import sys\nsys.setrecursionlimit(10 ** 6)\n${program}`,
    call: `f(${depth})`,
    value: String(depth),
  })),
  { name: "the default limit of recursion", call: "__import__('sys').getrecursionlimit()", value: "1000" },
  {
    name: "recursion without end can be caught",
    program:
      "def f():\n    return f() + 1\ndef g():\n    try:\n        return f()\n    except RecursionError:\n        return 'caught'\n",
    call: "g()",
    value: "'caught'",
  },
  { name: "digits of large integers", call: "len(str(2 ** 20000))", value: "6021" },
  { name: "large integers out of text", call: "int('7' * 5000) % 1000", value: "777" },
  { name: "large integers in literals", call: `${"9".repeat(5000)} + 1 == 10 ** 5000`, value: "True" },
  { name: "large integers in formats", call: "len('%d|{}'.format(10 ** 5000) % (10 ** 5000))", value: "10003" },
  ...["1 << 26", "1 << 27", "1 << 28", "1 << 29"].map((size) => ({
    name: `a thread with a stack of ${size} bytes`,
    program: `import sys, threading\nsys.setrecursionlimit(10 ** 6)\nthreading.stack_size(${size})\ndef g(n):\n    return 0 if n == 0 else 1 + g(n - 1)\nout = []\nt = threading.Thread(target=lambda: out.append(g(50000)))\nt.start()\nt.join()\n`,
    call: "out",
    value: "[50000]",
  })),
  {
    name: "id",
    program: "a, b = [], []\n",
    call: "[id(a) == id(a), id(a) == id(b), type(id(a)).__name__]",
    value: "[True, False, 'int']",
  },
];

const depths: readonly (readonly [name: string, depth: number, program: string])[] = [
  ["functions", 10_000, "function f(n) { return n === 0 ? 0 : 1 + f(n - 1); }"],
  ["arrow functions", 10_000, "const f = (n) => (n === 0 ? 0 : 1 + f(n - 1));"],
  ["methods", 10_000, "class A { f(n) { return n === 0 ? 0 : 1 + this.f(n - 1); } } const f = (n) => new A().f(n);"],
  [
    "functions of many variables",
    10_000,
    "function f(n, a, b) { const { x, y } = { x: n, y: a }; let z = b; return n === 0 ? 0 : 1 + f(x - 1, y, z); }",
  ],
  ["rest parameters", 10_000, "const f = (...a) => (a[0] === 0 ? 0 : 1 + f(...[a[0] - 1]));"],
  [
    "memoized functions",
    5000,
    "const m = new Map(); const f = (n) => { if (!m.has(n)) m.set(n, g(n)); return m.get(n); }; const g = (n) => (n === 0 ? 0 : 1 + f(n - 1));",
  ],
  ["callbacks of map", 5000, "const f = (n) => (n === 0 ? 0 : 1 + [n - 1].map(f)[0]);"],
  [
    "callbacks of sort",
    3000,
    "const f = (n) => { let r = 0; if (n > 0) [1, 2].sort(() => { r = r || 1 + f(n - 1); return 0; }); return r; };",
  ],
  ["generators", 5000, "function* g(n) { if (n > 0) yield* g(n - 1); yield n; } const f = (n) => [...g(n)].at(-1);"],
  [
    "getters",
    10_000,
    "const at = (n) => ({ get depth() { return n === 0 ? 0 : 1 + at(n - 1).depth; } }); const f = (n) => at(n).depth;",
  ],
  [
    "JSON",
    1000,
    "const f = (n) => { let x = []; for (let i = 0; i < n; i++) x = [x]; return JSON.stringify(JSON.parse(JSON.stringify(x))).length / 2 - 1; };",
  ],
];

const javascript: readonly WorldFeature[] = [
  ...depths.map(([name, depth, program]) => ({
    name: `recursion of ${name}`,
    program,
    call: `f(${depth})`,
    value: String(depth),
  })),
  {
    name: "recursion without end can be caught as a RangeError",
    program:
      "const f = () => 1 + f(); const g = () => { try { f(); } catch (e) { return [e instanceof RangeError, e.name]; } };",
    call: "g()",
    value: "[true, 'RangeError']",
  },
  ...(
    [
      [
        "structuredClone({ a: [1, { b: new Date(5) }], m: new Map([[1, new Set([2])]]) })",
        "({ a: [1, { b: new Date(5) }], m: new Map([[1, new Set([2])]]) })",
      ],
      ["(() => { const a = {}; a.me = a; const b = structuredClone(a); return b.me === b && b !== a; })()", "true"],
      ["(() => { try { structuredClone(() => 1); } catch (e) { return e.name; } })()", "'DataCloneError'"],
      ["[...new TextEncoder().encode('é😀')]", "[195, 169, 240, 159, 152, 128]"],
      ["new TextDecoder().decode(new Uint8Array([239, 187, 191, 195, 169, 255, 226, 130, 65]))", "'é\\ufffd\\ufffdA'"],
      [
        "new URL('../x y?a=1&b=%20#h', 'https://me:pw@Example.com:443/a/b/c').href",
        "'https://me:pw@example.com/a/x%20y?a=1&b=%20#h'",
      ],
      [
        "(() => { const u = new URL('http://a:8080/b'); u.searchParams.append('q', 'é &'); return [u.host, u.port, u.search]; })()",
        "['a:8080', '8080', '?q=%C3%A9+%26']",
      ],
      [
        "(() => { try { new URL('x'); } catch (e) { return [e.name, e.code]; } })()",
        "['TypeError', 'ERR_INVALID_URL']",
      ],
      ["[...new URLSearchParams('a=1&b=x+y&a=2')]", "[['a', '1'], ['b', 'x y'], ['a', '2']]"],
      ["[btoa('hello'), atob('aGVsbG8=')]", "['aGVsbG8=', 'hello']"],
      ["(() => { try { atob('a'); } catch (e) { return e.name; } })()", "'InvalidCharacterError'"],
      [
        "new Promise((done) => { const order = []; setTimeout(() => { order.push('timer'); done(order); }, 5); queueMicrotask(() => order.push('micro')); process.nextTick(() => order.push('tick')); setImmediate(() => order.push('immediate')); })",
        "['micro', 'tick', 'immediate', 'timer']",
      ],
      [
        "new Promise((done) => { let n = 0; const id = setInterval(() => { if (++n === 3) { clearInterval(id); done(n); } }, 1); clearTimeout(setTimeout(() => done('no'), 1)); })",
        "3",
      ],
      ["[typeof performance.now(), typeof process.hrtime.bigint()]", "['number', 'bigint']"],
      [
        "require('node:util').inspect({ a: [1, { b: { c: { d: 1 } } }], m: new Map([['k', 'v']]) }).replace(/\\s+/g, ' ')",
        "\"{ a: [ 1, { b: [Object] } ], m: Map(1) { 'k' => 'v' } }\"",
      ],
      ["require('assert').deepStrictEqual({ a: [1] }, { a: [1] })", "undefined"],
      [
        "(() => { try { require('assert').strictEqual(1, 2); } catch (e) { return [e.name, e.code]; } })()",
        "['AssertionError', 'ERR_ASSERTION']",
      ],
      [
        "[[1, 2, 3].findLast((x) => x < 3), [3, 1].toSorted(), [1].at(-1), Object.groupBy([1, 2], (x) => (x % 2 ? 'odd' : 'even'))]",
        "[2, [1, 3], 1, { odd: [1], even: [2] }]",
      ],
      ["/(?<=a)(?<n>b)/.exec('ab').groups.n + /[\\p{L}--[a-z]]/v.test('A')", "'btrue'"],
    ] as const
  ).map(([call, value]) => ({ name: call, call, value })),
  {
    name: "a name of the world may be taken",
    program: "const URL = 1; function atob() { return 2; } var btoa = 3;",
    call: "[URL, atob(), btoa]",
    value: "[1, 2, 3]",
  },
];

export const WORLD: Readonly<Record<Language, readonly WorldFeature[]>> = { python, javascript };

/** Calls whose text would hold an address, after the program `ADDRESSES`. */
export const ADDRESSES = "class A:\n    pass\na = A()\nimport threading\ndef f(x):\n    raise ValueError(x)\n";
export const ADDRESS_CALLS = [
  "a",
  "[a, f, A().__init__, object(), (x for x in ())]",
  "repr(a)",
  "{'key': str(f)}",
  "f(a)",
  "f([lambda: 1])",
  "'%s' % (a,) + 1",
  "id(a)",
  "[id(x) for x in [A(), A()]]",
  "hex(id(f))",
  "threading.current_thread()",
  "repr(a) * 30",
];

/** JavaScript programs from standard input to standard output, white space aside: name, program, input, output. */
export const JAVASCRIPT_STDIN: readonly (readonly [name: string, program: string, stdin: string, stdout: string])[] = [
  ["readFileSync", "console.log(require('fs').readFileSync(0, 'utf8').trim().split('\\n').length);", "1\n2\n", "2"],
  ["/dev/stdin", "console.log(require('fs').readFileSync('/dev/stdin').toString().trim());", "a\n", "a"],
  [
    "lines of readline",
    "const rl = require('readline').createInterface({ input: process.stdin }); let n = 0; rl.on('line', (l) => { n += Number(l); }).on('close', () => console.log(n));",
    "1\n2\n39",
    "42",
  ],
  [
    "readline, line by line with for await",
    "(async () => { const out = []; for await (const l of require('readline').createInterface({ input: process.stdin })) out.push(l); console.log(out); })();",
    "a\nb\n",
    "[ 'a', 'b' ]",
  ],
  [
    "readline that is closed early",
    "const rl = require('readline').createInterface({ input: process.stdin }); rl.on('line', (l) => { console.log(l); rl.close(); }); rl.on('close', () => console.log('end'));",
    "a\nb\n",
    "a end",
  ],
  [
    "questions",
    "const rl = require('readline').createInterface({ input: process.stdin, output: process.stdout }); rl.question('', (a) => rl.question('', (b) => { console.log(a + b); rl.close(); }));",
    "1\n2\n",
    "12",
  ],
  [
    "questions with promises",
    "const rl = require('readline/promises').createInterface({ input: process.stdin }); (async () => { const a = await rl.question(''); const b = await rl.question(''); console.log(a + b); rl.close(); })();",
    "1\n2\n",
    "12",
  ],
  [
    "data and end",
    "let s = ''; process.stdin.setEncoding('utf8'); process.stdin.on('data', (c) => { s += c; }); process.stdin.on('end', () => console.log(s.length));",
    "abc\n",
    "4",
  ],
  [
    "readable and read",
    "process.stdin.on('readable', () => { let c; while ((c = process.stdin.read()) !== null) console.log(c); });",
    "abc\n",
    "abc",
  ],
  [
    "end without input",
    "process.stdin.on('data', () => console.log('no')); process.stdin.on('end', () => console.log('end'));",
    "",
    "end",
  ],
  [
    "values as Node prints them",
    "class P { constructor() { this.x = 1; } } console.log([1, 'a', null], { a: { b: { c: { d: 1 } } } }, new P(), new Set([1]), () => 1, -0, 10n, [undefined, , 3]);",
    "",
    "[ 1, 'a', null ] { a: { b: { c: [Object] } } } P { x: 1 } Set(1) { 1 } [Function (anonymous)] -0 10n [ undefined, <1 empty item>, 3 ]",
  ],
  ["directives", "console.log('%s is %d, %j', 'x', 1.5, { a: 1 }, 'y');", "", 'x is 1.5, {"a":1} y'],
];
