/**
 * A process of its own for kernel programs that may be wrong: a crash ends it, and not the tests. Takes the addon's path;
 * answers each message { set, numbers, arrays } with { error, stray }: the message of what was thrown, if anything was, and
 * how many bytes around the arrays have been written.
 */
import { createRequire } from "node:module";

/** Bytes before and after each array, and what is in them. */
const MARGIN = 4096;
const GUARD = 0xa5;

const addon = createRequire(import.meta.url)(String(process.argv[2]));

/** A copy in the middle of guards. @param {Float32Array | Float64Array | Int32Array} array */
function guarded(array) {
  const bytes = new Uint8Array(MARGIN + array.byteLength + MARGIN).fill(GUARD);
  const copy = new /** @type {any} */ (array.constructor)(bytes.buffer, MARGIN, array.length);
  copy.set(array);
  return { copy, bytes, end: MARGIN + array.byteLength };
}

process.on("message", (/** @type {any} */ { set, numbers, arrays }) => {
  const copies = arrays.map(guarded);
  let error;
  try {
    addon.run(
      set,
      numbers,
      copies.map((/** @type {any} */ { copy }) => copy),
    );
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : "what was thrown is no Error";
  }
  let stray = 0;
  for (const { bytes, end } of copies) {
    for (const byte of bytes.subarray(0, MARGIN)) stray += byte === GUARD ? 0 : 1;
    for (const byte of bytes.subarray(end)) stray += byte === GUARD ? 0 : 1;
  }
  process.send?.({ error, stray });
});
