/** A JSONL file with its records in memory: what earlier attempts wrote, then what is appended. */
import { openJsonl, readJsonl } from "./jsonl.ts";
import type { RecordLog } from "./run-store.ts";

/** @throws StoreError when the file cannot be opened or one of its finished lines is damaged. */
export async function openRecordLog<R>(file: string): Promise<RecordLog<R>> {
  // Opened first: that cuts a half-written last line away.
  const writer = await openJsonl(file);
  try {
    const records = await readJsonl<R>(file);
    return {
      records,
      append(record) {
        writer.append(record);
        records.push(record);
      },
      close: () => writer.close(),
    };
  } catch (error) {
    await writer.close().catch(() => undefined);
    throw error;
  }
}
