/** From what was thrown to what a person reads and what a script gets. */
import { ConfigError, InfrastructureError, SandboxError, StoreError } from "../errors.ts";
import type { OutputStream } from "./context.ts";
import { say } from "./text-output.ts";

/** What `mucode` ends with. */
export const exitCodes = {
  ok: 0,
  /** The run failed: infrastructure, or a defect of mucode. */
  failed: 1,
  /** Usage, configuration or the suite's data. */
  usage: 2,
  /** Ctrl-C: 128 + 2, as shells count a process that SIGINT ends. */
  interrupted: 130,
  /** SIGTERM: 128 + 15. */
  terminated: 143,
} as const;

/** Tells a person what happened, and returns the exit code. `resumeHint` is added to failures that are not theirs. */
export function reportError(error: unknown, stderr: OutputStream, resumeHint?: string): number {
  if (error instanceof ConfigError) {
    say(stderr, `mucode: ${error.message}\n`);
    return exitCodes.usage;
  }
  if (error instanceof InfrastructureError) {
    const hints = [hintFor(error), resumeHint].filter((hint) => hint !== undefined);
    say(stderr, [`mucode: ${error.message}`, ...causeLines(error), ...hints].join("\n") + "\n");
    return exitCodes.failed;
  }
  const text = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
  const lines = [`mucode: unexpected error, most likely a defect of mucode`, text];
  if (error instanceof Error) lines.push(...causeLines(error));
  if (resumeHint !== undefined) lines.push(resumeHint);
  stderr.write(lines.join("\n") + "\n");
  return exitCodes.failed;
}

/** One line per cause, from the nearest to the first. */
function causeLines(error: Error): string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>([error]);
  for (let cause = error.cause; cause !== undefined && cause !== null && !seen.has(cause);) {
    seen.add(cause);
    lines.push(`  caused by ${cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

function hintFor(error: InfrastructureError): string | undefined {
  if (error instanceof SandboxError) return "The sandbox failed, which says nothing about the programs it ran.";
  // Their messages say what to do.
  if (error instanceof StoreError) return undefined;
  return Object.keys(error.fields).length === 0 ? undefined : `  where: ${showFields(error.fields)}`;
}

function showFields(fields: Readonly<Record<string, unknown>>): string {
  const show = (value: unknown): string => {
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
    return text.length > 200 ? `${text.slice(0, 200)}…` : text;
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(", ");
}
