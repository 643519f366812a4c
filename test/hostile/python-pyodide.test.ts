import { createPyodideSandbox } from "../../src/sandbox/pyodide/pyodide-sandbox.ts";
import { processesWith } from "./host-watch.ts";
import { describeHostile } from "./hostile-suite.ts";
import { INTERPRETER_KINDS } from "./programs.ts";

describeHostile({
  backend: "pyodide",
  kinds: INTERPRETER_KINDS,
  open: () => createPyodideSandbox({ workers: 1 }),
  // Interpreters are told who started them; the graders' judges are two more.
  processes: () => processesWith(`"parentPid":${process.pid}}`),
});
