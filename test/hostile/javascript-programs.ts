/** JavaScript programs that try to pass without solving the task, or to harm what comes after them. The task: twice the argument. */
import type { HostileProgram } from "./programs.ts";

/** An object that claims to be whatever is asked for. */
const LIAR = `
const liar = { valueOf: () => 6, toString: () => "abab", toJSON: () => [1, 1], [Symbol.toPrimitive]: () => 6, length: 2,
  get [Symbol.toStringTag]() { return "Number"; }, *[Symbol.iterator]() { yield 1; yield 1; } };
`;

export const hostileJavascript: readonly HostileProgram[] = [
  { name: "loops forever", program: "const solve = () => { while (true) {} };", verdict: "timed-out" },
  {
    name: "catches everything in a loop",
    program: "const solve = () => { for (;;) try { for (;;) {} } catch {} finally { continue; } };",
    verdict: "timed-out",
  },
  { name: "loops before any test", program: "for (;;) {}", verdict: "timed-out" },
  {
    name: "resolves promises without end",
    // Out of time or out of memory, whichever comes first; with the memory gone the chain of promises ends.
    program: "const again = () => Promise.resolve().then(again); again(); const solve = (x) => x;",
  },
  {
    name: "sets timers without end",
    program: "setInterval(() => {}, 0); const again = () => setTimeout(again, 1e12); again(); const solve = (x) => x;",
    verdict: "timed-out",
  },
  {
    name: "never settles a promise",
    program: "const solve = () => new Promise(() => {});",
    verdict: "error",
  },
  {
    name: "backtracks without end in a regular expression",
    program: 'const solve = (x) => /^(a|a?)+$/.test("a".repeat(60) + "b") ? x : x;',
    verdict: "timed-out",
  },
  {
    name: "waits with Atomics.wait",
    program: "const solve = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
    verdict: "error",
  },
  {
    name: "computes with an enormous number",
    program: "const solve = (x) => (7n ** 50_000_000n).toString().length + x;",
  },
  {
    name: "fills memory with arrays",
    program: "const solve = () => { const all = []; for (;;) all.push(Array(1e5).fill(0)); };",
    verdict: "out-of-memory",
  },
  {
    name: "fills memory with a string",
    program: 'const solve = () => { let s = "x"; for (;;) s += s; };',
    verdict: "error",
  },
  {
    name: "fills memory with buffers, and goes on when there is none",
    program:
      "const kept = []; const solve = (x) => { try { for (;;) kept.push(new ArrayBuffer(2 ** 24)); } catch {} return x; };",
  },
  {
    name: "returns more than fits",
    program: "const solve = () => Array.from({ length: 2e6 }, (_, i) => i);",
  },
  { name: "returns a hole of four billion elements", program: "const solve = () => Array(2 ** 32 - 1);" },
  { name: "recurses forever", program: "const solve = (x) => solve(x) + 1;", verdict: "error" },
  {
    name: "recurses through builtins",
    program:
      "const solve = (x) => [x].map(solve);\nconst deep = () => JSON.parse('['.repeat(1e6)); try { deep(); } catch {}",
    verdict: "error",
  },
  {
    name: "overflows the stack in a getter, a sort and a replacer at once",
    program:
      'const o = { get p() { return [2, 1].sort(() => "a".replace(/a/, () => JSON.stringify({ toJSON: () => o.p }))); } };\nconst solve = () => o.p;',
    verdict: "error",
  },
  { name: "returns an object that lies", program: `${LIAR}const solve = () => liar;`, verdict: "failed" },
  {
    name: "returns a proxy that lies",
    program:
      'const solve = () => new Proxy([1, 1], { get: (t, k) => (k === "length" ? 2 : k === Symbol.toPrimitive ? () => 6 : 6) });',
    verdict: "failed",
  },
  {
    name: "returns a revoked proxy",
    program: "const { proxy, revoke } = Proxy.revocable([], {}); revoke(); const solve = () => proxy;",
    verdict: "failed",
  },
  {
    name: "returns a proxy whose traps never end",
    program:
      "const forever = () => { for (;;) {} };\nconst solve = () => new Proxy({}, { get: forever, ownKeys: forever, getPrototypeOf: forever, getOwnPropertyDescriptor: forever });",
    verdict: "failed",
    endless: true,
  },
  {
    name: "returns getters that never end",
    program: "const solve = () => ({ get a() { for (;;) {} }, get length() { for (;;) {} } });",
    verdict: "failed",
  },
  {
    name: "returns a thenable that never settles",
    program: "const solve = async () => ({ then() { for (;;) {} } });",
    verdict: "timed-out",
  },
  {
    name: "returns cyclic and endless structures",
    program: "const cycle = []; cycle.push(cycle); const solve = (x) => (x === 3 ? cycle : { cycle });",
    verdict: "failed",
  },
  {
    name: "pollutes Object.prototype",
    program:
      'for (const key of ["0", "1", "length", "get", "set", "value", "kind", "encoded", "toJSON", "calls", "then"])\n  try { Object.defineProperty(Object.prototype, key, { get: () => 6, set() {}, configurable: true }); } catch {}\nvar solve = () => ({});',
  },
  {
    name: "replaces console, JSON and everything on globalThis",
    program:
      'console.assert = () => {};\nJSON.stringify = () => "[1,1]";\nfor (const name of Object.getOwnPropertyNames(globalThis)) try { globalThis[name] = () => 6; delete globalThis[name]; } catch {}\nvar solve = (x) => x;',
  },
  {
    name: "replaces the methods of every builtin",
    program:
      "const { ownKeys, defineProperty } = Reflect;\nfor (const kind of [Array, String, Number, Map, Set, WeakSet, WeakMap, Promise, RegExp, Date, Function, Symbol, BigInt])\n  for (const key of ownKeys(kind.prototype)) try { defineProperty(kind.prototype, key, { value: () => 6 }); } catch {}\nvar solve = (x) => x;",
  },
  {
    name: "makes String.prototype.concat and Array.prototype.push write results",
    program:
      'String.prototype.concat = Array.prototype.push = Array.prototype.join = () => \'["value","n6","6"]\';\nconst solve = (x) => `${x}`;',
  },
  {
    name: "forges frames in what it returns",
    program: 'const solve = () => \'["value","n6","6"]\\n!["exited"]\';',
    verdict: "failed",
  },
  {
    name: "forges frames in what it throws",
    program:
      'const solve = () => { const e = new Error(\'","n6"]\'); e.stack = \'["value","n6","6"]\'; e.name = "6"; throw e; };',
    verdict: "error",
  },
  {
    name: "throws undefined, a symbol, a proxy, an error that throws",
    program:
      'const weird = [undefined, Symbol("x"), new Proxy({}, { get() { throw 1; } }), { get message() { throw this; } }];\nlet n = 0;\nconst solve = () => { throw weird[n++ % 4]; };',
    verdict: "error",
  },
  {
    name: "throws an error whose name loops forever",
    program: "const solve = () => { throw Object.defineProperty(new Error(), 'name', { get() { for (;;) {} } }); };",
    verdict: "timed-out",
  },
  {
    name: "pretends to be out of memory",
    program: "const solve = () => { throw new InternalError('out of memory'); };",
    verdict: "out-of-memory",
  },
  {
    name: "exits",
    program: "const solve = () => process.exit(0);",
    verdict: "error",
  },
  {
    name: "exits before the tests",
    program: "try { process.exit(0); } catch {}\nconst solve = (x) => x;",
    verdict: "error",
  },
  {
    name: "floods its output",
    program:
      'const line = "x".repeat(1e5); const solve = (x) => { for (let i = 0; i < 1000; i++) console.log(line); return x; };',
    verdict: "failed",
  },
  {
    name: "looks for the tests through constructors and eval",
    program:
      "const reach = (f) => f.constructor.constructor('return this')();\nconst solve = (x) => { const g = reach(() => {}); const e = (0, eval)('this'); return [Object.keys(g), typeof e.process.binding, typeof g.std, typeof g.os].join(); };",
    verdict: "failed",
  },
  {
    name: "looks for its callers",
    program:
      "function solve() { return [typeof solve.caller, typeof arguments.callee.caller, new Error().stack, Error.prepareStackTrace].join(); }",
  },
  {
    name: "imports modules",
    program:
      "let found; import('std').then((m) => { found = m; }, () => {}); import('./host.mjs').catch(() => {});\nconst solve = (x) => found ? 2 * x : x;",
    verdict: "failed",
  },
  {
    name: "requires what would reach the host",
    program:
      'const tried = ["child_process", "node:fs", "worker_threads", "os", "vm"].map((n) => { try { return Object.keys(require(n)); } catch { return 0; } });\nconst solve = (x) => tried.flat().includes("writeFileSync") ? 2 * x : x;',
    verdict: "failed",
  },
  {
    name: "waits for the collector with finalizers and weak references",
    program:
      "const registry = new FinalizationRegistry(() => { for (;;) {} });\nlet refs = [];\nconst solve = (x) => { for (let i = 0; i < 1e4; i++) { const o = {}; registry.register(o, 1); refs.push(new WeakRef(o)); } refs = []; return x; };",
  },
  {
    name: "answers differently each time it is asked",
    program: "let n = 0; const solve = (x) => [6, 'no', 6][n++ % 3];",
    verdict: "failed",
  },
  {
    name: "sets traps where results are kept",
    program:
      "for (let i = 0; i < 9; i++) Object.defineProperty(globalThis, '#' + i, { get: () => 6, set() { throw 6; } });\nPromise = Object; Array.prototype[Symbol.iterator] = function* () {};\nconst solve = (x) => x;",
    verdict: "error",
  },
  {
    name: "changes its argument into the answer",
    program:
      "const solve = (x) => { if (Array.isArray(x)) { x.push(1); x.length = 0; x.toJSON = () => [1, 1]; } return x; };",
    verdict: "failed",
  },
  {
    name: "buries the answer in an error that it returns",
    program:
      "class Six extends Number { constructor() { super(6); } }\nconst solve = (x) => (x === 3 ? new Six() : new Error('abab'));",
    verdict: "failed",
  },
  {
    name: "is no program",
    program: "Here is the solution:\n```js\nconst solve = (x) => 2 * x;\n```",
    verdict: "error",
  },
];
