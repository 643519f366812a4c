/** Source text of what runs inside a realm before anything else does: functions of this folder, as their own source. */
import { MAX_STDOUT } from "../sandbox.ts";
import { createDecoding } from "./decoding.mjs";
import { createEncoding } from "./encoding.mjs";
import { createFormat, createInspect } from "./inspect.mjs";
import { createModules } from "./modules.mjs";
import { createRunner } from "./runner.mjs";
import { createUrl } from "./url.mjs";
import { createWeb } from "./web.mjs";

/**
 * Expressions that the runner evaluates when a program needs them, as JSON. They are handed to the realm as one string: to
 * read them as part of the runner's source would take longer than most programs do.
 */
export const WORLD_SOURCES = toAscii({
  inspect: `(${createInspect})`,
  format: `(${createFormat})`,
  modules: `(${createModules})`,
  url: `(${createUrl})`,
  web: `(${createWeb})`,
});

/** JSON in ASCII, of which QuickJS makes strings without looking at every character. */
function toAscii(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A function's source without comments and indentation, which every realm would have to read. */
function bare(made: (...values: never[]) => unknown): string {
  return String(made)
    .replace(/\/\*\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/^\s+/gm, "");
}

/** An expression whose value is what `createRunner` returns. */
export const RUNNER_SOURCE = `(${bare(createRunner)})(${bare(createEncoding)}, ${MAX_STDOUT})`;

/** Expressions for trusted realms. */
export const ENCODING_SOURCE = `(${createEncoding})`;
export const DECODING_SOURCE = `(${createDecoding})`;
