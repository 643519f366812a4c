/** A JSONL file with its records in memory: what earlier attempts wrote, then what is appended. */
import { writeFileAtomic } from "./atomic-write.ts";
import { encodeRecord } from "./json.ts";
import { openJsonl, readJsonl } from "./jsonl.ts";
import type { RecordLog } from "./run-store.ts";

/** @throws StoreError when the file cannot be opened or one of its finished lines is damaged. */
export async function openRecordLog<R>(file: string): Promise<RecordLog<R>> {
  // Opened first: that cuts a half-written last line away.
  let writer = await openJsonl(file);
  try {
    const records = await readJsonl<R>(file);
    return {
      records,
      append(record) {
        writer.append(record);
        records.push(record);
      },
      async arrange(placeOf) {
        const arranged = records.toSorted((a, b) => placeOf(a) - placeOf(b));
        if (arranged.every((record, index) => record === records[index])) return;
        await writer.close();
        await writeFileAtomic(file, lines(arranged));
        writer = await openJsonl(file);
        records.splice(0, records.length, ...arranged);
      },
      close: () => writer.close(),
    };
  } catch (error) {
    await writer.close().catch(() => undefined);
    throw error;
  }
}

function* lines(records: readonly unknown[]): Iterable<string> {
  for (const record of records) yield `${encodeRecord(record)}\n`;
}
