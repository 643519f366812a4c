import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PATIENT_MS } from "../../../test/cpu-limits.ts";
import { createDecoding } from "./decoding.mjs";
import { type QuickjsSandbox, createQuickjsSandbox } from "./quickjs-sandbox.ts";

const scalars =
  String.raw`undefined|null|true|false|0|1|-1|1.5|1e21|0.1+0.2|0.3|NaN|Infinity|-Infinity|0n|1n|-1n|10n**30n
  |""|"0"|"1"|"a"|"ab"|"\"a"|"é"|"\ud800"|"\u2028"|"\u0000"|","|"n1"|new Date(0)|new Date(1)
  |/a/|/a/g|/a/gi|/b/|[]|{}|[,]|[undefined]|[,1]|[1,,]|new Map()|new Set()|new Uint8Array(2)|new Uint8Array([0,1])
  |new Int8Array(2)|new Float64Array([0.5,NaN])|new BigInt64Array([1n])`
    .split("|")
    .map((text) => text.trim());

/** Expressions of values, small and alike, so that many pairs are equal without being the same text. */
const { value } = fc.letrec<{ value: string }>((tie) => {
  const some = fc.array(tie("value"), { maxLength: 3 });
  const key = fc.constantFrom("a", "b", "1", "10", "2", "__proto__", "length", "constructor", "");
  return {
    value: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      { arbitrary: fc.constantFrom(...scalars), weight: 2 },
      { arbitrary: some.map((items) => `[${items.join(",")}]`), weight: 2 },
      { arbitrary: some.map((items) => `new Set([${items.join(",")}])`), weight: 1 },
      {
        arbitrary: fc
          .array(fc.tuple(tie("value"), tie("value")), { maxLength: 2 })
          .map((items) => `new Map([${items.map((item) => `[${item.join(",")}]`).join(",")}])`),
        weight: 1,
      },
      {
        arbitrary: fc
          .array(fc.tuple(key, tie("value")), { maxLength: 3 })
          .map((items) => `({${items.map(([name, item]) => `[${JSON.stringify(name)}]: ${item}`).join(",")}})`),
        weight: 2,
      },
    ),
  };
});
/** Pairs of objects, Maps and Sets with the same entries in two orders. */
const sameInOtherOrder = fc
  .sample(fc.tuple(value, value), { numRuns: 100, seed: 4 })
  .flatMap(([a, b]): [string, string][] => [
    [`new Set([${a}, ${b}])`, `new Set([${b}, ${a}])`],
    [`new Map([[1, ${a}], ["1", ${b}]])`, `new Map([["1", ${b}], [1, ${a}]])`],
    [`({ x: ${a}, y: ${b} })`, `({ y: ${b}, x: ${a} })`],
    [`[${a}, ${b}]`, `[${b}, ${a}]`],
  ]);
// oxlint-disable-next-line no-implied-eval, no-new-func -- Expressions made above, nothing else.
const evaluate = (expression: string): unknown => new Function(`return (${expression})`)();

describe("the encoding of JavaScript values", () => {
  let sandbox: QuickjsSandbox;
  beforeAll(async () => {
    sandbox = await createQuickjsSandbox({ workers: 1 });
  });
  afterAll(() => sandbox.close());

  async function encode(calls: readonly string[], encoding: "canonical" | "typed", program = ""): Promise<string[]> {
    const limits = { cpuTimeMs: PATIENT_MS, memoryBytes: 2 ** 27 };
    const result = await sandbox.run({ program, calls, encoding, limits });
    expect(result.kind).toBe("finished");
    if (result.kind !== "finished") return [];
    return result.calls.map((call) => (call.kind === "value" ? call.encoded : `raised ${call.exception}`));
  }

  test("gives two values the same canonical text exactly if they are deeply equal", async () => {
    const pairs = [
      ...fc.sample(fc.tuple(value, value), { numRuns: 1000, seed: 1 }),
      ...sameInOtherOrder,
      ...scalars.flatMap((left) => scalars.map((right) => [left, right] as [string, string])),
    ];
    const expressions = [...new Set(pairs.flat())];
    const texts = await encode(expressions, "canonical");
    const textOf = new Map(expressions.map((expression, index) => [expression, texts[index]]));
    expect(texts.filter((text) => text.startsWith("?"))).toEqual([]);
    const wrong = pairs.filter(
      ([left, right]) =>
        isDeepStrictEqual(evaluate(left), evaluate(right)) !== (textOf.get(left) === textOf.get(right)),
    );
    expect(wrong).toEqual([]);
    // Among them are pairs that are equal without being the same text.
    const alike = pairs.filter(([left, right]) => left !== right && textOf.get(left) === textOf.get(right));
    expect(alike.length).toBeGreaterThan(30);
  });

  test("typed text gives back the value, order of keys, holes and -0 included", async () => {
    const expressions = [...scalars, "-0", "[-0, [,]]", "Object.create(null)"].concat(
      fc.sample(value, { numRuns: 800, seed: 2 }),
    );
    const { build } = createDecoding((kind) => kind);
    const texts = await encode(expressions, "typed");
    const wrong = expressions.filter((expression, index) => {
      const original = evaluate(expression);
      const back: unknown = build(JSON.parse(texts[index] ?? ""));
      return !isDeepStrictEqual(back, original) || inOrder(back) !== inOrder(original);
    });
    expect(wrong).toEqual([]);
  });

  test("typed text that names anything but a builtin kind of data makes nothing", () => {
    const { build } = createDecoding((kind) => kind);
    for (const kind of ["Function", "Proxy", "eval", "__proto__"]) expect(build([kind, ["return 1"]])).toBe("1object");
  });

  test("source text of a value evaluates to an equal value", () => {
    const { sourceOf } = createDecoding((kind) => kind);
    const expressions = [...scalars, "-0", "Object.create(null)"].concat(fc.sample(value, { numRuns: 500, seed: 3 }));
    const wrong = expressions.filter((expression) => {
      const original = evaluate(expression);
      const source = sourceOf(original, () => undefined);
      return source === null || !isDeepStrictEqual(evaluate(source), original);
    });
    expect(wrong).toEqual([]);
    expect(sourceOf([() => 1], () => undefined)).toBeNull();
  });

  test("numbers are told apart as SameValueZero does; prototypes, extra properties and symbols do not count", async () => {
    const same = ["[0]", "[-0]", "Object.assign([0], { a: 1 })"];
    expect(new Set(await encode(same, "canonical")).size).toBe(1);
    const plain = ["({ a: 1 })", "Object.assign(Object.create(null), { a: 1 })", "({ a: 1, [Symbol.iterator]: 2 })"];
    expect(new Set(await encode(plain, "canonical")).size).toBe(1);
  });

  test("what is no plain data has a text that equals nothing, and is not asked", async () => {
    const program = `
      let asked = 0;
      const lie = () => { asked++; return 1; };
      class Point { constructor() { this.x = 1; } toJSON() { return lie(); } valueOf() { return lie(); } }
      const traps = new Proxy({}, { get: (_, trap) => (...rest) => { lie(); return Reflect[trap](...rest); } });
      const cycle = []; cycle.push(cycle);
      const spiral = [];
      for (let i = 0, inner = spiral; i < 500; i++) inner.push(inner = []);
      const forged = Object.create(Map.prototype);
      const wide = [1, 1].concat(Array(1e6).fill(0));
    `;
    const calls = [
      ..."lie|Symbol()|new Point()|[new Point()]|new Proxy([1], traps)|[new Proxy({}, traps)]|cycle|spiral|forged|wide|new Error('x')".split(
        "|",
      ),
      ..."({ get x() { return lie(); } })|new Number(1)|new Proxy(lie, traps)|Proxy.revocable({}, traps).proxy|new (class extends Array {})()".split(
        "|",
      ),
      "Object.setPrototypeOf(new Uint8Array(1), new Proxy(Uint8Array.prototype, traps))",
      "'x'.repeat(9e6)",
      "2n ** 300000n",
    ];
    const texts = await encode([...calls, "asked"], "canonical", program);
    expect(texts.slice(0, -1).filter((text) => !text.startsWith("?1"))).toEqual([]);
    expect(texts.at(-1)).toBe("n0");
    const typed = await encode(["[1, lie]", "asked"], "typed", program);
    expect(typed).toEqual(['["array",[1,["?","1function"]]]', "0"]);
  });

  test("a realm whose builtins the program has replaced is encoded like any other", async () => {
    const calls = ["[1, 'a', { b: map, a: /x/g }, new Date(3), 1n]", "({ z: [,-0], y: null })", "new Uint8Array(2)"];
    const untouched = "const map = new Map([[1, new Set([2])]]);";
    const program = `${untouched}
      const { ownKeys, defineProperty } = Reflect;
      const kinds = [Object, Array, String, Number, BigInt, Map, Set, Date, RegExp, WeakSet];
      for (let i = 0; i < kinds.length; i++)
        for (let keys = ownKeys(kinds[i].prototype), j = 0; j < keys.length; j++)
          defineProperty(kinds[i].prototype, keys[j], { __proto__: null, value: () => "6", configurable: true });
      const poison = { __proto__: null, get: () => () => 6, set() { throw 1; }, configurable: true };
      defineProperty(Object.prototype, "0", poison);
      defineProperty(Object.prototype, "toJSON", poison);
      defineProperty(Object.prototype, "get", poison);
      Reflect.ownKeys = Reflect.apply = Reflect.getOwnPropertyDescriptor = JSON.stringify = Array.isArray = () => 6;
    `;
    for (const encoding of ["canonical", "typed"] as const)
      expect(await encode(calls, encoding, program)).toEqual(await encode(calls, encoding, untouched));
  });
});

/** Keys in order and signs of zeros: what deep equality does not compare. */
function inOrder(item: unknown): string {
  if (Object.is(item, -0)) return "-0";
  if (typeof item !== "object" || item === null) return "";
  if (item instanceof Map || item instanceof Set) return `(${[...item].map(inOrder).join()})`;
  return `{${Object.entries(item)
    .map(([key, inner]) => key + inOrder(inner))
    .join()}}`;
}
