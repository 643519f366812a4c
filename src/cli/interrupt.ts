/** Ctrl-C and SIGTERM: the first asks the work to stop and keep what is finished, the second ends the process at once. */
import type { OutputStream } from "./context.ts";
import { exitCodes } from "./errors.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** The part of `process` that delivers signals. */
export interface SignalSource {
  on(signal: (typeof signals)[number], listener: () => void): unknown;
  off(signal: (typeof signals)[number], listener: () => void): unknown;
}

export interface InterruptOptions {
  readonly stderr: OutputStream;
  readonly source: SignalSource;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
  /** The line for people once the work has stopped. */
  readonly hint: () => string;
}

export interface Interrupt {
  /** The first signal that came. */
  readonly signal: (typeof signals)[number] | null;
  /** Says the closing line; once. */
  sayStopped(): void;
  /** Stops listening. */
  dispose(): void;
}

/** What a process that this signal stopped ends with. */
export function exitCodeOf(signal: (typeof signals)[number]): number {
  return signal === "SIGTERM" ? exitCodes.terminated : exitCodes.interrupted;
}

/** Listens for signals and aborts `controller` at the first. */
export function listenForInterrupt(controller: AbortController, options: InterruptOptions): Interrupt {
  let first: (typeof signals)[number] | null = null;
  let said = false;
  const sayStopped = (): void => {
    if (!said) options.stderr.write(`${options.hint()}\n`);
    said = true;
  };
  const listenTo = (signal: (typeof signals)[number]) => (): void => {
    if (first !== null) {
      sayStopped();
      options.exit(exitCodeOf(signal));
      return;
    }
    first = signal;
    // The terminal has just shown ^C on the line of the progress.
    options.stderr.write("\nStopping; Ctrl-C again stops at once.\n");
    controller.abort(new DOMException("interrupted", "AbortError"));
  };
  const listeners = signals.map((signal) => [signal, listenTo(signal)] as const);
  for (const [signal, listener] of listeners) options.source.on(signal, listener);
  return {
    get signal() {
      return first;
    },
    sayStopped,
    dispose() {
      for (const [signal, listener] of listeners) options.source.off(signal, listener);
    },
  };
}
