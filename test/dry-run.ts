/** `mucode train --dry-run --json` in this process, for the tests of plans. */
import { repository } from "./command.ts";
import type { RunPlan } from "../src/api/plan-run.ts";
import { main } from "../src/cli/main.ts";
import { registerTrainCommand } from "../src/cli/train.ts";

export interface DryRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function dryRun(args: readonly string[]): Promise<DryRun> {
  let stdout = "";
  let stderr = "";
  const exitCode = await main(["train", "--dry-run", ...args], {
    commands: [registerTrainCommand],
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  return { exitCode, stdout, stderr };
}

/** @throws Error with what it said, where it did not end with 0. */
export async function planOf(args: readonly string[]): Promise<RunPlan> {
  const { exitCode, stdout, stderr } = await dryRun(["--json", ...args]);
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
  return JSON.parse(stdout) as RunPlan;
}

/** Commands of a purpose, in the order of the stages. */
export function commandsOf({ stages }: RunPlan, purpose: "train" | "serve"): (readonly string[])[] {
  return stages.flatMap(({ actions }) =>
    actions.flatMap((action) => (action.kind === "run" && action.purpose === purpose ? [action.command] : [])),
  );
}

/** The value after `--name`, the last where there are several. */
export function valueOf(command: readonly string[], name: string): string | undefined {
  const index = command.lastIndexOf(`--${name}`);
  return index === -1 ? undefined : command[index + 1];
}

export const recipe = (name: string): string => `${repository}recipes/${name}.toml`;

export const configs = (...names: readonly string[]): string[] => names.flatMap((name) => ["--config", recipe(name)]);
