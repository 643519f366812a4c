/** The system's Python for the native backend: which executable really runs, and whether it will do. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface SystemPython {
  /** The interpreter itself: not a version manager's shim (several times slower to start), not a virtual environment's link. */
  readonly executable: string;
  /** E.g. `3.11.7`. */
  readonly version: string;
}

export type FoundPython = SystemPython | { readonly missing: string };

const OLDEST = [3, 9] as const;
const QUESTION = `import sys
print(getattr(sys, "_base_executable", None) or sys.executable)
print(sys.implementation.name, *sys.version_info[:3])`;
const ANSWER_TIMEOUT_MS = 120_000;

const run = promisify(execFile);
const found = new Map<string, Promise<FoundPython>>();

/** Asks `command` (default `python3`) what it is; once per process and command that works. `missing` says why it cannot be used. */
export function findPython(command = "python3"): Promise<FoundPython> {
  let answer = found.get(command);
  if (!answer) {
    answer = ask(command);
    found.set(command, answer);
    // What is missing may be installed before the next time.
    void answer.then((python) => "missing" in python && found.delete(command));
  }
  return answer;
}

async function ask(command: string): Promise<FoundPython> {
  let text: string;
  try {
    text = (await run(command, ["-I", "-S", "-c", QUESTION], { timeout: ANSWER_TIMEOUT_MS })).stdout;
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === "ENOENT") return { missing: `${command} is not installed (or not on the PATH)` };
    const reason = stderr?.trim().split("\n").at(-1) || (error as Error).message.split("\n")[0];
    return { missing: `${command} does not run: ${reason}` };
  }
  const [executable = "", facts = ""] = text.split("\n");
  const [implementation, ...numbers] = facts.trim().split(" ");
  const version = numbers.join(".");
  const [major = 0, minor = 0] = numbers.map(Number);
  if (implementation !== "cpython") return { missing: `${command} is ${implementation || "unknown"}, not CPython` };
  if (major !== OLDEST[0] || minor < OLDEST[1]) {
    return { missing: `${command} is Python ${version}; ${OLDEST.join(".")} or newer is needed` };
  }
  return { executable: executable.trim(), version };
}
