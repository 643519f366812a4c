/** The command line: parses, runs one command, and turns what it throws into a message and an exit code. */
import { Command, CommanderError } from "commander";
import type { CliContext, OutputStream, RegisterCommand } from "./context.ts";
import { exitCodes, reportError } from "./errors.ts";
import { exitCodeOf, listenForInterrupt, type SignalSource } from "./interrupt.ts";
import { formatHelpItem } from "./help-text.ts";
import { print, say, widthOf } from "./text-output.ts";
import { describeUsageError } from "./usage-errors.ts";
import { packageVersion } from "./version.ts";

export interface MainOptions {
  readonly stdout?: OutputStream;
  readonly stderr?: OutputStream;
  readonly commands?: readonly RegisterCommand[];
  readonly signals?: SignalSource;
  /** Ends the process at once (the second Ctrl-C). */
  readonly exit?: (code: number) => void;
}

/** Runs `mucode` with the arguments after its name; returns the exit code. Never throws. */
export async function main(argv: readonly string[], options: MainOptions = {}): Promise<number> {
  const { stdout = process.stdout, stderr = process.stderr } = options;
  const controller = new AbortController();
  const output = watchOutput(stdout, stderr, controller);
  let exitCode: number = exitCodes.ok;
  let resumeHint: string | undefined;
  let terminationExpected = false;
  const interrupt = listenForInterrupt(controller, {
    stderr: output.stderr,
    source: options.signals ?? process,
    exit: options.exit ?? ((code) => process.exit(code)),
    hint: () => (resumeHint === undefined ? "Stopped." : `Stopped. ${resumeHint}`),
  });
  const context: CliContext = {
    stdout: output.stdout,
    stderr: output.commandStderr,
    signal: controller.signal,
    setExitCode: (code) => (exitCode = code),
    expectTermination: () => (terminationExpected = true),
    setResumeHint: (hint) => (resumeHint = hint),
  };
  let program: Command | undefined;
  try {
    // Loaded here, so that whoever brings commands of their own needs none of what the built-in ones do.
    program = createProgram(options.commands ?? (await import("./commands.ts")).commands, context);
    await program.parseAsync([...argv], { from: "user" });
    return interrupt.signal === null ? exitCode : stopped(interrupt.signal, true);
  } catch (error) {
    // Progress that was under way stays as it is: nothing of it may be drawn over the message.
    output.endProgress();
    if (interrupt.signal !== null) return stopped(interrupt.signal);
    // Nobody reads the results any more (`mucode … | head`): there is nothing left to do, and nothing wrong.
    if (output.closed()) return exitCodes.ok;
    if (program === undefined || !(error instanceof CommanderError))
      return reportError(error, output.stderr, resumeHint);
    if (error.exitCode === 0) return exitCodes.ok;
    // commander.help: no command was named, and the help has been shown instead.
    if (error.code !== "commander.help") {
      say(output.stderr, `mucode: ${describeUsageError(error, program, argv)}\n`);
    }
    return exitCodes.usage;
  } finally {
    interrupt.dispose();
    output.dispose();
  }

  /** `ended`: the command ended by itself; that is well where it was to run until it is told to stop. */
  function stopped(signal: "SIGINT" | "SIGTERM", ended = false): number {
    interrupt.sayStopped();
    return ended && terminationExpected && signal === "SIGTERM" ? exitCode : exitCodeOf(signal);
  }
}

function createProgram(commands: readonly RegisterCommand[], context: CliContext): Command {
  const program = new Command("mucode")
    .description("Turn tasks with unit tests into better code-writing models.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(context, text),
      writeErr: (text) => context.stderr.write(text),
      // Told by main, with what was most likely meant.
      outputError: () => undefined,
      getOutHelpWidth: () => widthOf(context.stdout),
      getErrHelpWidth: () => widthOf(context.stderr),
    })
    .configureHelp({ formatItem: formatHelpItem });
  for (const register of commands) register(program, context);
  for (const command of program.commands) inheritSettings(command, program);
  return program;
}

/** Also for commands that were made apart and added. */
function inheritSettings(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const inner of command.commands) inheritSettings(inner, command);
}

interface WatchedOutput {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** The same stderr, for the command. */
  readonly commandStderr: OutputStream;
  /** What the command still writes to its stderr is dropped, and the line it was on is ended. */
  endProgress(): void;
  /** Whether the reader of stdout has gone. */
  closed(): boolean;
  dispose(): void;
}

interface ErrorEvents {
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

/** Keeps a closed pipe from being an unhandled error; without a reader of its results the work is aborted. */
function watchOutput(stdout: OutputStream, stderr: OutputStream, controller: AbortController): WatchedOutput {
  let closed = false;
  const onStdoutError = (error: Error): void => {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
    closed = true;
    controller.abort(new DOMException("nobody reads the output", "AbortError"));
  };
  // Progress that nobody reads is no reason to stop.
  const onStderrError = (error: Error): void => {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  };
  const listeners = [
    [stdout, onStdoutError],
    [stderr, onStderrError],
  ] as const;
  for (const [stream, listener] of listeners) if (hasErrorEvents(stream)) stream.on("error", listener);
  let lineOpen = false;
  let progressEnded = false;
  const commandStderr: OutputStream = {
    get isTTY() {
      return stderr.isTTY;
    },
    get columns() {
      return stderr.columns;
    },
    write(text) {
      if (progressEnded || text === "") return true;
      lineOpen = !text.endsWith("\n");
      return stderr.write(text);
    },
  };
  return {
    stdout,
    stderr,
    commandStderr,
    endProgress() {
      if (lineOpen && !progressEnded) stderr.write("\n");
      progressEnded = true;
    },
    closed: () => closed,
    dispose() {
      // The process's own streams stay watched: what was written last may fail after the command has ended.
      for (const [stream, listener] of listeners) {
        if (stream !== process.stdout && stream !== process.stderr && hasErrorEvents(stream)) {
          stream.off("error", listener);
        }
      }
    },
  };
}

function hasErrorEvents(stream: OutputStream): stream is OutputStream & ErrorEvents {
  return "on" in stream && typeof stream.on === "function" && "off" in stream && typeof stream.off === "function";
}
