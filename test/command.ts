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
  /** Ends the process with this signal after so many milliseconds, or as soon as stderr holds `when`. */
  readonly interrupt?: { readonly signal: NodeJS.Signals } & ({ readonly afterMs: number } | { readonly when: RegExp });
  readonly cwd?: string;
}

/** `mucode ARGUMENTS`, or any script of the repository when `script` is given. */
export function runCommand(
  args: readonly string[],
  options: CommandOptions & { readonly script?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const script = `${repository}${options.script ?? "bin/mucode.js"}`;
    const child = spawn(process.execPath, [script, ...args], {
      cwd: options.cwd ?? repository,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    const { interrupt } = options;
    let timer: NodeJS.Timeout | undefined;
    if (interrupt && "afterMs" in interrupt) timer = setTimeout(() => child.kill(interrupt.signal), interrupt.afterMs);
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk;
      if (interrupt && "when" in interrupt && interrupt.when.test(stderr)) child.kill(interrupt.signal);
    });
    child.on("error", reject);
    child.on("close", (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, stdout, stderr });
    });
  });
}
