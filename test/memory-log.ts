/** Records in memory, for tests. */
import type { RecordLog } from "../src/store/run-store.ts";

/** `records` is what the log holds, also after it is closed. */
export function memoryLog<R>(records: R[] = []): RecordLog<R> {
  return {
    records,
    append: (record) => void records.push(record),
    arrange: async (placeOf) =>
      void records.splice(0, Infinity, ...records.toSorted((a, b) => placeOf(a) - placeOf(b))),
    close: async () => {},
  };
}
