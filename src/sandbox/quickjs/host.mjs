/**
 * The process that runs JavaScript programs in QuickJS, one at a time. Started by `quickjs-process.ts` with an empty
 * environment, without code generation from strings, and with read access to nothing but QuickJS and these scripts.
 *
<<<<<<< HEAD
 * Messages in: `{ prepare: { boot, trusted } }` once, then jobs `{ id, steps, cpuTimeMs, memoryBytes }`. Messages out:
 * `{ ready: true }`, or `{ missingWall }` where one of these is not there; per step `{ id, step, frame }` as soon as it is
 * done; then `{ id, done: true, cpuMs }`. Steps are a letter and a text: `I` standard input, `B` preamble, `P` program, `M`
 * a statement below it that may throw, `S` setup code, `C` and `T` a call in canonical or typed encoding, `O` (no text)
 * asks for what was printed; in a trusted process, plain texts for the function that `boot` evaluates to.
=======
 * Messages in: `{ prepare: { boot, world, trusted } }` once, then jobs `{ id, steps, cpuTimeMs, memoryBytes }`. Messages out:
 * `{ ready: true }`; per step `{ id, step, frame }` as soon as it is done; then `{ id, done: true, cpuMs }`. Steps are a
 * letter and a text: `I` standard input, `P` program, `S` setup code, `C` and `T` a call in canonical or typed encoding,
 * `O` (no text) asks for what was printed; in a trusted process, plain texts for the function that `boot` evaluates to.
>>>>>>> world
 * Frames are JSON arrays; one that starts with `!` is the last.
 */
import { Worker } from "node:worker_threads";
import { findMissingWall } from "../walls.mjs";
import { compileInterpreter, createInstance, openRealm } from "./instance.mjs";

/** @typedef {import("./instance.mjs").Instance} Instance */
/** @typedef {import("./instance.mjs").Handle} Handle */
/** @typedef {ReturnType<typeof openRealm>} Realm */
/** @typedef {{ id: number, steps: string[], cpuTimeMs: number, memoryBytes: number }} Job */

/** @type {{ parentPid: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const send = /** @type {(message: unknown) => void} */ (process.send?.bind(process));
const cpuUsage = process.cpuUsage.bind(process);
const exit = process.exit.bind(process);
/** Jobs of the promise queue that run between two looks at the clock. */
const BATCH_OF_JOBS = 1000;

process.on("disconnect", () => exit(0));
// An interrupt from the terminal reaches the whole group; what it means is for the parent to say.
process.on("SIGINT", () => {});
new Worker(new URL("../pyodide/watchdog.mjs", import.meta.url), {
  workerData: { parentPid: config.parentPid },
  stdin: false,
}).unref();

const missingWall = findMissingWall();
const wasmModule = await compileInterpreter();

let boot = "";
let world = "";
let trusted = false;
/** The next program's instance, made while nothing else is to be done. @type {{ bytes: number, instance: Promise<Instance> } | null} */
let next = null;

/** @param {number} bytes @returns {Promise<Instance>} */
function takeInstance(bytes) {
  const made = next?.bytes === bytes ? next.instance : createInstance(wasmModule, bytes);
  next = null;
  return made;
}

/** Words without which a step (after its letter) cannot name what `world` holds; a whole program also prints. */
const NAMES_OF_WORLD =
  /(?:^[A-Z]|\b)(?:structuredClone|TextEncoder|TextDecoder|URL|URLSearchParams|atob|btoa|require|process|globalThis|eval|Function)\b/;

const OVERFLOW = '!["raised","RangeError: Maximum call stack size exceeded",""]';

class TimedOut extends Error {}
class OutOfMemory extends Error {}

/** @param {Realm} realm @param {() => boolean} isLate @param {readonly string[]} steps */
function programSteps({ runtime, context, booted }, isLate, steps) {
  /** @type {(name: string) => Handle} */
  const named = (name) => context.getProp(booted, name);
  const asValue = named("value");
  const asThrown = named("thrown");
  const runTimer = named("runTimer");
  const exitStatus = named("exitStatus");
  const forgetExit = named("forgetExit");
  const printed = named("printed");
  const readsFrom = named("readsFrom");

  /** Calls a function of the runner. @type {(target: Handle, ...values: Handle[]) => Handle} */
  function ask(target, ...values) {
    const result = context.callFunction(target, context.undefined, ...values);
    if (!result.error) return result.value;
    if (isLate()) throw new TimedOut();
    throw new OutOfMemory();
  }
  if (steps.some((step) => step[0] === "I" || NAMES_OF_WORLD.test(step)))
    ask(named("worldFrom"), context.newString(world));

  /** @type {(error: Handle) => string} */
  function describe(error) {
    if (isLate()) throw new TimedOut();
    const frame = context.getString(ask(asThrown, error));
    if (isLate()) throw new TimedOut();
    if (frame.startsWith('["raised","InternalError: out of memory"')) throw new OutOfMemory();
    return frame;
  }
  /** Runs what promises and timers have left to do. @type {() => string | null} What was thrown there. */
  function drain() {
    for (;;) {
      const jobs = runtime.executePendingJobs(BATCH_OF_JOBS);
      if (isLate()) throw new TimedOut();
      if (jobs.error) return describe(jobs.error);
      if (jobs.value > 0) continue;
      const timer = context.callFunction(runTimer, context.undefined);
      if (timer.error) return describe(timer.error);
      if (context.dump(timer.value) !== true) return null;
    }
  }
  let readsStdin = false;
  /** @type {(frame: string) => string} */
  function unlessExited(frame) {
    const status = context.dump(ask(exitStatus));
    if (status === -1) return frame;
    return status === 0 && readsStdin ? '["ok"]' : '!["exited"]';
  }

  return /** @type {(step: string) => string} */ (
    (step) => {
      const letter = step[0];
      const text = step.slice(1);
      if (letter === "I") {
        readsStdin = true;
        ask(readsFrom, context.newString(text));
        return '["ok"]';
      }
      if (letter === "O") return `["printed",${context.getString(ask(printed))}]`;
      const isProgram = "BPMS".includes(letter ?? "");
      const file = { B: "preamble.js", P: "program.js", M: "program.js", S: "setup.js" }[letter ?? ""] ?? "call.js";
      const result = context.evalCode(isProgram ? text : `(${text}\n)`, file, { type: "global" });
      if (isLate()) throw new TimedOut();
      if (letter === "M") {
        if (!result.error) drain();
        ask(forgetExit);
        return '["ok"]';
      }
      if (result.error) return unlessExited((isProgram ? "!" : "") + describe(result.error));
      const failure = drain();
      if (isProgram) return unlessExited(failure === null ? '["ok"]' : `!${failure}`);
      if (failure !== null) return unlessExited(failure);
      const state = context.getPromiseState(result.value);
      if (state.type === "pending") return unlessExited('["raised","Error: the promise was never settled",""]');
      if (state.type === "rejected") return unlessExited(describe(state.error));
      const promised = state.notAPromise !== true;
      const flags = [letter === "T", promised].map((flag) => (flag ? context.true : context.false));
      return unlessExited(context.getString(ask(asValue, state.value, ...flags)));
    }
  );
}

/** @param {Realm} realm @param {() => boolean} isLate */
function trustedSteps({ context, booted }, isLate) {
  return /** @type {(step: string) => string} */ (
    (step) => {
      const text = context.newString(step);
      const result = context.callFunction(booted, context.undefined, text);
      text.dispose();
      if (isLate()) throw new TimedOut();
      if (!result.error) return result.value.consume((value) => context.getString(value));
      const error = context.dump(result.error);
      if (error === null || error.message === "out of memory") throw new OutOfMemory();
      return `!${JSON.stringify(["failed", `${error.name}: ${error.message} ${error.stack}`])}`;
    }
  );
}

/** @param {Job} job */
async function run({ id, steps, cpuTimeMs, memoryBytes }) {
  const instance = await takeInstance(memoryBytes);
  const started = cpuUsage();
  const cpuMs = () => {
    const { user, system } = cpuUsage(started);
    return (user + system) / 1000;
  };
  const isLate = () => cpuMs() > cpuTimeMs;
  let kept = null;
  try {
    const realm = openRealm(instance, { boot, memoryBytes, shouldStop: isLate });
    const step = trusted ? trustedSteps(realm, isLate) : programSteps(realm, isLate, steps);
    let ended = false;
    for (let index = 0; index < steps.length && !ended; index++) {
      const text = /** @type {string} */ (steps[index]);
      const frame = attempt(step, text);
      if (frame === OVERFLOW && index > 0 && !trusted && "CT".includes(text[0] ?? "")) {
        // The interpreter cannot go on: later calls end like this one.
        for (let rest = index; rest < steps.length; rest++) send({ id, step: rest, frame: frame.slice(1) });
        break;
      }
      send({ id, step: index, frame });
      ended = frame.startsWith("!");
    }
    // What is trusted may use the same instance again, in another realm; only programs need one for themselves.
    if (trusted && !ended) {
      realm.close();
      kept = Promise.resolve(instance);
    }
  } finally {
    send({ id, done: true, cpuMs: cpuMs() });
    next = { bytes: memoryBytes, instance: kept ?? createInstance(wasmModule, memoryBytes) };
  }
}

/** @type {(step: (text: string) => string, text: string) => string} */
function attempt(step, text) {
  try {
    return step(text);
  } catch (error) {
    if (error instanceof TimedOut) return '!["timed-out"]';
    if (error instanceof OutOfMemory) return '!["out-of-memory"]';
    // V8's stack, or a trap inside WebAssembly (nearly always for want of memory): the instance is not used again.
    return error instanceof RangeError ? OVERFLOW : '!["out-of-memory"]';
  }
}

/** Removes from the global object what could reach beyond this process. */
function dropGlobals() {
  const reaching = `process fetch WebSocket XMLHttpRequest EventSource Worker SharedWorker navigator require module global
    BroadcastChannel MessageChannel MessagePort Request Response Headers FormData Blob File crypto`;
  for (const name of reaching.split(/\s+/)) delete (/** @type {any} */ (globalThis)[name]);
}

let prepared = false;
process.on("message", async (/** @type {any} */ message) => {
  if (prepared) return run(message);
  if (missingWall !== undefined) return send({ missingWall });
  prepared = true;
  ({ boot, world, trusted } = message.prepare);
  try {
    // Compiles what the first program would otherwise wait for.
    const realm = openRealm(await createInstance(wasmModule, 2 ** 24), {
      boot,
      memoryBytes: 2 ** 24,
      shouldStop: () => false,
    });
    realm.close();
    dropGlobals();
    send({ ready: true });
  } catch (error) {
    send({ failed: String(error).slice(0, 500) });
  }
});
