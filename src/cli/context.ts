/** What every command is given: where to write, when to stop. */
import type { Command } from "commander";

/** The part of a writable stream that commands use. */
export interface OutputStream {
  write(text: string): unknown;
  /** Whether it is a terminal. */
  readonly isTTY?: boolean | undefined;
  /** Width of the terminal. */
  readonly columns?: number | undefined;
}

export interface CliContext {
  /** Results. */
  readonly stdout: OutputStream;
  /** Progress and messages for people. */
  readonly stderr: OutputStream;
  /** Aborts on Ctrl-C, SIGTERM, or when nobody reads stdout any more. */
  readonly signal: AbortSignal;
  /** Makes the command end with this code although nothing was thrown, e.g. 1 for a check that found something. */
  setExitCode(code: number): void;
  /** For a command that runs until it is told to stop: SIGTERM ends it well, with its exit code. */
  expectTermination(): void;
  /** A line for people whose command was stopped or failed, e.g. that the same command resumes. */
  setResumeHint(hint: string): void;
}

/** Adds one command to the program. */
export type RegisterCommand = (program: Command, context: CliContext) => void;
