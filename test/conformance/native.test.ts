import { createNativeSandbox } from "../../src/sandbox/native/native-sandbox.ts";
import { probeNativeSandbox } from "../../src/sandbox/native/probe.ts";
import { describeFunctionPrograms } from "./function-programs.ts";
import { describeSandbox } from "./sandbox-conformance.ts";

const probe = await probeNativeSandbox();
const skip = probe.available ? {} : { skip: probe.reason };

for (const describeOne of [describeSandbox, describeFunctionPrograms]) {
  describeOne({ name: "native", language: "python", open: createNativeSandbox, ...skip });
}
