/** Source text of what runs inside a realm before anything else does: functions of this folder, as their own source. */
import { MAX_STDOUT } from "../sandbox.ts";
import { createDecoding } from "./decoding.mjs";
import { createEncoding } from "./encoding.mjs";
import { createFormat, createInspect } from "./inspect.mjs";
import { createModules } from "./modules.mjs";
import { createRunner } from "./runner.mjs";
import { createUrl } from "./url.mjs";
import { createWeb } from "./web.mjs";

/** Texts that the runner evaluates when a program needs them. Each makes what it stands for. */
const SOURCES = {
  inspect: `(${createInspect})`,
  format: `(${createFormat})`,
  modules: `(${createModules})`,
  url: `(${createUrl})`,
  web: `(${createWeb})`,
};

/** An expression whose value is what `createRunner` returns. */
export const RUNNER_SOURCE = `(${createRunner})(${createEncoding}, ${MAX_STDOUT}, ${JSON.stringify(SOURCES)})`;

/** Expressions for trusted realms. */
export const ENCODING_SOURCE = `(${createEncoding})`;
export const DECODING_SOURCE = `(${createDecoding})`;
