/** What a hostile Python program is, and what every one of them is given. The task: return twice the argument. */
import type { Verdict } from "../../src/grading/grade.ts";

/** `no-files`: the native sandbox where the kernel has no Landlock. */
export type PythonBackend = "pyodide" | "native" | "no-files";

export interface HostilePython {
  readonly name: string;
  /** Runs after {@link preludeOf}. */
  readonly program: string;
  /**
   * The verdict it must get, by backend where they differ. Some are right answers with bad manners and pass. Default:
   * anything but `passed`.
   */
  readonly verdict?: Verdict | Partial<Readonly<Record<PythonBackend, Verdict>>>;
  /**
   * How it is tested. `asserts` (default): calls whose values are compared. `replayed`: tests that have to run as code.
   * `stdin`: a whole program that reads an integer and prints its double.
   */
  readonly tests?: "asserts" | "replayed" | "stdin";
  /** It never ends, although the verdict of its first test is another than `timed-out`. */
  readonly endless?: true;
}

/** Programs of one kind: what they have in common is what a reader wants to know. */
export interface HostileKind {
  readonly kind: string;
  readonly programs: readonly HostilePython[];
}

/** Python source with its backslashes as they are. */
export const python = String.raw;

/** What there is to be harmed or found out, and is watched. */
export interface Prey {
  /** Files that must stay as they are and unread. */
  readonly folder: string;
  /** Process ids: one that must stay alive, and the test's own. */
  readonly victim: number;
  readonly grader: number;
  /** Where someone listens whom nobody may reach: TCP and UDP on the loopback interface, a socket file, an abstract name. */
  readonly port: number;
  readonly socketPath: string;
  readonly abstractName: string;
  /** Start of a text in the test's environment and memory. */
  readonly secretStart: string;
  /** Part of the name of every file, segment and queue that a program tries to make. */
  readonly mark: string;
}

/**
 * The first lines of every program. `works(action)`: whether it came through. `reached(action)`: the same, and an exception
 * that is no refusal by the system ends the program: an attempt that is wrong in itself must not look like one that was
 * refused. `right_if(something)`: a solution that is right exactly if something was reached, so that what came through
 * shows as a pass, and what was refused as the answer.
 */
export function preludeOf(prey: Prey): string {
  const text = JSON.stringify;
  return `FOLDER, MARK, SECRET = ${text(prey.folder)}, ${text(prey.mark)}, ${text(prey.secretStart)}
VICTIM, GRADER, PORT = ${prey.victim}, ${prey.grader}, ${prey.port}
SOCKET, ABSTRACT = ${text(prey.socketPath)}, ${text(prey.abstractName)}
def works(action):
    try:
        action()
    except Exception:
        return False
    return True
import sys
REFUSED = []
REFUSALS = (OSError, ImportError, AttributeError, NotImplementedError) if sys.platform == 'emscripten' else OSError
def reached(action):
    try:
        action()
    except REFUSALS as e:
        REFUSED.append(getattr(e, 'errno', None) or type(e).__name__)
        return False
    return True
def only(values):
    if not values:
        raise FileNotFoundError
    return values[0]
def right_if(something):
    return lambda x: 2 * x if something else REFUSED
`;
}

/** A program that tries all of `actions` (Python expressions) and is right if one of them comes through. */
export function trying(setup: string, actions: readonly string[]): string {
  return `${setup}\nanswers = [${actions.map((action) => `reached(lambda: ${action})`).join(",\n    ")}]
solve = right_if(any(answers))\n`;
}

/** Right exactly if something was reached. In WebAssembly most of the interfaces are missing altogether. */
export const reaching = (
  name: string,
  setup: string,
  actions: readonly string[],
  verdict: HostilePython["verdict"] = { native: "failed" },
): HostilePython => ({
  name,
  program: trying(setup, actions),
  verdict,
});
