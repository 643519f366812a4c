/** What a result must say of where it comes from. */
import { readFileSync } from "node:fs";
import { describeExecutionRule } from "../grading/execution-rule.ts";
import { describeExtractionRule, type Fingerprint } from "../tasks/fingerprint.ts";
import type { TaskSet } from "../tasks/task.ts";

const packageFile = new URL("../../package.json", import.meta.url);
const packageJson = JSON.parse(readFileSync(packageFile, "utf8")) as {
  version: string;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
};

/** Versions that can change a result. */
export const versions: Readonly<Record<string, string>> = {
  mucode: packageJson.version,
  node: process.versions.node,
  "onnxruntime-node": packageJson.peerDependencies["onnxruntime-node"]!,
  pyodide: packageJson.dependencies["pyodide"]!,
};

/** Names a set of tasks so that another run can tell whether it had the same. */
export interface TaskSetDescription {
  readonly suite: string;
  readonly version: string;
  readonly split: string;
  readonly count: number;
  readonly hash: string;
  /** What a reader of results should know about these tasks; absent where there is nothing. */
  readonly notes?: readonly string[];
}

export function describeTaskSet({ suite, version, split, tasks, hash, notes = [] }: TaskSet): TaskSetDescription {
  return { suite, version, split, count: tasks.length, hash, ...(notes.length > 0 && { notes }) };
}

/** How an answer becomes a program, and how a program runs. */
export interface ProgramRules {
  readonly extraction: Fingerprint;
  readonly execution: Fingerprint;
}

export async function describeProgramRules(): Promise<ProgramRules> {
  return { extraction: await describeExtractionRule(), execution: await describeExecutionRule() };
}
