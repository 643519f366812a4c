/**
 * The few Python values that mubpp programs take and return, with Python's `repr` and `==`, so that expected values
 * and feedback are known without running Python.
 */

/** A Python float; plain numbers stand for `int`. */
export interface Float {
  readonly float: number;
}

/** A Python tuple; plain arrays stand for `list`. */
export interface Tuple {
  readonly tuple: readonly Value[];
}

/** `number` is a Python int within the safe integers, `null` is None. */
export type Value = number | boolean | null | string | readonly Value[] | Float | Tuple;

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isTuple(value: Value): value is Tuple {
  return value !== null && typeof value === "object" && "tuple" in value;
}

/**
 * Python's `repr`: single quotes unless only double ones save escaping, floats with a point, a comma after a lone tuple
 * item. Characters above U+007F are taken to be printable.
 */
export function repr(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return `${value === 0 ? 0 : value}`;
  if (typeof value === "string") return reprString(value);
  if (isList(value)) return `[${value.map(repr).join(", ")}]`;
  if ("float" in value) return reprFloat(value.float);
  return value.tuple.length === 1
    ? `(${repr(value.tuple[0] as Value)},)`
    : `(${value.tuple.map((item) => repr(item)).join(", ")})`;
}

/** Python's `str`: text as it is, everything else as its `repr`. */
export function str(value: Value): string {
  return typeof value === "string" ? value : repr(value);
}

/** Python's `==`: `1 == 1.0 == True`, a list is never equal to a tuple, NaN to nothing. */
export function valuesEqual(a: Value, b: Value): boolean {
  const x = numeric(a);
  const y = numeric(b);
  if (x !== undefined || y !== undefined) return x === y;
  if (isList(a) || isList(b)) return isList(a) && isList(b) && itemsEqual(a, b);
  if (isTuple(a) && isTuple(b)) return itemsEqual(a.tuple, b.tuple);
  return a === b;
}

function itemsEqual(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((item, i) => valuesEqual(item, b[i] as Value));
}

function numeric(value: Value): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value !== null && typeof value === "object" && "float" in value) return value.float;
  return undefined;
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function reprString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const character of text) {
    const code = character.charCodeAt(0);
    if (character === quote) out += `\\${quote}`;
    else if (ESCAPES[character] !== undefined) out += ESCAPES[character];
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else out += character;
  }
  return out + quote;
}

/** Shortest digits that read back the same (as JavaScript finds them), laid out as Python does. */
function reprFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa, exponentText] = value.toExponential().split("e") as [string, string];
  const exponent = Number(exponentText);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const digits = mantissa.replace(/[-.]/g, "");
  const sign = value < 0 ? "-" : "";
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}
