/**
 * What a program finds in its realm beside the language itself, and what the host asks of the realm. Like
 * `createEncoding`, `createRunner` runs before the program and is sent there as source text.
 *
 * A program finds `console` (`log`, `info` and `debug` print to standard output: strings and numbers as Node does, objects
 * as literals of at most 400 characters, no format directives; the rest is silent), `require` of `fs`
 * (only `readFileSync` of standard input) and nothing else, `process` (`argv`, `env`, `exit`, `stdout.write`), timers that
 * need no waiting, `queueMicrotask`, and `module.exports`. Chance starts from the same state for every program.
 */

/**
 * @param {(proxies: WeakSet<object>) => { canonical(value: any): string, typed(value: any): string, shown(value: any): string }} createEncoding
 * @param {number} maxStdout Characters of output that are kept.
 */
export function createRunner(createEncoding, maxStdout) {
  /** @type {any} */
  const { apply, defineProperty } = Reflect;
  const { setPrototypeOf } = Object;
  const { stringify } = JSON;
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
  const printLine = (/** @type {any[]} */ ...items) => {
    let line = "";
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      line += (i > 0 ? " " : "") + (typeof item === "string" ? item : encoding.shown(item));
    }
    print(line + "\n");
  };
  const silent = () => {};
  define("console", {
    log: printLine,
    info: printLine,
    debug: printLine,
    warn: silent,
    error: silent,
    trace: silent,
    table: silent,
    assert: silent,
    time: silent,
    timeEnd: silent,
    group: silent,
    groupEnd: silent,
  });

  /** Status of `process.exit`; -1 while the program has not called it. */
  let status = -1;
  define("process", {
    argv: ["node", "program.js"],
    env: {},
    platform: "quickjs",
    stdout: {
      write(/** @type {any} */ piece) {
        print(text(piece));
        return true;
      },
    },
    exit(/** @type {any} */ code) {
      if (status < 0) status = code === undefined || code === 0 ? 0 : 1;
      keepsStdout = false;
      throw new Error("The program exited");
    },
  });
  const fs = {
    readFileSync(/** @type {any} */ path, /** @type {any} */ options) {
      if (path !== 0 && path !== "/dev/stdin")
        throw new Error("There are no files but standard input (0, '/dev/stdin')");
      if (options !== undefined) return stdin;
      // In Node a Buffer, whose one use in such programs is to become a string.
      return {
        toString: () => stdin,
        trim: () => stdin.trim(),
        split: (/** @type {any} */ by) => stdin.split(by),
        length: stdin.length,
      };
    },
  };
  define("require", (/** @type {any} */ name) => {
    if (name === "fs" || name === "node:fs") return fs;
    throw new Error("Cannot find module '" + text(name) + "'");
  });
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
          exception = text(error.name) + ": " + text(error.message);
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
      for (let id = 1; id <= timerCount; id++)
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
    readsFrom(/** @type {string} */ input) {
      stdin = input;
      keepsStdout = true;
    },
    /** As JSON. */
    printed: () => stringify(stdout),
  };
}
