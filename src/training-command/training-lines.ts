/**
 * What a trainer's log tells of its progress: one object with a `loss` per optimizer step, as Hugging Face's trainers
 * print them (`{'loss': '1.93', 'epoch': '0.25'}`) or as JSON (`{"step": 3, "steps": 20, "loss": 1.93}`).
 */

export interface StepLine {
  /** NaN and infinities included: a trainer that diverges says so. */
  readonly loss: number;
  /** From 1. Left out: one more than the step before. */
  readonly step?: number;
  /** How many there will be. */
  readonly steps?: number;
  /** Tokens read so far. */
  readonly tokens?: number;
}

const VALUE = String.raw`['"]?([-+\w.]+)['"]?`;
const KEYS = {
  loss: ["loss"],
  step: ["step", "global_step"],
  steps: ["steps", "max_steps", "total_steps"],
  tokens: ["tokens", "num_tokens"],
};

/** `undefined` for a line that is no step. */
export function readStepLine(line: string): StepLine | undefined {
  const start = line.indexOf("{");
  const end = line.lastIndexOf("}");
  if (start < 0 || end < start) return undefined;
  const text = line.slice(start, end + 1);
  const loss = numberOf(text, KEYS.loss);
  if (loss === undefined) return undefined;
  const counts = (["step", "steps", "tokens"] as const).flatMap((name) => {
    const count = numberOf(text, KEYS[name]);
    return count !== undefined && Number.isFinite(count) && count >= 0 ? [[name, Math.round(count)] as const] : [];
  });
  return { loss, ...Object.fromEntries(counts) };
}

function numberOf(text: string, names: readonly string[]): number | undefined {
  const found = new RegExp(String.raw`[{,]\s*['"](?:${names.join("|")})['"]\s*:\s*${VALUE}`).exec(text)?.[1];
  if (found === undefined) return undefined;
  if (/^[-+]?(nan|inf(inity)?)$/i.test(found)) return /nan/i.test(found) ? NaN : Infinity;
  const value = Number(found);
  return Number.isNaN(value) ? undefined : value;
}
