import { createQuickjsSandbox } from "../../src/sandbox/quickjs/quickjs-sandbox.ts";
import { describeFunctionPrograms } from "./function-programs.ts";
import { describeSandbox } from "./sandbox-conformance.ts";

for (const describeOne of [describeSandbox, describeFunctionPrograms]) {
  describeOne({ name: "quickjs", language: "javascript", open: createQuickjsSandbox });
}
