/** Runs the built command line as a user would. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("..", import.meta.url));

export interface CommandResult {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Ends the process with this signal as soon as the file is there and not empty; see `interrupt-when-written.mjs`. */
  readonly interrupt?: { readonly signal: NodeJS.Signals; readonly whenWritten: string };
  readonly cwd?: string;
}

/** `mucode ARGUMENTS`, or any script of the repository when `script` is given. */
export function runCommand(
  args: readonly string[],
  options: CommandOptions & { readonly script?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const script = `${repository}${options.script ?? "bin/mucode.js"}`;
    const { interrupt } = options;
    const preload = interrupt ? ["--import", new URL("interrupt-when-written.mjs", import.meta.url).href] : [];
    const child = spawn(process.execPath, [...preload, script, ...args], {
      cwd: options.cwd ?? repository,
      env: { ...process.env, ...(interrupt && { MUCODE_TEST_INTERRUPT: JSON.stringify(interrupt) }) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
