/**
 * QuickJS as WebAssembly: fresh instances with a memory of their own that cannot grow beyond a cap, and realms in them.
 * An instance takes about 2 ms, so every program gets one: whatever it does to the interpreter goes with it.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import releaseVariant from "@jitl/quickjs-wasmfile-release-sync";
import { newQuickJSWASMModuleFromVariant, newVariant } from "quickjs-emscripten-core";

const PAGE_BYTES = 65_536;
/** What the WebAssembly module asks for at start. */
const INITIAL_BYTES = 16 * 2 ** 20;
/** The stack inside WebAssembly has 5 MB. What is left is for functions of the interpreter that do not look at it. */
const MOST_STACK_BYTES = 4.5 * 2 ** 20;
/** What Node gives itself where nothing else was asked for. */
const USUAL_STACK_KB = 984;
const stackKb = Number(/--stack-size=(\d+)/.exec(process.execArgv.join(" "))?.[1] ?? USUAL_STACK_KB);
/** V8's own stack, which must not end first, takes about four times as much in calls and more in the parser. */
const MAX_STACK_BYTES = Math.min(MOST_STACK_BYTES, (stackKb * 1024) / 4);

// The project's library of types is JavaScript's own, in which WebAssembly has no part.
const { WebAssembly } = /** @type {any} */ (globalThis);

/** @typedef {object} CompiledModule A `WebAssembly.Module`. */
/** @typedef {import("quickjs-emscripten-core").QuickJSWASMModule} Instance */
/** @typedef {import("quickjs-emscripten-core").QuickJSHandle} Handle */
/** @typedef {import("quickjs-emscripten-core").QuickJSContext} Context */

/** @returns {Promise<CompiledModule>} */
export function compileInterpreter() {
  const path = fileURLToPath(import.meta.resolve("@jitl/quickjs-wasmfile-release-sync/wasm"));
  return WebAssembly.compile(readFileSync(path));
}

/**
 * @param {CompiledModule} wasmModule
 * @param {number} memoryBytes What a program may take.
 * @returns {Promise<Instance>}
 */
export function createInstance(wasmModule, memoryBytes) {
  const maximum = Math.min(65_536, Math.ceil((INITIAL_BYTES + 1.25 * memoryBytes) / PAGE_BYTES));
  const wasmMemory = new WebAssembly.Memory({ initial: INITIAL_BYTES / PAGE_BYTES, maximum });
  // What the module prints when it aborts would go to a standard error that nobody reads.
  const emscriptenModule = { print: () => {}, printErr: () => {} };
  const variant = newVariant(
    /** @type {any} */ (releaseVariant),
    /** @type {any} */ ({ wasmModule, wasmMemory, emscriptenModule }),
  );
  return newQuickJSWASMModuleFromVariant(/** @type {any} */ (variant));
}

/**
 * A realm in which `boot` has been evaluated; `boot` is an expression, `booted` its value. No function of the host can be
 * reached from within: values cross as text that the host asks for.
 * @param {Instance} instance
 * @param {{ boot: string, memoryBytes: number, shouldStop: () => boolean }} options
 */
export function openRealm(instance, { boot, memoryBytes, shouldStop }) {
  const runtime = instance.newRuntime();
  runtime.setMaxStackSize(MAX_STACK_BYTES);
  const context = runtime.newContext();
  const evaluated = context.evalCode(boot, "boot.js", { type: "global" });
  if (evaluated.error)
    throw new Error(`the realm could not be prepared: ${JSON.stringify(context.dump(evaluated.error))}`);
  runtime.setMemoryLimit(memoryBytes + INITIAL_BYTES / 4);
  runtime.setInterruptHandler(shouldStop);
  return {
    runtime,
    context,
    booted: evaluated.value,
    /** Frees everything. Not needed where the instance is dropped. */
    close() {
      evaluated.value.dispose();
      context.dispose();
      runtime.dispose();
    },
  };
}
