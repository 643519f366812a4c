/**
 * The modules that a program can `require`, as far as programs that compute need them. Evaluated in the program's realm
 * when one is first needed, from its source text: it must not use anything outside itself.
 */

/**
 * @param {{ stdin: () => string, print: (text: string) => void, format: (...items: any[]) => string,
 *   inspect: (value: any, options?: any) => string, equal: (left: any, right: any) => boolean }} host
 * @returns {{ modules: Record<string, any>, input: any }}
 */
export function createModules({ stdin, print, format, inspect, equal }) {
  const world = /** @type {any} */ (globalThis);
  const { setImmediate, setTimeout } = world;

  class EventEmitter {
    /** @type {Map<any, { listener: any, once: boolean }[]>} */
    #listeners = new Map();
    on(/** @type {any} */ name, /** @type {any} */ listener) {
      this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), { listener, once: false }]);
      return this;
    }
    once(/** @type {any} */ name, /** @type {any} */ listener) {
      this.on(name, listener);
      const added = this.#listeners.get(name)?.at(-1);
      if (added) added.once = true;
      return this;
    }
    addListener(/** @type {any} */ name, /** @type {any} */ listener) {
      return this.on(name, listener);
    }
    off(/** @type {any} */ name, /** @type {any} */ listener) {
      const list = [...(this.#listeners.get(name) ?? [])];
      const index = list.findLastIndex((entry) => entry.listener === listener);
      if (index >= 0) list.splice(index, 1);
      this.#listeners.set(name, list);
      return this;
    }
    removeListener(/** @type {any} */ name, /** @type {any} */ listener) {
      return this.off(name, listener);
    }
    removeAllListeners(/** @type {any} */ name) {
      if (name === undefined) this.#listeners.clear();
      else this.#listeners.delete(name);
      return this;
    }
    emit(/** @type {any} */ name, /** @type {any[]} */ ...values) {
      const list = this.#listeners.get(name) ?? [];
      if (list.length === 0 && name === "error") throw values[0];
      for (const { listener, once } of list) {
        if (once) this.off(name, listener);
        listener.apply(this, values);
      }
      return list.length > 0;
    }
    listenerCount(/** @type {any} */ name) {
      return this.#listeners.get(name)?.length ?? 0;
    }
    listeners(/** @type {any} */ name) {
      return (this.#listeners.get(name) ?? []).map(({ listener }) => listener);
    }
  }

  /** Standard input as a stream: one piece, then its end, once somebody listens. */
  class Input extends EventEmitter {
    fd = 0;
    isTTY = false;
    #flows = false;
    #read = false;
    /**
     * @override
     * @param {any} name
     * @param {any} listener
     */
    on(name, listener) {
      super.on(name, listener);
      if (name === "data" || name === "end" || name === "readable") this.resume();
      return this;
    }
    resume() {
      if (this.#flows) return this;
      this.#flows = true;
      setImmediate(() => {
        if (this.listenerCount("readable") > 0) this.emit("readable");
        else if (!this.#read && stdin() !== "") this.emit("data", stdin());
        this.emit("end");
        this.emit("close");
      });
      return this;
    }
    read() {
      if (this.#read || stdin() === "") return null;
      this.#read = true;
      return stdin();
    }
    pause() {
      return this;
    }
    setEncoding() {
      return this;
    }
    pipe(/** @type {any} */ into) {
      this.on("data", (/** @type {string} */ text) => into.write(text));
      return into;
    }
    async *[Symbol.asyncIterator]() {
      if (stdin() !== "") yield stdin();
    }
  }
  const input = new Input();

  class Interface extends EventEmitter {
    #lines = stdin().split(/\r\n|\n|\r/);
    #next = 0;
    #closed = false;
    #started = false;
    /** @type {((line: string) => void)[]} */
    #questions = [];
    constructor() {
      super();
      if (this.#lines.at(-1) === "") this.#lines.pop();
    }
    /**
     * @override
     * @param {any} name
     * @param {any} listener
     */
    on(name, listener) {
      super.on(name, listener);
      if (name === "line" || name === "close") this.#start();
      return this;
    }
    #start() {
      if (this.#started) return;
      this.#started = true;
      setImmediate(() => this.#go());
    }
    /** A line per turn, so that what promises wait for it runs before the next. */
    #go() {
      if (this.#closed) return;
      const line = this.#lines[this.#next];
      if (line === undefined) return this.close();
      if (this.#questions.length > 0 || this.listenerCount("line") > 0) {
        this.#next++;
        const question = this.#questions.shift();
        if (question) question(line);
        else this.emit("line", line);
      }
      if (this.#questions.length > 0 || this.listenerCount("line") > 0 || this.#next >= this.#lines.length)
        setImmediate(() => this.#go());
      else this.#started = false;
    }
    question(/** @type {string} */ text, /** @type {any} */ options, /** @type {any} */ callback = options) {
      print(String(text));
      this.#questions.push(callback);
      this.#start();
    }
    close() {
      if (this.#closed) return;
      this.#closed = true;
      this.emit("close");
    }
    write() {}
    setPrompt() {}
    prompt() {}
    pause() {
      return this;
    }
    resume() {
      return this;
    }
    async *[Symbol.asyncIterator]() {
      while (this.#next < this.#lines.length && !this.#closed) yield this.#lines[this.#next++];
      this.close();
    }
  }

  const readline = {
    createInterface: () => new Interface(),
    Interface,
    clearLine: () => true,
    cursorTo: () => true,
    promises: {
      createInterface() {
        const lines = new Interface();
        const ask = lines.question.bind(lines);
        return Object.assign(lines, {
          question: (/** @type {string} */ text) => new Promise((resolve) => ask(text, resolve)),
        });
      },
    },
  };

  class AssertionError extends Error {
    code = "ERR_ASSERTION";
    constructor(/** @type {any} */ { message, actual, expected, operator } = {}) {
      super(message ?? `${inspect(actual)} ${operator} ${inspect(expected)}`);
      this.name = "AssertionError";
      Object.assign(this, { actual, expected, operator, generatedMessage: message === undefined });
    }
  }
  /** @type {(holds: boolean, message: any, details: object) => void} */
  function check(holds, message, details) {
    if (holds) return;
    if (message instanceof Error) throw message;
    throw new AssertionError({ ...details, message });
  }
  /** @type {(operator: string, holds: (actual: any, expected: any) => boolean) => any} */
  const comparison =
    (operator, holds) => (/** @type {any} */ actual, /** @type {any} */ expected, /** @type {any} */ message) =>
      check(holds(actual, expected), message, { actual, expected, operator });
  /** @type {(value: any, message?: any) => void} */
  const ok = (value, message) =>
    check(Boolean(value), message ?? "The expression evaluated to a falsy value", {
      actual: value,
      expected: true,
      operator: "==",
    });
  /** @type {(error: any, expected: any) => boolean} */
  function matches(error, expected) {
    if (expected === undefined || typeof expected === "string") return true;
    if (expected instanceof RegExp) return expected.test(String(error));
    if (typeof expected !== "function")
      return Object.keys(expected).every((key) =>
        expected[key] instanceof RegExp ? expected[key].test(error[key]) : equal(error[key], expected[key]),
      );
    if (expected.prototype !== undefined && error instanceof expected) return true;
    return expected.prototype instanceof Error || expected === Error ? false : expected(error) === true;
  }
  const loose = (/** @type {any} */ a, /** @type {any} */ b) =>
    // oxlint-disable-next-line eqeqeq -- That is what assert.equal means.
    a == b || (Number.isNaN(a) && Number.isNaN(b));
  /** @type {any} */
  const assert = Object.assign((/** @type {any} */ value, /** @type {any} */ message) => ok(value, message), {
    ok,
    AssertionError,
    equal: comparison("==", loose),
    notEqual: comparison("!=", (a, b) => !loose(a, b)),
    strictEqual: comparison("strictEqual", Object.is),
    notStrictEqual: comparison("notStrictEqual", (a, b) => !Object.is(a, b)),
    deepEqual: comparison("deepEqual", equal),
    notDeepEqual: comparison("notDeepEqual", (a, b) => !equal(a, b)),
    deepStrictEqual: comparison("deepStrictEqual", equal),
    notDeepStrictEqual: comparison("notDeepStrictEqual", (a, b) => !equal(a, b)),
    match: comparison("match", (text, pattern) => pattern.test(text)),
    doesNotMatch: comparison("doesNotMatch", (text, pattern) => !pattern.test(text)),
    fail: (/** @type {any} */ message = "Failed") => check(false, message, { operator: "fail" }),
    throws(/** @type {() => void} */ run, /** @type {any} */ expected, /** @type {any} */ message) {
      try {
        run();
      } catch (error) {
        if (matches(error, expected)) return;
        throw error;
      }
      check(false, message ?? "Missing expected exception.", { operator: "throws" });
    },
    doesNotThrow: (/** @type {() => void} */ run) => run(),
    async rejects(/** @type {any} */ promise, /** @type {any} */ expected, /** @type {any} */ message) {
      try {
        await (typeof promise === "function" ? promise() : promise);
      } catch (error) {
        if (matches(error, expected)) return;
        throw error;
      }
      check(false, message ?? "Missing expected rejection.", { operator: "rejects" });
    },
  });
  assert.strict = Object.assign((/** @type {any[]} */ ...values) => assert(...values), assert, {
    equal: assert.strictEqual,
    notEqual: assert.notStrictEqual,
    deepEqual: assert.deepStrictEqual,
    notDeepEqual: assert.notDeepStrictEqual,
  });
  assert.strict.strict = assert.strict;

  const fs = {
    readFileSync(/** @type {any} */ path, /** @type {any} */ options) {
      if (path !== 0 && path !== "/dev/stdin")
        throw new Error("There are no files but standard input (0, '/dev/stdin')");
      const text = stdin();
      if (options !== undefined) return text;
      // In Node a Buffer, whose one use in such programs is to become a string.
      return {
        toString: () => text,
        trim: () => text.trim(),
        split: (/** @type {any} */ by) => text.split(by),
        length: text.length,
      };
    },
    writeSync(/** @type {any} */ descriptor, /** @type {any} */ text) {
      if (descriptor === 1) print(String(text));
      else if (descriptor !== 2) throw new Error("There are no files but standard output (1)");
      return String(text).length;
    },
    writeFileSync(/** @type {any} */ path, /** @type {any} */ text) {
      fs.writeSync(path === "/dev/stdout" ? 1 : path, text);
    },
  };

  const util = {
    inspect,
    format,
    isDeepStrictEqual: equal,
    inherits(/** @type {any} */ made, /** @type {any} */ base) {
      Object.setPrototypeOf(made.prototype, base.prototype);
    },
    promisify:
      (/** @type {any} */ run) =>
      (/** @type {any[]} */ ...values) =>
        new Promise((resolve, reject) => {
          run(...values, (/** @type {any} */ error, /** @type {any} */ value) =>
            error ? reject(error) : resolve(value),
          );
        }),
    get TextEncoder() {
      return world.TextEncoder;
    },
    get TextDecoder() {
      return world.TextDecoder;
    },
  };

  /** @type {(delay?: number, value?: any) => Promise<any>} */
  const later = (delay, value) => new Promise((resolve) => setTimeout(resolve, delay, value));

  /** @type {Record<string, any>} */
  const modules = {
    assert,
    "assert/strict": assert.strict,
    events: Object.assign(EventEmitter, { EventEmitter }),
    fs,
    os: { EOL: "\n" },
    perf_hooks: { performance: world.performance },
    process: world.process,
    readline,
    "readline/promises": readline.promises,
    timers: world,
    "timers/promises": { setTimeout: later, setImmediate: (/** @type {any} */ value) => later(0, value) },
    get url() {
      return { URL: world.URL, URLSearchParams: world.URLSearchParams };
    },
    util,
  };
  return { modules, input };
}
