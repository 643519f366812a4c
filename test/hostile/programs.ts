/** All hostile programs, by kind. Python's are written for both of its sandboxes; JavaScript's are in `javascript-programs.ts`. */
import { earlyExits } from "./early-exits.ts";
import { exhausting } from "./exhausting.ts";
import { files } from "./files.ts";
import { forgedResults } from "./forged-results.ts";
import { javascriptBridge } from "./javascript-bridge.ts";
import { kernel } from "./kernel.ts";
import { lyingResults } from "./lying-results.ts";
import { network } from "./network.ts";
import { otherProcesses } from "./other-processes.ts";
import { outliving } from "./outliving.ts";
import { patching } from "./patching.ts";
import { peeking } from "./peeking.ts";
import type { HostileKind } from "./python-program.ts";

export interface HostileProgram {
  readonly name: string;
  readonly program: string;
  /** The verdict it must get; some are right answers with bad manners. Default: anything but `passed`. */
  readonly verdict?: "passed" | "failed" | "error" | "timed-out" | "out-of-memory";
  /** It never ends, although the verdict of its first test is another than `timed-out`. */
  readonly endless?: true;
}

/** What stays with the interpreter, the runner and the tests. */
export const INTERPRETER_KINDS: readonly HostileKind[] = [
  earlyExits,
  lyingResults,
  forgedResults,
  peeking,
  patching,
  exhausting,
];

/** What reaches for the system around the interpreter. */
export const SYSTEM_KINDS: readonly HostileKind[] = [otherProcesses, outliving, files, network, kernel];

export const BRIDGE_KINDS: readonly HostileKind[] = [javascriptBridge];

export const PYTHON_KINDS: readonly HostileKind[] = [...INTERPRETER_KINDS, ...SYSTEM_KINDS, ...BRIDGE_KINDS];
