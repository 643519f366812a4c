/** Beside `python-pyodide.test.ts`, so that two processors share what takes long there: the start of a new process after most programs. */
import { createPyodideSandbox } from "../../src/sandbox/pyodide/pyodide-sandbox.ts";
import { processesWith } from "./host-watch.ts";
import { describeHostile } from "./hostile-suite.ts";
import { BRIDGE_KINDS, SYSTEM_KINDS } from "./programs.ts";

describeHostile({
  backend: "pyodide",
  kinds: [...SYSTEM_KINDS, ...BRIDGE_KINDS],
  open: () => createPyodideSandbox({ workers: 1 }),
  // Interpreters are told who started them; the graders' judges are two more.
  processes: () => processesWith(`"parentPid":${process.pid}}`),
});
