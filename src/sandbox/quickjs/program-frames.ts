/** A job as steps for `host.mjs`, and its frames as a result. */
import { SandboxError } from "../../errors.ts";
import type { CallResult, ProgramEnd, ProgramJob } from "../sandbox.ts";
import { unitsOf } from "./definition.ts";

/** The texts that the host takes, one after the other. */
export function stepsOf({ calls, encoding = "canonical", ...job }: ProgramJob): string[] {
  const around = (source: readonly string[]): string[] => [
    ...(job.preamble ? [`B${job.preamble}`] : []),
    ...source,
    ...(job.setupCode ? [`S${job.setupCode}`] : []),
  ];
  if (job.stdin !== undefined) return [`I${job.stdin}`, ...around([`P${job.program}`]), "O"];
  const { definition, after } = unitsOf(job.program, job.entryPoint?.split(".")[0] ?? "");
  const source = around([`P${definition}`, ...after.map((statement) => `M${statement}`)]);
  return [...source, ...calls.map((call) => (encoding === "canonical" ? "C" : "T") + call.trim())];
}

/** What became of the steps of a job. */
export interface StepsOutcome {
  readonly steps: readonly string[];
  /** `frames[i]` answers `steps[i]`. */
  readonly frames: readonly string[];
  readonly timedOut: boolean;
}

/**
 * The result that the frames tell. They are hostile text: only exactly the expected forms are accepted. Anything else can
 * only be the program's doing, which then has ended what was there to answer for it.
 * @throws SandboxError for too few frames, whose number is the host's affair.
 */
export function readFrames(job: ProgramJob, { steps, frames, timedOut }: StepsOutcome): ProgramEnd {
  const calls: CallResult[] = [];
  let stdout: string | undefined;
  for (const [index, frame] of frames.entries()) {
    const final = frame.startsWith("!");
    const parts = parseFrame(final ? frame.slice(1) : frame);
    const [what, first = "", second = ""] = parts;
    const isCall = "CT".includes(steps[index]?.[0] ?? "!");
    if (final && parts.length === 1 && (what === "timed-out" || what === "out-of-memory")) return { kind: what, calls };
    if (what === "raised" && parts.length === 3 && final === !isCall) {
      const raised = describeRaised(job, first, second);
      if (final) return { kind: "raised", ...raised, ...(steps[index]?.[0] === "B" && { during: "preamble" }) };
      calls.push({ kind: "raised", ...raised });
    } else if (what === "value" && parts.length === 3 && isCall && !final) {
      calls.push({ kind: "value", encoded: first, shown: printable(second, 400) });
    } else if (what === "printed" && parts.length === 2 && steps[index] === "O" && !final) {
      // Lone surrogates become U+FFFD, as in every other text that was read from bytes.
      stdout = Buffer.from(first).toString();
    } else if (!(what === "ok" && parts.length === 1 && !isCall && !final)) return { kind: "exited", calls };
  }
  if (timedOut) return { kind: "timed-out", calls };
  if (frames.length !== steps.length) throw new SandboxError("The QuickJS process gave too few frames");
  return { kind: "finished", calls, ...(stdout !== undefined && { stdout }) };
}

function parseFrame(text: string): string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((part) => typeof part === "string") ? value : [];
  } catch {
    return [];
  }
}

/** Innermost frames of a deep recursion that are shown. */
const MAX_INNER = 5;

/** The exception, and the program's own lines that led to it, outermost first, with the exception at the end. */
function describeRaised(
  { program }: ProgramJob,
  text: string,
  stack: string,
): { exception: string; traceback: string } {
  const lines = program.split("\n");
  // "    at f (program.js:3:12)", innermost first; without parentheses it is a place in source that cannot be read.
  const syntax = /^\s*at program\.js:(\d+):\d+\s*$/m.exec(stack);
  const suffix = text.startsWith("SyntaxError: ") && syntax ? ` (line ${syntax[1]})` : "";
  const exception = printable(text, 400) + suffix;
  const frames: string[] = [];
  for (const [, name = "", line = ""] of stack.matchAll(/^\s*at (\S*).* \(program\.js:(\d+):\d+\)\s*$/gm)) {
    const source = lines[Number(line) - 1];
    if (source === undefined) continue;
    const place = name === "<eval>" || name === "" ? "" : `, in ${printable(name, 60)}`;
    frames.unshift(`line ${line}${place}\n    ${printable(source.trim(), 120)}\n`);
  }
  const shown = frames.length > MAX_INNER + 1 ? [frames[0], "...\n", ...frames.slice(-MAX_INNER)] : frames;
  const traceback = shown.join("") + exception;
  return { exception, traceback: traceback.length <= 600 ? traceback : `...${traceback.slice(-597)}` };
}

/** Control characters but the line feed, and characters that reorder or hide text. */
const UNPRINTABLE = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Free of control characters (line feeds stay), no longer than `room`. */
function printable(text: string, room: number): string {
  return text.slice(0, room).replace(UNPRINTABLE, " ");
}
