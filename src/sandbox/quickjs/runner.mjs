/**
 * What a program finds in its realm beside the language itself, and what the host asks of the realm. Like
 * `createEncoding`, `createRunner` runs before the program and is sent there as source text.
 *
 * A program finds what Node has and programs that compute use: `console` (`log`, `info`, `debug`, `dir`, `group` and
 * `count` print to standard output; the rest is silent), `process`, `require` of a few modules (`modules.mjs`), timers that
 * need no waiting, `structuredClone`, `TextEncoder`, `TextDecoder`, `URL`, `URLSearchParams`, `atob`, `btoa`,
 * `performance`, `queueMicrotask` and `module.exports`. What is large is evaluated when a program first names it. Chance
 * starts from the same state for every program.
 */

/**
 * @param {(proxies: WeakSet<object>) => { canonical(value: any): string, typed(value: any): string, shown(value: any): string }} createEncoding
 * @param {number} maxStdout Characters of output that are kept.
 */
export function createRunner(createEncoding, maxStdout) {
  /** @type {any} */
  const { apply, defineProperty } = Reflect;
  const { getPrototypeOf, hasOwn, is, setPrototypeOf } = Object;
  const { parse, stringify } = JSON;
  const { now: clock } = Date;
  // oxlint-disable-next-line no-eval -- Evaluates the parts of the world in the realm, which is what it is for.
  const evaluate = eval;
  const text = String;
  const slice = String.prototype.slice;
  const addToWeakSet = WeakSet.prototype.add;
  const globals = /** @type {any} */ (globalThis);

  // Proxies can be made by this constructor only, so that all are known.
  const proxies = new WeakSet();
  const RealProxy = Proxy;
  const { revocable } = Proxy;
  /** @type {any} */
  const recordedProxy = function Proxy(/** @type {any} */ target, /** @type {any} */ handler) {
    if (new.target === undefined) throw new TypeError("constructor requires 'new'");
    const proxy = new RealProxy(target, handler);
    apply(addToWeakSet, proxies, [proxy]);
    return proxy;
  };
  delete recordedProxy.prototype;
  recordedProxy.revocable = (/** @type {any} */ target, /** @type {any} */ handler) => {
    const pair = revocable(target, handler);
    apply(addToWeakSet, proxies, [pair.proxy]);
    return pair;
  };
  /** @type {(name: string, value: unknown) => void} */
  const define = (name, value) => {
    defineProperty(globals, name, { value, writable: true, enumerable: false, configurable: true });
  };
  define("Proxy", recordedProxy);

  /** Expressions for the parts of the world, as JSON. */
  let sources = "{}";
  /** The parts evaluated so far. @type {any} */
  const parts = setPrototypeOf({}, null);
  /** @type {(name: string, ...values: any[]) => any} */
  const part = (name, ...values) => {
    if (parts[name] === undefined) parts[name] = apply(evaluate(parse(sources)[name]), undefined, values);
    return parts[name];
  };
  /** Defines a name whose value is made when it is first read. @type {(name: string, make: () => any) => void} */
  const defineLater = (name, make) => {
    defineProperty(globals, name, {
      get() {
        define(name, make());
        return globals[name];
      },
      set: (/** @type {any} */ value) => define(name, value),
      enumerable: false,
      configurable: true,
    });
  };

  // What recursion without end throws is caught as what it is elsewhere.
  const interpreterError = globals.InternalError.prototype;
  setPrototypeOf(interpreterError, RangeError.prototype);
  defineProperty(interpreterError, "name", { value: "RangeError", writable: true, configurable: true });

  const encoding = createEncoding(proxies);

  let stdin = "";
  let keepsStdout = false;
  let stdout = "";
  let stdoutLength = 0;
  const print = (/** @type {string} */ piece) => {
    if (!keepsStdout || stdoutLength >= maxStdout) return;
    const kept = apply(slice, piece, [0, maxStdout - stdoutLength]);
    stdout += kept;
    stdoutLength += kept.length;
  };
  const inspect = (/** @type {any} */ value, /** @type {any} */ options = undefined) => part("inspect")(value, options);
  const format = (/** @type {any[]} */ ...items) => apply(part("format", inspect), undefined, items);
  const printLine = (/** @type {any[]} */ ...items) => {
    if (!keepsStdout) return;
    const plain = items.length === 1 && typeof items[0] === "string";
    print((plain ? items[0] : apply(format, undefined, items)) + "\n");
  };
  const silent = () => {};
  /** @type {any} */
  const counts = setPrototypeOf({}, null);
  define("console", {
    log: printLine,
    info: printLine,
    debug: printLine,
    dir: (/** @type {any} */ value) => keepsStdout && printLine(inspect(value)),
    group: (/** @type {any[]} */ ...items) => items.length > 0 && apply(printLine, undefined, items),
    groupEnd: silent,
    count(/** @type {any} */ label = "default") {
      counts[label] = (counts[label] ?? 0) + 1;
      printLine(label + ": " + counts[label]);
    },
    countReset(/** @type {any} */ label = "default") {
      delete counts[label];
    },
    warn: silent,
    error: silent,
    trace: silent,
    table: silent,
    assert: silent,
    time: silent,
    timeLog: silent,
    timeEnd: silent,
  });

  /** Status of `process.exit`; -1 while the program has not called it. */
  let status = -1;
  const started = clock();
  const elapsed = () => clock() - started;
  /** @type {(left: any, right: any) => boolean} */
  const equal = (left, right) => {
    if (is(left, right)) return true;
    const canonical = encoding.canonical(left);
    return canonical[0] !== "?" && canonical === encoding.canonical(right);
  };
  const loadModules = () => part("modules", { stdin: () => stdin, print, format, inspect, equal });
  define("process", {
    argv: ["node", "program.js"],
    env: {},
    platform: "linux",
    version: "v20.0.0",
    versions: { node: "20.0.0" },
    pid: 1,
    get stdin() {
      return loadModules().input;
    },
    stdout: {
      write(/** @type {any} */ piece) {
        print(text(piece));
        return true;
      },
    },
    stderr: { write: () => true },
    cwd: () => "/",
    uptime: () => elapsed() / 1000,
    memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
    hrtime: Object.assign(
      (/** @type {any} */ since) => {
        const ms = elapsed() - (since === undefined ? 0 : since[0] * 1000 + since[1] / 1e6);
        return [Math.floor(ms / 1000), (ms % 1000) * 1e6];
      },
      { bigint: () => BigInt(elapsed()) * 1_000_000n },
    ),
    nextTick(/** @type {any} */ task, /** @type {any[]} */ ...values) {
      globals.queueMicrotask(() => apply(task, undefined, values));
    },
    on: silent,
    once: silent,
    exit(/** @type {any} */ code) {
      if (status < 0) status = code === undefined || code === 0 ? 0 : 1;
      keepsStdout = false;
      throw new Error("The program exited");
    },
  });
  define("performance", { now: elapsed, timeOrigin: started, mark: silent, measure: silent });
  const moduleName = /^node:/;
  const replace = String.prototype.replace;
  define("require", (/** @type {any} */ name) => {
    const { modules } = loadModules();
    const found = apply(replace, text(name), [moduleName, ""]);
    if (hasOwn(modules, found)) return modules[found];
    throw new Error("Cannot find module '" + text(name) + "'");
  });
  const web = ["structuredClone", "TextEncoder", "TextDecoder", "atob", "btoa"];
  for (let i = 0; i < web.length; i++) {
    const name = /** @type {string} */ (web[i]);
    defineLater(name, () => part("web")[name]);
  }
  defineLater("URL", () => part("url").URL);
  defineLater("URLSearchParams", () => part("url").URLSearchParams);
  define("module", { exports: {} });
  define("exports", globals.module.exports);

  const resolved = Promise.resolve();
  const then = Promise.prototype.then;
  define("queueMicrotask", (/** @type {any} */ task) => {
    apply(then, resolved, [() => task()]);
  });

  /** Timers by time and order; time jumps to the next one when nothing else is left to do. @type {any} */
  const timers = setPrototypeOf({}, null);
  let timerCount = 0;
  let firstTimer = 1;
  let now = 0;
  /** @type {(every: boolean) => (task: any, delay?: any, ...values: any[]) => number} */
  const timer =
    (every) =>
    (task, delay = 0, ...values) => {
      const wait = delay > 1 ? +delay : 1;
      timers[++timerCount] = setPrototypeOf({ task, values, at: now + wait, every: every ? wait : 0 }, null);
      return timerCount;
    };
  const clear = (/** @type {any} */ id) => {
    delete timers[id];
  };
  define("setTimeout", timer(false));
  define("setInterval", timer(true));
  define("setImmediate", (/** @type {any} */ task, /** @type {any[]} */ ...values) =>
    globals.setTimeout(task, 0, ...values),
  );
  define("clearTimeout", clear);
  define("clearInterval", clear);
  define("clearImmediate", clear);

  const { imul } = Math;
  let state = 0x2545f491;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  return {
    /** `["value", encoded, shown]` as JSON. */
    value(/** @type {any} */ value, /** @type {boolean} */ typed, /** @type {boolean} */ promised) {
      const encoded = typed ? encoding.typed(value) : encoding.canonical(value);
      const whole = typed && promised ? '["promise",' + encoded + "]" : encoded;
      return '["value",' + stringify(whole) + "," + stringify(encoding.shown(value)) + "]";
    },
    /** `["raised", exception, stack]` as JSON, for whatever was thrown. May run code of the program. */
    thrown(/** @type {any} */ error) {
      let exception = "";
      let stack = "";
      try {
        if (typeof error === "object" && error !== null && error instanceof Error) {
          const { message } = error;
          if (getPrototypeOf(error) !== interpreterError) exception = text(error.name) + ": " + text(message);
          else if (message === "stack overflow") exception = "RangeError: Maximum call stack size exceeded";
          else exception = "InternalError: " + text(message);
          stack = text(error.stack);
        } else exception = "Uncaught " + encoding.shown(error);
      } catch {
        exception = "Error: (unreadable)";
      }
      exception = apply(slice, exception, [0, 1000]);
      return '["raised",' + stringify(exception) + "," + stringify(apply(slice, stack, [0, 20_000])) + "]";
    },
    /** Runs the timer that is due next; false when there is none. */
    runTimer() {
      let next = 0;
      while (firstTimer <= timerCount && timers[firstTimer] === undefined) firstTimer++;
      for (let id = firstTimer; id <= timerCount; id++)
        if (timers[id] !== undefined && (next === 0 || timers[id].at < timers[next].at)) next = id;
      if (next === 0) return false;
      const due = timers[next];
      now = due.at;
      if (due.every > 0) due.at += due.every;
      else delete timers[next];
      apply(due.task, undefined, due.values);
      return true;
    },
    /** -1: not exited; 0: with status 0; 1: with another. */
    exitStatus: () => status,
    forgetExit() {
      status = -1;
    },
    /** To be called before the program runs. */
    worldFrom(/** @type {string} */ json) {
      sources = json;
    },
    readsFrom(/** @type {string} */ input) {
      stdin = input;
      keepsStdout = true;
    },
    /** As JSON. */
    printed: () => stringify(stdout),
  };
}
