/** A job as steps for the runner (`runner-python.mjs`), and the runner's frames as a result. */
import { SandboxError } from "../../errors.ts";
import { withoutAddresses } from "../addresses.ts";
import type { CallResult, ProgramEnd, ProgramJob } from "../sandbox.ts";
import type { PoolOutcome } from "./interpreter-pool.ts";

/** The texts that the runner's `step` function is called with, one after the other. */
export function stepsOf(job: ProgramJob): string[] {
  const { calls, encoding = "canonical", keep } = job;
  const letter = encoding === "canonical" ? "C" : "T";
  const steps = calls.map((call, index) =>
    keep === undefined ? letter + call.trim() : `K${keep[index]} ${call.trim()}`,
  );
  return [...beginningOf(job), ...steps];
}

/** The steps before the calls. */
function beginningOf({ preamble, program, entryPoint, setupCode, stdin }: ProgramJob): string[] {
  if (stdin !== undefined) return [...(preamble ? [`A${preamble}`] : []), `I${program}`];
  const definition = `P${entryPoint?.split(".")[0] ?? ""}\n${program}`;
  return [...(preamble ? [`B${preamble}`] : []), definition, ...(setupCode ? [`S${setupCode}`] : [])];
}

/**
 * The result that the frames tell. They are hostile text: only exactly the expected forms are accepted.
 * @throws SandboxError for any other.
 */
export function readFrames(job: ProgramJob, { kind, frames, stdout }: PoolOutcome): ProgramEnd {
  const before = beginningOf(job).length;
  const calls: CallResult[] = [];
  for (const [index, frame] of frames.entries()) {
    const final = frame.startsWith("!");
    const parts = parseFrame(final ? frame.slice(1) : frame);
    const [what, first, second] = parts;
    if (final && (what === "exited" || what === "out-of-memory") && parts.length === 1) return { kind: what, calls };
    if (what === "raised" && parts.length === 3 && final === index < before) {
      const raised = { kind: "raised", exception: printable(first, 400), traceback: printable(second, 600) } as const;
      if (final) return index === 0 && job.preamble ? { ...raised, during: "preamble" } : raised;
      calls.push(raised);
    } else if (index >= before && what === "value" && parts.length === 3 && !final) {
      calls.push({ kind: "value", encoded: first as string, shown: printable(second, 400) });
    } else if (!(index < before && what === "ok" && parts.length === 1 && !final)) {
      throw new SandboxError("The Python process gave a malformed frame", { frame: frame.slice(0, 200) });
    }
  }
  if (kind === "timed-out") return { kind, calls };
  if (job.stdin !== undefined && stdout !== undefined) return { kind: "finished", calls, stdout };
  if (calls.length !== job.calls.length) throw new SandboxError("The Python process gave too few frames");
  return { kind: "finished", calls };
}

function parseFrame(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (Array.isArray(value) && value.every((part) => typeof part === "string")) return value as string[];
  throw new SandboxError("The Python process gave a malformed frame", { frame: text.slice(0, 200) });
}

/** Control characters but the line feed, and characters that reorder or hide text. */
const UNPRINTABLE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Free of addresses and control characters (line feeds stay), no longer than `room`. */
function printable(text: string | undefined, room: number): string {
  return withoutAddresses((text ?? "").slice(0, room)).replace(UNPRINTABLE, " ");
}
