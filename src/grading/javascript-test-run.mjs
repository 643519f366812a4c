/**
 * Runs a JavaScript test against what a program answered. `createTestRun` is sent as source text into a trusted realm and
 * uses nothing outside itself; the function it returns takes and gives JSON: `{ what: "plan", source }` or
 * `{ what: "replay", source, recording: [[call, answer], …] }`.
 *
 * The test's code runs inside `with (scope)`, so that a name which neither the test nor the language defines is looked up in
 * `scope`, which hands out stand-ins for the program's values. Using a stand-in asks for an answer of the program by the
 * text of an expression. Every call's result is also kept in the program's process (`globalThis["#3"]`), so that a test can
 * go on with what has no text: closures, instances of classes. Where an answer is missing the run ends; it is then repeated to
 * look ahead, with a value that puts up with everything in the place of missing answers, to learn of later calls.
 */

/**
 * @param {(proxies: WeakSet<object>) => { shown(value: any): string }} createEncoding
 * @param {(standIn: (kind: string, source: string) => unknown) => { build(json: any, source?: string): any, sourceOf(value: any, sourceOfOther: (value: any) => string | undefined): string | null }} createDecoding
 */
export function createTestRun(createEncoding, createDecoding) {
  const MAX_CALLS = 5000;
  const MAX_GUESSES = 20_000;
  /** Lines before the test's first, in what the engine counts. */
  const LINES_BEFORE = 3;

  /** Ends a run of the test before its end. */
  class Stop extends Error {
    /** @param {"missing" | "failed" | "endless" | "unsupported"} why */
    constructor(why, detail = "") {
      super(detail);
      this.why = why;
    }
  }

  /** @typedef {{ line: number, column: number }} Position In the test's source, from 1. */

  /** The first place in the test that a stack names. @type {(stack: unknown) => Position | undefined} */
  function positionIn(stack) {
    const found = /<input>:(\d+):(\d+)/.exec(String(stack));
    return found ? { line: Number(found[1]) - LINES_BEFORE, column: Number(found[2]) } : undefined;
  }

  /** @type {(source: string) => Function} */
  const compile = (source) => new Function("scope", `with (scope) { (function () {\n${source}\n})(); }`);

  function seedRandom() {
    let state = 0x1f123bb5;
    Math.random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      const mixed = Math.imul(state ^ (state >>> 16), 0x45d9f3b);
      return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
    };
  }

  /** @type {(test: string, recording: [string, [string, string]][], looksAhead: boolean) => any} */
  function execute(test, recording, looksAhead) {
    /** The places of a call's answers in the recording, the next one last. @type {Map<string, number[]>} */
    const places = new Map();
    for (let place = recording.length - 1; place >= 0; place--) {
      const call = recording[place]?.[0] ?? "";
      const found = places.get(call);
      if (found) found.push(place);
      else places.set(call, [place]);
    }
    /** @type {string[]} */
    const calls = [];
    let missing = -1;
    let guesses = 0;
    let slots = 0;
    /** Values of the program since the last assertion. @type {any[]} */
    let values = [];
    /** @type {{ position: Position | undefined, obtained?: string } | undefined} */
    let failure;
    /** Expressions of stand-ins. @type {WeakMap<object, string>} */
    const sources = new WeakMap();
    /** Places in the recording from which errors came. @type {WeakMap<object, number>} */
    const raisedAt = new WeakMap();

    function guess() {
      if (++guesses > MAX_GUESSES) throw new Stop("endless");
    }
    const nothing = () => {};
    /** In the place of a value that is not known yet: puts up with everything. @type {any} */
    const unknown = new Proxy(function () {}, {
      get(_, key) {
        guess();
        if (key === Symbol.toPrimitive) return () => NaN;
        if (key === Symbol.iterator) return () => ({ next: () => ({ done: true, value: undefined }) });
        if (typeof key === "symbol" || key === "then") return undefined;
        return key === "length" ? 0 : unknown;
      },
      set: () => true,
      apply() {
        guess();
        return unknown;
      },
      construct() {
        guess();
        return unknown;
      },
    });

    /**
     * Typed JSON of the program's answer; `undefined` for one that is missing, which without looking ahead ends the run.
     * @type {(call: string) => any}
     */
    function ask(call) {
      calls.push(call);
      if (calls.length > MAX_CALLS) throw new Stop("endless");
      const place = places.get(call)?.pop();
      if (place === undefined) {
        if (missing < 0) missing = calls.length - 1;
        if (!looksAhead) throw new Stop("missing");
        return undefined;
      }
      const [kind, text] = /** @type {[string, [string, string]]} */ (recording[place])[1];
      if (kind === "raised") throw raised(text, place);
      return JSON.parse(text);
    }

    /** @type {(text: string, place: number) => unknown} */
    function raised(text, place) {
      const [, name = "", message = ""] = /^(\w+): ([^]*)$/.exec(text) ?? [];
      let error;
      if (text.startsWith("Uncaught ")) {
        try {
          error = JSON.parse(text.slice(9));
        } catch {
          error = new Error(text);
        }
      } else {
        const kind = /** @type {any} */ (globalThis)[name];
        const isKind = typeof kind === "function" && (kind === Error || Object.getPrototypeOf(kind) === Error);
        error = new (isKind && name !== "AggregateError" ? kind : Error)(message);
        if (error.name !== name) Object.defineProperty(error, "name", { value: name || "Error", configurable: true });
      }
      if (typeof error === "object" && error !== null) raisedAt.set(error, place);
      else lastPrimitive = { error, place };
      return error;
    }
    /** A thrown value that is no object has no identity to be known by. @type {{ error: unknown, place: number } | undefined} */
    let lastPrimitive;

    /** @type {(source: string, kind: string) => any} */
    function standIn(source, kind) {
      const isFunction = kind === "1function";
      const refuse = () => {
        throw new TypeError("a test cannot look into this value of the program");
      };
      const member = (/** @type {string} */ key) =>
        /^[A-Za-z_$][\w$]*$/.test(key) ? `${source}.${key}` : `${source}[${JSON.stringify(key)}]`;
      const isInstance = (/** @type {any} */ value) => {
        const text = textsOf([value]);
        return text.isUnknown || ask(`${text.list} instanceof ${source}`) === true;
      };
      const proxy = new Proxy(isFunction ? function () {} : {}, {
        get(target, key) {
          if (key === Symbol.hasInstance && source !== "") return isInstance;
          if (typeof key === "symbol" || key === "then" || key === "toJSON") return undefined;
          if (key === "prototype") return Reflect.get(target, key);
          return source === "" ? refuse() : read(member(key));
        },
        set(_, key, value) {
          const text = typeof key === "string" && source !== "" ? textsOf([value]) : refuse();
          if (text.isUnknown) guess();
          else ask(`${member(String(key))} = ${text.list}`);
          return true;
        },
        apply: (_, _self, given) => (source === "" ? refuse() : invoke(source, given)),
        construct: (_, given) => (source === "" ? refuse() : invoke(`new ${source}`, given)),
        has: refuse,
        ownKeys: refuse,
        deleteProperty: refuse,
        defineProperty: refuse,
      });
      sources.set(proxy, source);
      return proxy;
    }
    const encoding = createEncoding(new WeakSet());
    const decoding = createDecoding((kind, source) => standIn(source, kind));

    /** A value from the program's answer; what has no text becomes a stand-in at `source`. @type {(json: any, source: string) => any} */
    function valueOf(json, source) {
      return decoding.build(json, source);
    }

    /** The program's value at an expression that has no effect. @type {(source: string) => any} */
    function read(source) {
      const json = ask(source);
      return json === undefined ? standIn(source, "1function") : valueOf(json, source);
    }

    /** Expressions of values for the program, separated by commas. @type {(given: any[]) => { list: string, isUnknown: boolean, isMutable: boolean }} */
    function textsOf(given) {
      let isUnknown = false;
      let isMutable = false;
      const texts = given.map((value) => {
        const text = decoding.sourceOf(value, (part) => {
          if (part === unknown) {
            isUnknown = true;
            return "";
          }
          const isObject = (typeof part === "object" && part !== null) || typeof part === "function";
          const known = isObject ? sources.get(part) : undefined;
          if (isObject && known === undefined) isMutable = true;
          return known === "" ? undefined : known;
        });
        if (text === null)
          throw new Stop("unsupported", "the program is given a value that has no text, such as a function");
        return text;
      });
      return { list: texts.join(", "), isUnknown, isMutable };
    }

    /** @type {(callee: string, given: any[]) => any} */
    function invoke(callee, given) {
      const { list, isUnknown, isMutable } = textsOf(given);
      if (isUnknown) {
        guess();
        return unknown;
      }
      const slot = `globalThis["#${slots++}"]`;
      const json = ask(
        isMutable
          ? `(($a) => { const $r = ${slot} = ${callee}(...$a); return $r instanceof Promise ? $r.then(($v) => [$v, $a]) : [$r, $a]; })([${list}])`
          : `${slot} = ${callee}(${list})`,
      );
      if (json === undefined) return callee.startsWith("new ") ? standIn(slot, "1object") : unknown;
      const result = isMutable ? withChanges(json, given, slot) : valueOf(json, slot);
      values.push(result);
      return result;
    }

    /** Changes the arguments as the call changed them, and returns its result. @type {(json: any, given: any[], slot: string) => any} */
    function withChanges(json, given, slot) {
      const isPromise = json?.[0] === "promise";
      const pair = isPromise ? json[1] : json;
      // Too large to be told, or not what was asked for.
      if (pair?.[0] !== "array" || pair[1].length !== 2 || pair[1][1]?.[0] !== "array") return standIn("", "1object");
      const [result, changed] = pair[1];
      for (const [index, value] of given.entries())
        if (typeof value === "object" && value !== null && !sources.has(value))
          become(value, decoding.build(changed[1][index] ?? null));
      return isPromise ? decoding.build(["promise", result]) : valueOf(result, slot);
    }

    const print = { log: nothing, info: nothing, debug: nothing, warn: nothing, error: nothing };
    const consoleOfTest = {
      ...print,
      assert(/** @type {any} */ condition) {
        if (looksAhead) return;
        if (condition) {
          values = [];
          return;
        }
        const [only] = values;
        failure ??= {
          position: positionIn(new Error("").stack),
          ...(values.length === 1 && { obtained: shownIn(only) }),
        };
        throw new Stop("failed");
      },
    };
    /** @type {(value: any) => string} */
    function shownIn(value) {
      if ((typeof value !== "object" || value === null) && typeof value !== "function") return encoding.shown(value);
      if (sources.has(value)) return typeof value === "function" ? "[function]" : "[object]";
      return encoding.shown(value);
    }

    /** What the test has assigned without declaring it, and the program's functions. @type {Map<string, any>} */
    const names = new Map([["console", consoleOfTest]]);
    const scope = new Proxy(
      {},
      {
        has: (_, name) => typeof name === "string" && (names.has(name) || !(name in globalThis)),
        get(_, name) {
          if (typeof name === "symbol") return undefined;
          if (names.has(name)) return names.get(name);
          const value = read(name);
          if (typeof value === "function" && sources.has(value)) names.set(name, value);
          return value;
        },
        set(_, name, value) {
          if (typeof name === "string") names.set(name, value);
          return true;
        },
      },
    );

    seedRandom();
    /** @type {any} */
    let end = { kind: "passed" };
    try {
      compile(test)(scope);
    } catch (error) {
      const isObject = typeof error === "object" && error !== null;
      const place = isObject ? raisedAt.get(error) : lastPrimitive?.error === error ? lastPrimitive?.place : undefined;
      const position = isObject && "stack" in error ? positionIn(error.stack) : undefined;
      if (error instanceof Stop)
        end = error.why === "unsupported" ? { kind: "unsupported", reason: error.message } : { kind: "timed-out" };
      else if (place !== undefined) end = { kind: "error", raised: place, position };
      else {
        const exception = error instanceof Error ? `${error.name}: ${error.message}` : `Uncaught ${shownIn(error)}`;
        end = { kind: "error", exception: exception.slice(0, 300), position };
      }
    }
    if (failure) end = { kind: "failed", ...failure };
    return { calls, missing, end };
  }

  /** Gives an object the contents of another of its kind. @type {(old: any, now: any) => void} */
  function become(old, now) {
    if (typeof now !== "object" || now === null || Object.getPrototypeOf(old) !== Object.getPrototypeOf(now)) return;
    if (old instanceof Date) old.setTime(now.getTime());
    else if (old instanceof Map) {
      old.clear();
      for (const [key, value] of now) old.set(key, value);
    } else if (old instanceof Set) {
      old.clear();
      for (const value of now) old.add(value);
    } else if (ArrayBuffer.isView(old)) /** @type {any} */ (old).set(now);
    else {
      for (const key of Object.keys(old)) delete old[key];
      if (Array.isArray(old)) old.length = now.length;
      Object.defineProperties(old, Object.getOwnPropertyDescriptors(now));
    }
  }

  /** @type {(source: string) => unknown} */
  function plan(source) {
    try {
      compile(source);
    } catch (error) {
      return { kind: "invalid", reason: String(error), position: positionIn(/** @type {any} */ (error)?.stack) };
    }
    const { calls, end } = execute(source, [], true);
    if (end.kind === "unsupported") return { kind: "invalid", reason: end.reason };
    if (calls.length === 0) return { kind: "invalid", reason: "the test uses nothing of the program" };
    return { kind: "replay", calls };
  }

  /** @type {(source: string, recording: [string, [string, string]][]) => unknown} */
  function replay(source, recording) {
    const { calls, missing, end } = execute(source, recording, false);
    if (end.kind === "unsupported") return end;
    if (missing < 0) return { calls, ...end };
    const ahead = execute(source, recording, true);
    return { kind: "needs", calls: ahead.calls, missing: ahead.missing };
  }

  return (/** @type {string} */ text) => {
    const request = JSON.parse(text);
    return JSON.stringify(request.what === "plan" ? plan(request.source) : replay(request.source, request.recording));
  };
}
