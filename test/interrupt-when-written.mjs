/**
 * Loaded before a program: sends it a signal as soon as a file is there and not empty, before it does anything else.
 * Someone who looks from outside may come too late, where the machine is fast or busy.
 */
import { statSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/** @type {{ signal: NodeJS.Signals, whenWritten: string }} */
const { signal, whenWritten } = JSON.parse(process.env["MUCODE_TEST_INTERRUPT"] ?? "");
let sent = false;

function look() {
  if (sent || (statSync(whenWritten, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  sent = true;
  process.kill(process.pid, signal);
}

/** @param {any} owner @param {string} name */
function lookAfter(owner, name) {
  const original = owner[name];
  owner[name] = async function (/** @type {unknown[]} */ ...values) {
    const result = await original.apply(this, values);
    look();
    return result;
  };
}

const handle = await promises.open(new URL(import.meta.url));
lookAfter(Object.getPrototypeOf(handle), "appendFile");
await handle.close();
lookAfter(promises, "rename");
syncBuiltinESMExports();
