/** A part of a run as a store of its own: every stage, record and path inside it lies under one name. */
import type { RunStore } from "./run-store.ts";

/** `prefix` is a path: `seed-1`. Totals are those of the whole run. */
export function prefixedStore(store: RunStore, prefix: string): RunStore {
  return {
    path: (...parts) => store.path(prefix, ...parts),
    openRecords: (name) => store.openRecords(`${prefix}/${name}`),
    stage: (name, work) => store.stage(`${prefix}/${name}`, work),
    totals: () => store.totals(),
  };
}
