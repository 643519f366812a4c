/** A test as a person, a generator or a verifier reads it. */
import type { Test } from "./task.ts";

export function describeTest(test: Test): string {
  switch (test.kind) {
    case "assert":
      return test.source;
    case "stdin":
      return `Input:\n${test.stdin.trimEnd()}\nOutput:\n${test.stdout.trimEnd()}`;
    case "unittest":
      return test.source.trimEnd();
    case "reference":
      return `${test.entryPoint}(${test.inputs[0] ?? ""}) and ${test.inputs.length - 1} more inputs answer like the reference`;
  }
}
