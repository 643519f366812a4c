/**
 * The process that holds one Python interpreter. Started by `interpreter-process.ts` with an empty environment, without
 * code generation from strings, and with read access to nothing but Pyodide's files, these scripts and the snapshot.
 *
 * Messages in: `{ prepare: { source, snapshotPath?, makeSnapshot? } }` once, then jobs
 * `{ id, steps, memoryBytes, stdin? }`. Messages out: `{ ready: true }`, or `{ missingWall }` where one of these is not
 * there; per step `{ id, step, frame }` as soon as it is
 * done; then `{ id, done: true, cpuMs, retire, stdout? }`, with `stdout` where there was `stdin`. `retire` asks for this process to be replaced. After every job the
 * interpreter's whole memory is copied back and its file system emptied, so no job sees another.
 */
/* oxlint-disable no-underscore-dangle -- CPython's C interface and Pyodide's options are named so. */
import fs from "node:fs";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { findMissingWall } from "../walls.mjs";
import { freezeFileSystem } from "./file-system.mjs";
import { ExitError, SealedError, installSeal } from "./seal.mjs";

/** @type {{ pyodideFolder: string, parentPid: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const send = /** @type {(message: unknown) => void} */ (process.send?.bind(process));
const cpuUsage = process.cpuUsage.bind(process);
const residentBytes = process.memoryUsage.rss;
const exit = process.exit.bind(process);
const stdout = process.stdout;
/** Growth of the interpreter's memory beyond which the process is replaced rather than cleaned, bytes. */
const MAX_KEPT_GROWTH = 64 * 2 ** 20;
/** The same for the whole process: deep recursion leaves V8's stack in memory. */
const MAX_KEPT_RESIDENT_GROWTH = 192 * 2 ** 20;
const PY_EVAL_FILE_INPUT = 257;
const missingWall = findMissingWall();

process.on("disconnect", () => exit(0));
// An interrupt from the terminal reaches the whole group; what it means is for the parent to say.
process.on("SIGINT", () => {});
new Worker(new URL("./watchdog.mjs", import.meta.url), {
  workerData: { parentPid: config.parentPid },
  stdin: false,
}).unref();

// Emscripten asks this for the constants of the file system; the rest of Node's internals stays out of reach.
const fsConstants = fs.constants;
/** @type {any} */ (process).binding = (/** @type {string} */ name) => {
  if (name === "constants") return { fs: fsConstants };
  throw new Error("not available");
};

/** Removes from the global object what could reach beyond this process. */
function dropGlobals() {
  const kept = new Set([
    "WebAssembly",
    "globalThis",
    "console",
    "performance",
    "TextEncoder",
    "TextDecoder",
    "queueMicrotask",
  ]);
  const reaching = `process fetch WebSocket XMLHttpRequest EventSource Worker SharedWorker navigator require module global Buffer
    BroadcastChannel MessageChannel MessagePort Request Response Headers FormData Blob File crypto SharedArrayBuffer
    setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate structuredClone`;
  for (const name of reaching.split(/\s+/)) if (!kept.has(name)) delete (/** @type {any} */ (globalThis)[name]);
}

/**
 * Splits a memory image into runs of 64 KB blocks that hold something and runs that are all zero, because clearing is
 * many times faster than copying.
 * @param {Uint8Array} image
 */
function planRestore(image) {
  const block = 65536;
  const zeros = Buffer.alloc(block);
  /** @type {{ start: number, data: Uint8Array | null, end: number }[]} */
  const runs = [];
  for (let start = 0; start < image.length; start += block) {
    const end = Math.min(start + block, image.length);
    const part = Buffer.from(image.buffer, image.byteOffset + start, end - start);
    const empty = part.compare(zeros, 0, end - start) === 0;
    const last = runs.at(-1);
    if (last && (last.data === null) === empty) last.end = end;
    else runs.push({ start, end, data: empty ? null : image });
  }
  return runs.map(({ start, end, data }) => ({ start, end, data: data && data.subarray(start, end) }));
}

/** @param {{ source: string, snapshotPath?: string, makeSnapshot?: boolean }} options */
async function prepare({ source, snapshotPath, makeSnapshot }) {
  const seal = installSeal();
  const { loadPyodide } = await import(pathToFileURL(`${config.pyodideFolder}/pyodide.mjs`).href);
  const snapshot = snapshotPath === undefined ? undefined : fs.readFileSync(snapshotPath);
  const pyodide = await loadPyodide({
    indexURL: config.pyodideFolder,
    stdin: () => null,
    stdout: () => {},
    stderr: () => {},
    env: { HOME: "/home/pyodide", PYTHONHASHSEED: "0", _: "python" },
    jsglobals: Object.create(null),
    ...(snapshot ? { _loadSnapshot: snapshot } : {}),
    ...(makeSnapshot ? { _makeSnapshot: true } : {}),
  });
  const M = pyodide._module;
  seal.heap = () => M.HEAPU8;
  if (!snapshot) {
    runPython(M, boot(source));
    // Frozen objects cost later collections nothing, and no listing of objects finds them.
    runPython(M, "import gc\ngc.collect()\ngc.freeze()\ndel gc");
  }
  if (makeSnapshot) {
    const image = pyodide.makeMemorySnapshot();
    stdout.write(image, () => exit(0));
    return;
  }
  const main = M._PyModule_GetDict(M._PyImport_AddModule(M.stringToNewUTF8("__main__")));
  const step = M._PyDict_GetItemString(main, M.stringToNewUTF8("_mucode_step"));
  if (!step) throw new Error("the interpreter has no step function");
  M._Py_IncRef(step);
  runPython(M, "del _mucode_step");
  for (const name of ["mountNodeFS", "mountNativeFS", "useNodeSockFS", "loadPackage", "unpackArchive"]) {
    Object.defineProperty(pyodide, name, { value: undefined });
  }
  const files = freezeFileSystem(M.FS);
  files.clean();
  const utf8 = new TextDecoder();
  const lengthPointer = M._malloc(16);
  const image = M.HEAPU8.slice();
  const stack = M.stackSave();
  const runs = planRestore(image);
  dropGlobals();
  const encoder = new TextEncoder();
  const residentAtStart = residentBytes();

  /** Calls the step function through CPython's C interface: no bridge between the languages is involved. */
  function call(/** @type {string} */ text) {
    const bytes = encoder.encode(text);
    const pointer = M._malloc(bytes.length + 8);
    if (!pointer) throw new Error("no memory for the step");
    M.HEAPU8.set(bytes, pointer);
    const argument = M._PyUnicode_FromStringAndSize(pointer, bytes.length);
    M._free(pointer);
    let result = 0;
    seal.close();
    try {
      result = argument && M._PyObject_CallOneArg(step, argument);
      if (!result) return seal.memoryRefused ? '!["out-of-memory"]' : '!["exited"]';
      const start = M._PyUnicode_AsUTF8AndSize(result, lengthPointer) >>> 0;
      const length = M.HEAPU32[lengthPointer >>> 2];
      if (!start || start + length > M.HEAPU8.length) return '!["exited"]';
      return utf8.decode(M.HEAPU8.subarray(start, start + length));
    } finally {
      seal.open();
    }
  }
  /** @param {Job} job */
  function run({ id, steps, memoryBytes, stdin }) {
    const started = cpuUsage();
    let retire = false;
    if (stdin !== undefined) files.begin(encoder.encode(stdin));
    seal.reset();
    seal.memoryLimit = image.length + memoryBytes;
    for (let index = 0; index < steps.length; index++) {
      let frame;
      try {
        frame = call(/** @type {string} */ (steps[index]));
      } catch (error) {
        retire = true;
        if (error instanceof RangeError && /call stack/i.test(String(error.message))) {
          const raised =
            '["raised","RecursionError: maximum recursion depth exceeded","RecursionError: maximum recursion depth exceeded"]';
          const what = /** @type {string} */ (steps[index])[0];
          if ("BPS".includes(what)) send({ id, step: index, frame: `!${raised}` });
          else for (let rest = index; rest < steps.length; rest++) send({ id, step: rest, frame: raised });
          break;
        }
        // A whole program may end by os._exit(0).
        const ended = stdin !== undefined && error instanceof ExitError && error.status === 0;
        const refused = seal.memoryRefused && !(error instanceof SealedError);
        frame = ended ? '["ok"]' : refused ? '!["out-of-memory"]' : '!["exited"]';
      }
      send({ id, step: index, frame });
      if (frame.startsWith("!")) break;
    }
    if (M.HEAPU8.length > image.length + MAX_KEPT_GROWTH) retire = true;
    if (residentBytes() > residentAtStart + MAX_KEPT_RESIDENT_GROWTH) retire = true;
    const { user, system } = cpuUsage(started);
    const printed = stdin === undefined ? {} : { stdout: utf8.decode(files.output()) };
    if (!retire) {
      try {
        const heap = M.HEAPU8;
        for (const { start, end, data } of runs) {
          if (data) heap.set(data, start);
          else heap.fill(0, start, end);
        }
        if (heap.length > image.length) heap.fill(0, image.length);
        M.stackRestore(stack);
        files.clean();
      } catch {
        retire = true;
      }
    }
    send({ id, done: true, cpuMs: (user + system) / 1000, retire, ...printed });
  }
  return run;
}

/** Python that runs `source` with a private copy of the builtins and keeps nothing of it but its `step` function. */
function boot(/** @type {string} */ source) {
  return `
import builtins
_space = {'__builtins__': dict(builtins.__dict__), '__name__': 'runner'}
exec(compile(${JSON.stringify(source)}, '<runner>', 'exec'), _space)
_mucode_step = _space['step']
del _space, builtins
`;
}

function runPython(/** @type {any} */ M, /** @type {string} */ code) {
  const main = M._PyModule_GetDict(M._PyImport_AddModule(M.stringToNewUTF8("__main__")));
  const result = M._PyRun_String(M.stringToNewUTF8(code), PY_EVAL_FILE_INPUT, main, main);
  if (!result) throw new Error("the interpreter could not be prepared");
}

/** @typedef {{ id: number, steps: string[], memoryBytes: number, stdin?: string }} Job */
/** @type {((job: Job) => void) | undefined} */
let run;
process.on("message", async (/** @type {any} */ message) => {
  if (run) {
    run(message);
    return;
  }
  if (missingWall !== undefined) {
    send({ missingWall });
    if (message.prepare?.makeSnapshot) exit(1);
    return;
  }
  try {
    run = await prepare(message.prepare);
    if (run) send({ ready: true });
  } catch (error) {
    send({ failed: String(error).slice(0, 500) });
    if (message.prepare?.makeSnapshot) exit(1);
  }
});
