// Watches every session of ONNX Runtime that is opened in this process: how long its runs take, and by the runtime's own
// profile how long each operator does.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { kindOf } from "./operator-kinds.mjs";

/** @typedef {import("./operator-kinds.mjs").Extents} Extents */
/** @typedef {{ ms: number, flops: number, calls: number }} KindTime */

/**
 * From now on. `mark` begins the time that counts, `finish` ends it and sums up.
 * @param {Extents} extents of the model and its batch, by which elementwise operators are told apart
 */
export function observeSessions(extents) {
  const directory = mkdtemp(join(tmpdir(), "mucode-profile-"));
  /** @type {{ session: InferenceSession, prefix: string, runs: number, runsBeforeMark: number }[]} */
  const sessions = [];
  let msOfRuns = 0;
  const create = InferenceSession.create.bind(InferenceSession);
  /** @param {any} model @param {InferenceSession.SessionOptions} options */
  const createObserved = async (model, options) => {
    const prefix = `session-${sessions.length}-`;
    const profileFilePrefix = join(await directory, prefix);
    const session = await create(model, { ...options, enableProfiling: true, profileFilePrefix });
    const state = { session, prefix, runs: 0, runsBeforeMark: 0 };
    sessions.push(state);
    const run = session.run.bind(session);
    const runObserved = async (/** @type {any[]} */ ...words) => {
      const started = performance.now();
      try {
        // @ts-expect-error -- handed on as they came
        return await run(...words);
      } finally {
        // A run may end with an error on purpose (`runInto`).
        msOfRuns += performance.now() - started;
        state.runs++;
      }
    };
    return Object.assign(session, { run: runObserved });
  };
  Object.assign(InferenceSession, { create: createObserved });

  return {
    mark() {
      msOfRuns = 0;
      for (const state of sessions) state.runsBeforeMark = state.runs;
    },
    async finish() {
      /** @type {Record<string, KindTime>} */
      const kinds = {};
      const place = await directory;
      for (const { session, prefix, runsBeforeMark } of sessions) {
        session.endProfiling();
        const file = (await readdir(place)).find((name) => name.startsWith(prefix));
        if (file === undefined) throw new Error("ONNX Runtime wrote no profile");
        const events = JSON.parse(await readFile(join(place, file), "utf8"));
        addEvents(kinds, events, { runsBeforeMark, extents });
      }
      await rm(place, { recursive: true });
      return { msOfRuns, kinds };
    },
  };
}

/**
 * @param {Record<string, KindTime>} kinds
 * @param {any[]} events
 * @param {{ runsBeforeMark: number, extents: Extents }} options
 */
function addEvents(kinds, events, { runsBeforeMark, extents }) {
  const runs = events.filter(({ name }) => name === "model_run").toSorted((a, b) => a.ts - b.ts);
  const start = runs[runsBeforeMark]?.ts ?? Number.POSITIVE_INFINITY;
  for (const { cat, name, ts, dur, args } of events) {
    if (cat !== "Node" || ts < start || !name.endsWith("_kernel_time")) continue;
    const { kind, flops } = kindOf(
      { operator: args.op_name, inputs: shapesOf(args.input_type_shape), outputs: shapesOf(args.output_type_shape) },
      extents,
    );
    const sum = (kinds[kind] ??= { ms: 0, flops: 0, calls: 0 });
    sum.ms += dur / 1000;
    sum.flops += flops;
    sum.calls++;
  }
}

/** @param {Record<string, number[]>[]} typed one type and shape per tensor */
function shapesOf(typed = []) {
  return typed.map((tensor) => Object.values(tensor)[0] ?? []);
}
