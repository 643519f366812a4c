import { createPyodideSandbox } from "../../src/sandbox/pyodide/pyodide-sandbox.ts";
import { describeFunctionPrograms } from "./function-programs.ts";
import { describeSandbox } from "./sandbox-conformance.ts";

for (const describeOne of [describeSandbox, describeFunctionPrograms]) {
  describeOne({ name: "pyodide", language: "python", open: createPyodideSandbox });
}
