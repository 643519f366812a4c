/** A {@link RecordLog} on a JSONL file. */
import { openJsonl, readJsonl } from "./jsonl.ts";
import type { RecordLog } from "./run-store.ts";

/** @throws StoreError when the file cannot be read, holds a malformed line, or cannot be opened for appending. */
export async function openRecordLog<R>(file: string): Promise<RecordLog<R>> {
  const records = await readJsonl<R>(file);
  const writer = await openJsonl(file);
  return {
    records,
    append(record) {
      writer.append(record);
      records.push(record);
    },
    close: () => writer.close(),
  };
}
