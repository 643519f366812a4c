/** JSON for records that must read back as they were written. */
import { StoreError } from "../errors.ts";

/**
 * JSON text of a record. Unlike `JSON.stringify` it refuses what would silently read back as something else.
 * @throws StoreError for NaN, ±Infinity (JSON would say null) and for values without a JSON form, naming the key.
 */
export function encodeRecord(record: unknown, options: { readonly indent?: number } = {}): string {
  const text = JSON.stringify(
    record,
    (key, value: unknown) => {
      if (typeof value === "number" && !Number.isFinite(value)) {
        throw new StoreError(`a record cannot hold ${value}${key === "" ? "" : ` (key ${key})`}`, { key });
      }
      return value;
    },
    options.indent,
  ) as string | undefined;
  if (text === undefined) throw new StoreError(`a record cannot be ${typeof record}`, {});
  return text;
}
