/** Ends an import of the library, before anything else of it is loaded, where the runtime cannot run it. */
import { refusalOf } from "./supported-runtime.ts";

const refusal = refusalOf(process.versions);
if (refusal !== undefined) throw new Error(refusal);
